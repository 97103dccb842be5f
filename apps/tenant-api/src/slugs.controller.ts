import { Controller, Get, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { slugAvailabilityView, slugQuery, type SlugQuery } from '@latchkey/contracts';
import type { Actor } from '@latchkey/access';
import { Slugs } from '@latchkey/tenancy';
import { CurrentActor } from './authentication.js';
import { Route } from './describe-route.js';

@ApiTags('Repositories')
@Controller('v1/slug-availability')
export class SlugsController {
  constructor(readonly slugs: Slugs) {}

  @Get()
  @Route({ does: 'Says whether a repository could have a slug', answers: slugAvailabilityView })
  look(@CurrentActor() actor: Actor, @Query({ schema: slugQuery }) { slug }: SlugQuery) {
    return this.slugs.look(actor, slug);
  }
}
