import { Controller, Get, Headers, Query, Req } from '@nestjs/common';
import { ApiProduces, ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { auditEventView, auditQuery, type AuditQuery } from '@latchkey/contracts';
import type { Actor } from '@latchkey/access';
import { AuditTrail } from '@latchkey/tenancy';
import { CurrentActor } from './authentication.js';
import { Route } from './describe-route.js';
import { answerInLines, ndjson } from './ndjson.js';

@ApiTags('Audit')
@Controller('v1/audit')
export class AuditController {
  constructor(readonly trail: AuditTrail) {}

  @Get()
  @ApiProduces('application/json', ndjson)
  @Route({
    does: `Lists what was done in the tenant, the latest first; with Accept: ${ndjson} all of it, an event a line`,
    answers: z.object({ items: z.array(auditEventView), next: z.string().nullable() }),
  })
  async list(
    @CurrentActor() actor: Actor,
    @Query({ schema: auditQuery }) query: AuditQuery,
    @Req() request: FastifyRequest,
    @Headers('accept') accept = '',
  ) {
    if (!accept.includes(ndjson)) return this.trail.list(actor, query);
    return answerInLines(request, await this.trail.export(actor, query));
  }
}
