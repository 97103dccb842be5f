import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { Listener } from './listener.js';
import { createTestDatabase, type TestDatabase } from './testing/index.js';

let test: TestDatabase;
const open: Listener[] = [];

beforeAll(async () => {
  test = await createTestDatabase();
});
afterEach(() => Promise.all(open.splice(0).map((listener) => listener.close())));
afterAll(() => test.drop());

/** A listener with what it has told so far. */
function listen(url = test.url) {
  const told = { heard: [] as string[], times: 0, faults: [] as string[] };
  const listener = new Listener({
    url,
    channel: 'Some channel',
    role: 'latchkey_check',
    applicationName: 'test-listener',
    onNotification: (payload) => told.heard.push(payload),
    onListening: () => void told.times++,
    onFault: (error) => told.faults.push(error.message),
  });
  open.push(listener);
  return { listener, told };
}

/** A way to the server that can be made to swallow everything, as a network does that fails without a word. */
async function swallowingLink() {
  const sockets: Socket[] = [];
  const server = createServer((near) => {
    const far = connect(Number(new URL(test.url).port), '127.0.0.1');
    near.on('error', () => far.destroy()).pipe(far);
    far.on('error', () => near.destroy()).pipe(near);
    sockets.push(near, far);
  });
  await new Promise<void>((listening) => void server.listen(0, '127.0.0.1', listening));
  const url = new URL(test.url);
  url.port = String((server.address() as AddressInfo).port);
  return {
    url: url.href,
    swallow: () => sockets.forEach((socket) => socket.unpipe().pause()),
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

const announce = (payload: string) => test.owner.query(`SELECT pg_notify('Some channel', $1)`, [payload]);

async function eventually(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 10_000; !(await holds()); await wait(10))
    if (Date.now() > deadline) throw new Error('it never came to hold');
}

describe('a listener', () => {
  it('passes on what is announced, and runs statements as its role', async () => {
    const { listener, told } = listen();
    await eventually(() => told.times === 1);
    await announce('one');
    await announce('');
    await eventually(() => told.heard.length === 2);
    expect(told.heard).toEqual(['one', '']);
    expect(await listener.query('SELECT current_user AS name', [])).toEqual([{ name: 'latchkey_check' }]);
  });

  it('gives the driver one statement at a time, however many are asked for at once', async () => {
    const warnings: string[] = [];
    const note = ({ message }: Error) => void warnings.push(message);
    process.on('warning', note);
    const { listener, told } = listen();
    await eventually(() => told.times === 1);
    const answers = await Promise.allSettled(
      [1, 2, 3, 4].map((number) =>
        listener.query<{ n: number }>(number === 2 ? 'SELECT nonsense' : 'SELECT $1::int AS n', number === 2 ? [] : [number]),
      ),
    );
    expect(answers.map((answer) => (answer.status === 'fulfilled' ? answer.value[0]?.n : 'failed'))).toEqual([1, 'failed', 3, 4]);
    await wait(10);
    process.off('warning', note);
    expect(warnings.filter((warning) => warning.includes('already executing'))).toEqual([]);
  });

  it('listens again after its connection was ended, says so, and has one fault to tell', async () => {
    const { told } = listen();
    await eventually(() => told.times === 1);
    await test.owner.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'test-listener'`);
    await eventually(() => told.times === 2);
    await announce('after');
    await eventually(() => told.heard.includes('after'));
    expect(told.faults).toEqual([expect.stringContaining('terminating connection')]);
  });

  it('listens again when the network has swallowed its connection without a word', async () => {
    const link = await swallowingLink();
    const { told } = listen(link.url);
    await eventually(() => told.times === 1);
    link.swallow();
    await eventually(() => told.times === 2);
    await announce('after');
    await eventually(() => told.heard.includes('after'));
    link.close();
  });

  it('goes on trying while the server is away, tells it once, and refuses statements meanwhile', async () => {
    const away = new URL(test.url);
    away.port = '1';
    const { listener, told } = listen(away.href);
    await wait(1_500);
    expect(told.faults).toHaveLength(1);
    await expect(listener.query('SELECT 1', [])).rejects.toThrow('no connection that listens');
  });

  it('hears nothing once it is closed, and leaves no connection behind', async () => {
    const { listener, told } = listen();
    await eventually(() => told.times === 1);
    await listener.close();
    await announce('too late');
    await wait(100);
    expect(told).toEqual({ heard: [], times: 1, faults: [] });
    // The server ends what serves a connection a moment after that is closed.
    const left = () => test.owner.query(`SELECT FROM pg_stat_activity WHERE application_name = 'test-listener'`);
    await eventually(async () => (await left()).rowCount === 0);
  });
});
