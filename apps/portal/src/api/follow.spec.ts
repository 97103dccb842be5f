import { eventData } from './follow.ts';

const streamOf = (...parts: (string | Uint8Array)[]) =>
  new ReadableStream<Uint8Array>({
    start(controller) {
      for (const part of parts) controller.enqueue(typeof part === 'string' ? new TextEncoder().encode(part) : part);
      controller.close();
    },
  });

async function all(stream: ReadableStream<Uint8Array>): Promise<string[]> {
  const seen: string[] = [];
  for await (const text of eventData(stream)) seen.push(text);
  return seen;
}

describe('eventData', () => {
  it('gives every event once, however the network cuts them', async () => {
    expect(await all(streamOf('data: {"a"', ':1}\n', '\ndata: {"b":2}\n\n'))).toEqual(['{"a":1}', '{"b":2}']);
  });

  it('keeps a character whole that the network cut in two', async () => {
    const bytes = new TextEncoder().encode('data: é\n\n');
    expect(await all(streamOf(bytes.slice(0, 7), bytes.slice(7)))).toEqual(['é']);
  });

  it('drops an event that broke off, and passes over what is no data', async () => {
    expect(await all(streamOf(': still here\n\ndata: 1\n\ndata: 2'))).toEqual(['1']);
  });
});
