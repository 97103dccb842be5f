import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { requireFreePorts } from './ports.js';

async function listen(host: string) {
  const server = createServer();
  await once(server.listen(0, host), 'listening');
  return { port: (server.address() as AddressInfo).port, close: () => server.close() };
}

describe('requireFreePorts', () => {
  it('names every port that is taken, whichever address it is taken on', async () => {
    const one = await listen('127.0.0.1');
    const all = await listen('0.0.0.0');
    const uses = [
      { port: one.port, use: 'tenant API' },
      { port: all.port, use: 'authority' },
    ];
    await expect(requireFreePorts(uses)).rejects.toThrow(
      `Ports ${one.port} (tenant API), ${all.port} (authority) are taken: stop what uses them, or choose others with --port-base N.`,
    );
    one.close();
    all.close();
    await requireFreePorts(uses);
  });

  it('no longer waits for a port once it is to stop', async () => {
    const one = await listen('127.0.0.1');
    const stop = new AbortController();
    const waiting = requireFreePorts([{ port: one.port, use: 'authority' }], stop.signal);
    stop.abort();
    await expect(waiting).rejects.toThrow(expect.objectContaining({ name: 'AbortError' }) as Error);
    one.close();
  });
});
