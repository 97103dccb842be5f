import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { rawLoad, written } from './raw-load.js';

async function withServer<T>(listener: RequestListener, work: (origin: string) => Promise<T>): Promise<T> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    return await work(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

const form = { 'content-type': 'application/x-www-form-urlencoded' };
const requests = ['/one', '/two'].map((path) => written({ method: 'POST', path, headers: form, body: 'grant_type=client_credentials' }));
const load = (origin: string) => rawLoad(origin, 4, 0.2, requests, () => undefined);

describe('a load by bare sockets', () => {
  it('sends whole requests by turns, and counts each answer once, whatever pieces it comes in', async () => {
    const seen = new Map<string, number>();
    const answers: RequestListener = (request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => {
        seen.set(`${request.url} ${body}`, (seen.get(`${request.url} ${body}`) ?? 0) + 1);
        if (request.url === '/one') return void response.setHeader('content-length', 6).end('answer');
        response.write('an');
        return void setImmediate(() => response.end('swer'));
      });
    };
    const { latencies, perSecond } = await withServer(answers, load);
    const [one = 0, two = 0] = ['/one', '/two'].map((path) => seen.get(`${path} grant_type=client_credentials`));
    expect(one + two).toBe(latencies.length);
    expect(Math.abs(one - two)).toBeLessThanOrEqual(4);
    expect(perSecond).toBeGreaterThan(10);
  });

  it('does not count what is answered after its time', async () => {
    let seen = 0;
    const answers: RequestListener = (_, response) => void setTimeout(() => response.end('answer'), seen++ < 4 ? 0 : 2_500);
    const { latencies, perSecond } = await withServer(answers, (origin) => rawLoad(origin, 4, 2, requests, () => undefined));
    expect([latencies.length, perSecond]).toEqual([8, 2]);
  });

  it.each([401, 500, 303])('is no load when the server answers %i', async (status) => {
    await expect(withServer((_, response) => void response.writeHead(status).end('{"error":"no"}'), load)).rejects.toThrow(
      `answered HTTP/1.1 ${status}`,
    );
  });

  it('ends when the server hangs up', async () => {
    await expect(withServer((request) => void request.socket.destroy(), load)).rejects.toThrow(/closed|ECONNRESET/);
  });
});
