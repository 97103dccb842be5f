import { Readable } from 'node:stream';
import { StreamableFile } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { whileAllowed } from './while-allowed.js';

/** JSON, a thing a line. */
export const ndjson = 'application/x-ndjson';

/** An answer of as many things as there are, for as long as the caller may have them. One batch of them is in memory. */
export function answerInLines(request: FastifyRequest, batches: AsyncIterable<object[]>): StreamableFile {
  // One batch waits for the caller, and the next is read when that has gone.
  return new StreamableFile(Readable.from(lines(whileAllowed(request, batches)), { highWaterMark: 1 }), {
    type: `${ndjson}; charset=utf-8`,
  });
}

async function* lines(batches: AsyncIterable<object[]>): AsyncIterable<string> {
  for await (const batch of batches) if (batch.length > 0) yield batch.map((thing) => `${JSON.stringify(thing)}\n`).join('');
}
