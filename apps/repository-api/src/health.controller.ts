import { Controller, Get, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { Database } from '@latchkey/database';
import { readiness } from '@latchkey/runtime';

@Controller()
export class HealthController {
  constructor(readonly database: Database) {}

  /** The process is alive. */
  @Get('healthz')
  alive() {
    return { status: 'ok' };
  }

  /** It can serve: 200, or 503 with the dependency that is away. */
  @Get('readyz')
  async ready(@Res({ passthrough: true }) reply: FastifyReply) {
    const state = await readiness({ database: () => this.database.ping() });
    void reply.status(state.ready ? 200 : 503);
    return state;
  }
}
