import { createServer } from 'node:net';

/** Of the ports from 20000 to 31999, each process that runs tests has so many to itself. */
const shares = 8;
const share = 12_000 / shares;

/**
 * A base at which these ports are free. They are below those that the system gives to outgoing connections (from 32768), which
 * would take one between this look and the start. Files of tests that run at once, in a process each, look in different places.
 *
 * @param offsets of the ports from the base.
 */
export async function freePortBase(offsets: number[]): Promise<number> {
  const first = 20_000 + (Number(process.env['JEST_WORKER_ID'] ?? 1) % shares) * share;
  for (let attempt = 0; attempt < 1_000; attempt++) {
    const base = first + Math.floor(Math.random() * (share - Math.max(...offsets)));
    const free = await Promise.all(offsets.map((offset) => isFree(base + offset)));
    if (free.every(Boolean)) return base;
  }
  throw new Error(`found no free ports from ${first} to ${first + share - 1}`);
}

/** Whether nobody listens there now, at any address of this machine. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
