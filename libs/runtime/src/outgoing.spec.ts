import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describeFault, post, readDocument } from './outgoing.js';

let asked: string[] = [];
let server: Server;
let port: number;

beforeAll(async () => {
  server = createServer((request, response) => {
    asked.push(request.url ?? '');
    if (request.url === '/moved') response.writeHead(302, { location: '/elsewhere' }).end();
    else if (request.url === '/endless') response.writeHead(200).write('x'.repeat(1_000_000));
    else if (request.url !== '/silent') response.end('thanks');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
});
beforeEach(() => {
  asked = [];
});
afterAll(() => {
  server.close();
  server.closeAllConnections();
});

const send = (url: string, more: Partial<Parameters<typeof post>[0]> = {}) =>
  post({ url, headers: {}, body: '{}', timeoutMillis: 2_000, signal: new AbortController().signal, allowPrivateAddresses: false, ...more });
const fault = (sent: Promise<number>) => sent.then(String, describeFault);

describe('a post to an address that a customer chose', () => {
  it.each([
    'http://127.0.0.1:PORT/',
    'http://localhost:PORT/',
    'http://LOCALHOST:PORT/',
    'http://127.1:PORT/',
    'http://2130706433:PORT/',
    'http://0x7f.0.0.1:PORT/',
    'http://0.0.0.0:PORT/',
    'http://[::1]:PORT/',
    'http://[::]:PORT/',
    'http://[::ffff:127.0.0.1]:PORT/',
    'http://[::ffff:7f00:1]:PORT/',
    'http://[64:ff9b::7f00:1]:PORT/',
    'http://[2002:7f00:1::]:PORT/',
    'http://[fd00::1]:PORT/',
    'http://[fe80::1]:PORT/',
    'http://10.0.0.1/',
    'http://172.16.0.1/',
    'http://192.168.0.1/',
    'http://100.64.0.1/',
    'http://169.254.169.254/latest/meta-data',
    'https://127.0.0.1:PORT/',
    'https://localhost:PORT/',
    'HTTPS://localhost:PORT/',
  ])('refuses %s, which points inside', async (url) => {
    expect(await fault(send(url.replace('PORT', String(port))))).toBe('The receiver is at an address that is not public, which is refused');
    expect(asked).toEqual([]);
  });

  it('reaches inside when that was allowed', async () => {
    expect(await send(`http://localhost:${port}/hook?a=b`, { allowPrivateAddresses: true })).toBe(200);
    expect(asked).toEqual(['/hook?a=b']);
  });

  it('follows no redirect', async () => {
    expect(await send(`http://127.0.0.1:${port}/moved`, { allowPrivateAddresses: true })).toBe(302);
    expect(asked).toEqual(['/moved']);
  });

  it('is done when the status is there, however much follows', async () => {
    expect(await send(`http://127.0.0.1:${port}/endless`, { allowPrivateAddresses: true })).toBe(200);
  });

  it('waits no longer than it was told', async () => {
    const sent = send(`http://127.0.0.1:${port}/silent`, { allowPrivateAddresses: true, timeoutMillis: 50 });
    expect(await fault(sent)).toBe('The receiver did not answer in time');
  });

  it('ends at once when the worker stops', async () => {
    const stopping = new AbortController();
    const sent = send(`http://127.0.0.1:${port}/silent`, { allowPrivateAddresses: true, signal: stopping.signal });
    stopping.abort();
    expect(await fault(sent)).toBe('The request was cut short because the worker was stopping');
  });

  it('says in a word why nobody answered', async () => {
    expect(await fault(send('http://127.0.0.1:9/', { allowPrivateAddresses: true }))).toBe(
      'The receiver could not be reached: ECONNREFUSED',
    );
    expect(await fault(send(`https://127.0.0.1:${port}/`, { allowPrivateAddresses: true }))).toMatch(
      /^The receiver could not be reached: /,
    );
  });
});

describe('a document at an address that a customer chose', () => {
  const read = (path: string, more: Partial<Parameters<typeof readDocument>[0]> = {}) =>
    readDocument({
      url: `http://127.0.0.1:${port}${path}`,
      headers: {},
      timeoutMillis: 500,
      signal: new AbortController().signal,
      allowPrivateAddresses: true,
      ...more,
    });

  it('is read', async () => {
    expect(await read('/')).toBe('thanks');
  });

  it('is not read from inside, by a redirect, without end, or for longer than patience lasts', async () => {
    await expect(read('/', { allowPrivateAddresses: false })).rejects.toThrow('is not allowed');
    await expect(read('/moved')).rejects.toThrow('302');
    await expect(read('/endless')).rejects.toThrow('too large');
    await expect(read('/silent')).rejects.toMatchObject({ name: expect.stringMatching(/Abort|Timeout/) as string });
    expect(asked).not.toContain('/elsewhere');
  });
});
