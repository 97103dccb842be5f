import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { startApi, type RunningApi } from './testing/running-api.js';

describe('a call whose body breaks off', () => {
  let api: RunningApi;
  beforeAll(async () => {
    api = await startApi();
  });
  afterAll(() => api.close());

  it('is the fault of its caller, and no database that cannot be reached', async () => {
    const { hostname, port } = new URL(api.url);
    const socket = connect(Number(port), hostname);
    socket.write(
      `POST /v1/repositories HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${api.tenant.token}\r\n` +
        'Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"slug":',
    );
    const [, response] = (await once(api.app.getHttpServer() as Server, 'request')) as [IncomingMessage, ServerResponse];
    socket.destroy();
    await once(response, 'close');
    while (response.statusCode === 200) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(response.statusCode).toBe(400);
  });
});
