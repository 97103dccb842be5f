import { Controller, Delete, Get, Param, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { cutoffView, factorsView, userSessionView } from '@latchkey/contracts';
import type { Actor } from '@latchkey/access';
import { MemberAccounts } from '@latchkey/tenancy';
import { CurrentActor } from './authentication.js';
import { Route } from './describe-route.js';

const ended = z.object({ cutoff: cutoffView });

@ApiTags('Members')
@Controller('v1/members/:memberId')
export class MemberAccountsController {
  constructor(readonly accounts: MemberAccounts) {}

  @Get('factors')
  @Route({ does: 'Reads which second factors a member has who is in no other tenant', answers: factorsView })
  factors(@CurrentActor() actor: Actor, @Param('memberId') memberId: string) {
    return this.accounts.factors(actor, memberId);
  }

  @Delete('factors')
  @Route({
    does: 'Takes all second factors and recovery codes from another member, who is in no other tenant, and ends older sessions and tokens',
    answers: ended,
    changes: true,
  })
  resetFactors(@CurrentActor() actor: Actor, @Param('memberId') memberId: string) {
    return this.accounts.resetFactors(actor, memberId);
  }

  @Delete('factors/:factor')
  @Route({
    does: 'Takes the authenticator app (`totp`) or one passkey from another member, who is in no other tenant, and ends older sessions and tokens',
    answers: ended,
    changes: true,
  })
  resetFactor(@CurrentActor() actor: Actor, @Param('memberId') memberId: string, @Param('factor') factor: string) {
    return this.accounts.resetFactors(actor, memberId, factor);
  }

  @Get('sessions')
  @Route({
    does: 'Lists where a member is signed in who is in no other tenant, at most 100 browsers',
    answers: z.object({ items: z.array(userSessionView) }),
  })
  sessions(@CurrentActor() actor: Actor, @Param('memberId') memberId: string) {
    return this.accounts.sessions(actor, memberId);
  }

  @Delete('sessions/:sessionId')
  @Route({ does: 'Ends one session of another member, who is in no other tenant, and the tokens of it', status: 204, changes: true })
  endSession(@CurrentActor() actor: Actor, @Param('memberId') memberId: string, @Param('sessionId') sessionId: string) {
    return this.accounts.endSession(actor, memberId, sessionId);
  }

  @Post('sign-out')
  @Route({
    does: 'Ends every session and token of another member, who is in no other tenant and can sign in again',
    answers: ended,
    changes: true,
  })
  signOut(@CurrentActor() actor: Actor, @Param('memberId') memberId: string) {
    return this.accounts.signOut(actor, memberId);
  }
}
