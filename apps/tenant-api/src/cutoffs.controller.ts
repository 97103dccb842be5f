import { Readable } from 'node:stream';
import { Controller, Get, Header, Param, Query, Res, StreamableFile, type OnModuleDestroy } from '@nestjs/common';
import { ApiProduces, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { canaryView, cutoffProofView, pageQuery, type CutoffProofView, type PageQuery } from '@latchkey/contracts';
import type { Actor } from '@latchkey/access';
import { Canary, Cutoffs, type CutoffsOf } from '@latchkey/tenancy';
import { CurrentActor } from './authentication.js';
import { Route } from './describe-route.js';
import { whileAllowed } from './while-allowed.js';

const cutoffPage = z.object({ items: z.array(cutoffProofView), next: z.string().nullable() });

const eventStream = 'text/event-stream';
const followed = 'Server-sent events: the whole proof, again whenever it has changed, until it is complete or 30 s are over';

/** The proofs of one repository, and of everything that the tenant has, its own credentials too. */
@ApiTags('The proof')
@Controller('v1')
export class CutoffsController implements OnModuleDestroy {
  readonly #stopping = new AbortController();

  constructor(readonly cutoffs: Cutoffs) {}

  @Get('repositories/:slug/cutoffs')
  @Route({ does: 'Lists what was cut off in a repository, the latest first, and what every node saw', answers: cutoffPage })
  listOfRepository(@CurrentActor() actor: Actor, @Param('slug') slug: string, @Query({ schema: pageQuery }) page: PageQuery) {
    return this.cutoffs.list(actor, { slug }, page);
  }

  @Get('repositories/:slug/cutoffs/:cutoffId')
  @Route({ does: 'Reads one cut-off: what every node saw, and to whom it was announced', answers: cutoffProofView })
  getOfRepository(@CurrentActor() actor: Actor, @Param('slug') slug: string, @Param('cutoffId') cutoffId: string) {
    return this.cutoffs.get(actor, { slug }, cutoffId);
  }

  @Get('repositories/:slug/cutoffs/:cutoffId/events')
  @Header('X-Accel-Buffering', 'no')
  @Header('Connection', 'close')
  @ApiProduces(eventStream)
  @Route({ does: followed, answers: cutoffProofView })
  followOfRepository(
    @CurrentActor() actor: Actor,
    @Param('slug') slug: string,
    @Param('cutoffId') cutoffId: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    return this.#follow(actor, { slug }, cutoffId, reply);
  }

  @Get('cutoffs')
  @Route({ does: 'Lists what was cut off in the whole tenant, the latest first', answers: cutoffPage })
  list(@CurrentActor() actor: Actor, @Query({ schema: pageQuery }) page: PageQuery) {
    return this.cutoffs.list(actor, {}, page);
  }

  @Get('cutoffs/:cutoffId')
  @Route({ does: 'Reads one cut-off of the tenant', answers: cutoffProofView })
  get(@CurrentActor() actor: Actor, @Param('cutoffId') cutoffId: string) {
    return this.cutoffs.get(actor, {}, cutoffId);
  }

  @Get('cutoffs/:cutoffId/events')
  @Header('X-Accel-Buffering', 'no')
  @Header('Connection', 'close')
  @ApiProduces(eventStream)
  @Route({ does: followed, answers: cutoffProofView })
  follow(@CurrentActor() actor: Actor, @Param('cutoffId') cutoffId: string, @Res({ passthrough: true }) reply: FastifyReply) {
    return this.#follow(actor, {}, cutoffId, reply);
  }

  /** Whoever follows a proof would keep the process from stopping. */
  onModuleDestroy() {
    this.#stopping.abort();
  }

  async #follow(actor: Actor, of: CutoffsOf, cutoffId: string, reply: FastifyReply): Promise<StreamableFile> {
    const gone = new AbortController();
    reply.raw.once('close', () => gone.abort());
    const proofs = await this.cutoffs.follow(actor, of, cutoffId, AbortSignal.any([this.#stopping.signal, gone.signal]));
    return new StreamableFile(Readable.from(eventsOf(whileAllowed(reply.request, proofs)), { objectMode: false }), { type: eventStream });
  }
}

async function* eventsOf(proofs: AsyncIterable<CutoffProofView>): AsyncGenerator<string> {
  for await (const proof of proofs) yield `data: ${JSON.stringify(proof)}\n\n`;
}

/** What the canary sees, for whoever has a token of the console. */
@ApiTags('The proof')
@Controller('v1/canary')
export class CanaryController {
  constructor(readonly canary: Canary) {}

  @Get()
  @Route({ does: 'Says what the canary saw: old secrets and tokens, presented to every node all the time', answers: canaryView })
  report(@CurrentActor() actor: Actor) {
    return this.canary.report(actor);
  }
}
