import type { FastifyRequest } from 'fastify';

/**
 * What an answer gives bit by bit, for as long as whoever asked for it may have it: before each further part the token, its
 * credential and the role are looked at anew. That the token expires meanwhile is no end: the call began before.
 *
 * @throws when they ended, upon which the answer is cut off without its end.
 */
export async function* whileAllowed<T>(request: FastifyRequest, parts: AsyncIterable<T>): AsyncGenerator<T> {
  // Whose answer has no body. It would be read to its end all the same, for nobody.
  if (request.method === 'HEAD') return;
  let isFirst = true;
  for await (const part of parts) {
    if (!isFirst) await request.refuseEnded?.();
    isFirst = false;
    yield part;
  }
}
