import type { FastifyRequest } from 'fastify';
import { whileAllowed } from './while-allowed.js';

describe('what an answer gives bit by bit', () => {
  it('is read for GET, and not at all for HEAD, whose answer has no body', async () => {
    const read: string[] = [];
    const ask = async (method: string) => {
      // eslint-disable-next-line @typescript-eslint/require-await
      const parts = async function* () {
        yield read.push(method);
      };
      for await (const _ of whileAllowed({ method } as FastifyRequest, parts()));
    };
    await ask('HEAD');
    await ask('GET');
    expect(read).toEqual(['GET']);
  });
});
