import { Controller, Get, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { usageQuery, usageView, type UsageQuery } from '@latchkey/contracts';
import type { Actor } from '@latchkey/access';
import { Usage } from '@latchkey/tenancy';
import { CurrentActor } from './authentication.js';
import { Route } from './describe-route.js';

@ApiTags('Usage')
@Controller('v1/usage')
export class UsageController {
  constructor(readonly usage: Usage) {}

  @Get()
  @Route({ does: 'Counts by day what the credentials of the tenant were used for, and what was refused', answers: usageView })
  read(@CurrentActor() actor: Actor, @Query({ schema: usageQuery }) query: UsageQuery) {
    return this.usage.read(actor, query);
  }
}
