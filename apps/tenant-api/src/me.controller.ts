import { Controller, Delete, Get, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { createdMemberCredentialView, memberCredentialView, meView, revokedSecretView } from '@latchkey/contracts';
import type { Actor } from '@latchkey/access';
import { MemberCredentials } from '@latchkey/tenancy';
import { CurrentActor } from './authentication.js';
import { Route } from './describe-route.js';

@ApiTags('Me')
@Controller('v1/me')
export class MeController {
  constructor(readonly credentials: MemberCredentials) {}

  @Get()
  @Route({ does: 'Says who is calling and what they may do', answers: meView })
  me(@CurrentActor() actor: Actor) {
    return this.credentials.me(actor);
  }

  @Get('credential')
  @Route({ does: "Reads the member's own credential, without its secret", answers: memberCredentialView })
  get(@CurrentActor() actor: Actor) {
    return this.credentials.get(actor);
  }

  @Post('credential')
  @Route({
    does: "Makes the member's credential, under the tenant's policy; its secret is in this answer only",
    status: 201,
    answers: createdMemberCredentialView,
    changes: true,
  })
  create(@CurrentActor() actor: Actor) {
    return this.credentials.create(actor);
  }

  @Delete('credential')
  @Route({
    does: "Revokes the member's own credential with its tokens, and withdraws the open invitations that were made with it",
    answers: revokedSecretView,
    changes: true,
  })
  revoke(@CurrentActor() actor: Actor) {
    return this.credentials.revoke(actor);
  }
}
