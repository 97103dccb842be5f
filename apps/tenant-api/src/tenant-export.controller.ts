import { Readable } from 'node:stream';
import { Controller, Get, Req, StreamableFile } from '@nestjs/common';
import { ApiProduces, ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Actor } from '@latchkey/access';
import { TenantExport, type ExportedThing } from '@latchkey/tenancy';
import { CurrentActor } from './authentication.js';
import { Route } from './describe-route.js';
import { whileAllowed } from './while-allowed.js';

const ndjson = 'application/x-ndjson';

@ApiTags('Tenant')
@Controller('v1/tenant/export')
export class TenantExportController {
  constructor(readonly exports: TenantExport) {}

  @Get()
  @ApiProduces(ndjson)
  @Route({
    does: 'Gives everything that the tenant has, a thing a line, each with its kind; never a secret',
    answers: z.looseObject({ kind: z.string() }),
  })
  async read(@CurrentActor() actor: Actor, @Req() request: FastifyRequest) {
    const batches = whileAllowed(request, await this.exports.read(actor));
    // One batch waits for the caller, and the next is read when that has gone.
    return new StreamableFile(Readable.from(lines(batches), { highWaterMark: 1 }), { type: `${ndjson}; charset=utf-8` });
  }
}

async function* lines(batches: AsyncIterable<ExportedThing[]>): AsyncIterable<string> {
  for await (const batch of batches) if (batch.length > 0) yield batch.map((thing) => `${JSON.stringify(thing)}\n`).join('');
}
