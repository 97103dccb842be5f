import { Readable } from 'node:stream';
import { Controller, Get, Headers, Query, Req, StreamableFile } from '@nestjs/common';
import { ApiProduces, ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { auditEventView, auditQuery, type AuditEventView, type AuditQuery } from '@latchkey/contracts';
import type { Actor } from '@latchkey/access';
import { AuditTrail } from '@latchkey/tenancy';
import { CurrentActor } from './authentication.js';
import { Route } from './describe-route.js';
import { whileAllowed } from './while-allowed.js';

const ndjson = 'application/x-ndjson';

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
    const batches = whileAllowed(request, await this.trail.export(actor, query));
    // One batch waits for the caller, and the next is read when that has gone.
    return new StreamableFile(Readable.from(lines(batches), { highWaterMark: 1 }), { type: `${ndjson}; charset=utf-8` });
  }
}

async function* lines(batches: AsyncIterable<AuditEventView[]>): AsyncIterable<string> {
  for await (const batch of batches) if (batch.length > 0) yield batch.map((event) => `${JSON.stringify(event)}\n`).join('');
}
