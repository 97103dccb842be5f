import { Controller, Delete, Get, Param } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { cutoffView, factorsView } from '@latchkey/contracts';
import type { Actor } from '@latchkey/access';
import { UserFactors } from '@latchkey/tenancy';
import { CurrentActor } from './authentication.js';
import { Route } from './describe-route.js';
import { userId } from './user-id.js';

const reset = z.object({ cutoff: cutoffView });

@ApiTags('Users of a repository')
@Controller('v1/repositories/:slug/users/:id/factors')
export class UserFactorsController {
  constructor(readonly factors: UserFactors) {}

  @Get()
  @Route({ does: 'Reads which second factors a user has', answers: factorsView })
  get(@CurrentActor() actor: Actor, @Param('slug') slug: string, @Param('id') id: string) {
    return this.factors.get(actor, slug, userId(id));
  }

  @Delete()
  @Route({ does: 'Takes all second factors and recovery codes away, and ends older sessions and tokens', answers: reset, changes: true })
  resetAll(@CurrentActor() actor: Actor, @Param('slug') slug: string, @Param('id') id: string) {
    return this.factors.reset(actor, slug, userId(id));
  }

  @Delete(':factor')
  @Route({
    does: 'Takes the authenticator app (`totp`) or one passkey away, and ends older sessions and tokens',
    answers: reset,
    changes: true,
  })
  reset(@CurrentActor() actor: Actor, @Param('slug') slug: string, @Param('id') id: string, @Param('factor') factor: string) {
    return this.factors.reset(actor, slug, userId(id), factor);
  }
}
