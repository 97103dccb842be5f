import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { readForm } from './read-form.js';

describe('a form', () => {
  it('that breaks off is the fault of whoever sends it, and no lost connection of ours', async () => {
    const { promise: outcome, resolve } = Promise.withResolvers<unknown>();
    const server = createServer((request) => void readForm(request).then(resolve, resolve)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    socket.write(
      'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\nlogin=anna',
    );
    await once(server, 'request');
    socket.destroy();
    expect(await outcome).toMatchObject({ type: 'malformed-body', status: 400 });
    server.close();
  });
});
