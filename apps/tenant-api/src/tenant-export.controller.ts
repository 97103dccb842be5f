import { Controller, Get, Req } from '@nestjs/common';
import { ApiProduces, ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Actor } from '@latchkey/access';
import { TenantExport } from '@latchkey/tenancy';
import { CurrentActor } from './authentication.js';
import { Route } from './describe-route.js';
import { answerInLines, ndjson } from './ndjson.js';

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
    return answerInLines(request, await this.exports.read(actor));
  }
}
