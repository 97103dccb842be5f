import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { DatabaseLink } from './database-link.js';

/** Stands for PostgreSQL: answers every text with the same, and remembers it. */
let server: Server;
let heard: string;
let link: DatabaseLink;
let socket: Socket;
let answered: string;

beforeEach(async () => {
  heard = answered = '';
  server = createServer((client) => {
    client.on('error', () => undefined);
    client.on('data', (chunk: Buffer) => {
      heard += chunk.toString();
      client.write(chunk);
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  link = await DatabaseLink.to(`postgres://someone@127.0.0.1:${(server.address() as AddressInfo).port}/latchkey`);
  socket = await open();
});
afterEach(async () => {
  socket.destroy();
  await link.close();
  server.close();
});

async function open(): Promise<Socket> {
  const opened = connect(Number(new URL(link.url).port), '127.0.0.1');
  opened.on('error', () => undefined);
  opened.on('data', (chunk: Buffer) => void (answered += chunk.toString()));
  await Promise.race([happened(opened, 'connect'), happened(opened, 'close')]);
  return opened;
}

/** Unlike `once`, an error before it is no failure: a broken connection says so first. */
function happened(socket: Socket, event: 'connect' | 'close'): Promise<void> {
  return new Promise((resolve) => void socket.once(event, () => resolve()));
}

async function until(holds: () => boolean): Promise<void> {
  for (const deadline = Date.now() + 5_000; !holds() && Date.now() < deadline;) await wait(2);
  expect(holds()).toBe(true);
}

describe('a link to the database', () => {
  it('is its server’s URL by another way', () => {
    expect(link.url).toMatch(/^postgres:\/\/someone@127\.0\.0\.1:\d+\/latchkey$/);
    expect(new URL(link.url).port).not.toBe(String((server.address() as AddressInfo).port));
  });

  it('carries both ways', async () => {
    socket.write('one');
    await until(() => answered === 'one');
  });

  it('breaks what is open and what is opened while it is cut, and carries again when mended', async () => {
    const broken = happened(socket, 'close');
    link.cut();
    await broken;
    const refused = await open();
    await until(() => refused.closed);
    link.mend();
    socket = await open();
    socket.write('again');
    await until(() => answered === 'again');
  });

  it('holds everything back while it is stalled, and loses nothing', async () => {
    link.stall();
    for (const text of ['a', 'b', 'c']) socket.write(text);
    await wait(30);
    expect([heard, answered]).toEqual(['', '']);
    link.mend();
    await until(() => answered === 'abc');
  });

  it('lets questions through and holds answers back', async () => {
    link.holdAnswers();
    socket.write('question');
    await until(() => heard === 'question');
    await wait(20);
    expect(answered).toBe('');
    link.mend();
    await until(() => answered === 'question');
  });

  it('makes everything late, in order', async () => {
    link.delay(40);
    const begun = performance.now();
    socket.write('first');
    await wait(5);
    socket.write('second');
    await until(() => answered === 'firstsecond');
    expect(performance.now() - begun).toBeGreaterThan(75);
  });
});
