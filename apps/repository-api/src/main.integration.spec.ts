import { randomBytes } from 'node:crypto';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { RunningApp, type ProvisionedForTest } from './testing/running-app.js';

let app: RunningApp;
let acme: ProvisionedForTest;

beforeAll(async () => {
  app = await RunningApp.start();
  acme = await app.provision('acme');
});
afterAll(() => app.stop());

/** The app as a process of its own, with what it has printed. */
async function run(environment: Record<string, string>): Promise<{ child: ChildProcess; printed: () => string; exit: Promise<unknown[]> }> {
  const child = spawn(process.execPath, [fileURLToPath(new URL('main.js', import.meta.url))], {
    env: {
      DATABASE_URL: app.test.url,
      SECRET_PEPPERS: `k1:${randomBytes(32).toString('base64')}`,
      REPOSITORY_URL_TEMPLATE: 'http://localhost:4200/{repository}',
      AUTHORITY_URL_TEMPLATE: 'http://localhost:4100/{repository}',
      ...environment,
    },
  });
  let text = '';
  const exit = once(child, 'exit');
  await new Promise<void>((resolve) => {
    const collect = (data: Buffer) => {
      text += data.toString();
      if (text.includes('"listening"')) resolve();
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    child.once('exit', () => resolve());
  });
  return { child, printed: () => text, exit };
}

/** Three ports that are free, held until all are known: so they are three. */
async function freePorts(): Promise<[number, number, number]> {
  const held = [0, 0, 0].map((any) => createServer().listen(any, '127.0.0.1'));
  await Promise.all(held.map((server) => once(server, 'listening')));
  const ports = held.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(held.map((server) => once(server.close(), 'close')));
  return ports as [number, number, number];
}

describe('the process', () => {
  it('shares a port with another of its kind, has one of its own, keeps connections for longer than a load balancer, prints no credential and stops when it is told to', async () => {
    const [shared, first, second] = await freePorts();
    const nodes = await Promise.all(
      [first, second].map((own) => run({ PORT: String(shared), REUSE_PORT: 'true', NODE_PORT: String(own), NODE_NAME: `node-${own}` })),
    );
    const token = await app.token(acme);
    const key = 'lk_live_ak_0123456789012345678901234567890123456789012abcdef';
    for (const port of [shared, first, second]) {
      const url = `http://127.0.0.1:${port}/acme/odata.svc/('Root')`;
      const answer = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
      expect([answer.status, answer.headers.get('keep-alive')]).toEqual([200, 'timeout=72']);
      expect((await fetch(`${url}?apikey=${key}`)).status).toBe(401);
      expect((await fetch(url, { headers: { apikey: key } })).status).toBe(401);
    }
    for (const { child, printed, exit } of nodes) {
      child.kill('SIGTERM');
      expect(await exit).toEqual([0, null]);
      expect(printed()).toContain(`"path":"/acme/odata.svc/('Root')"`);
      // They were started without the pepper of the repository's secrets.
      expect(printed()).toContain('"lacking":{"test":{"client secrets":1}}');
      for (const secret of [token, key, 'apikey=']) expect(printed()).not.toContain(secret);
    }
  });

  it('ends when it has answered what is under way, though the client would keep the connection', async () => {
    const [port] = await freePorts();
    const { child, exit } = await run({ PORT: String(port) });
    const client = connect(port, '127.0.0.1');
    client.write(`POST /acme/odata.svc/('Root') HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n\r\n{`);
    await wait(200);
    child.kill('SIGTERM');
    await wait(200);
    client.write('}');
    const [answer] = (await once(client, 'data')) as [Buffer];
    expect(answer.toString()).toContain('__ContentType');
    expect(await Promise.race([exit, wait(5_000, 'goes on')])).toEqual([0, null]);
    client.destroy();
  });

  it('says every fault of its configuration and prints none of its values', async () => {
    const { printed, exit } = await run({ DATABASE_URL: 'hunter2', PORT: 'hunter2', AUTHORITY_URL_TEMPLATE: 'hunter2' });
    expect(await exit).toEqual([1, null]);
    for (const name of ['DATABASE_URL', 'PORT', 'AUTHORITY_URL_TEMPLATE']) expect(printed()).toContain(name);
    expect(printed()).not.toContain('hunter2');
  });
});
