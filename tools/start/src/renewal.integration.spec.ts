import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { ProcessRecords } from './process-records.js';
import { renewal } from './renewal.js';
import { SupervisedProcess } from './supervised-process.js';
import { freePortBase } from './testing/free-ports.js';

/** Stops as our apps do, by their own code, and takes a moment for each answer. */
const app = `
  import { createServer } from 'node:http';
  import { isLeaving, stopGracefully } from ${JSON.stringify(new URL('../../../libs/runtime/dist/index.js', import.meta.url).href)};
  const server = createServer((request, response) => {
    if (request.url === '/readyz') return response.writeHead(isLeaving() ? 503 : 200).end('{}');
    setTimeout(() => response.end('answered'), 5);
  });
  const close = () => new Promise((resolve) => { server.close(resolve); server.closeIdleConnections(); });
  stopGracefully({ info() {}, error() {} }, close, { servers: () => [server], drainSeconds: Number(process.env.DRAIN_SECONDS) });
  server.listen(Number(process.env.PORT), '127.0.0.1');`;

const base = await freePortBase([0, 1]);
const ports = [base, base + 1];
let folder: string;
let processes: SupervisedProcess[];
let records: string;
const said: string[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'latchkey-renewal-'));
  records = join(folder, 'processes.json');
  await mkdir(join(folder, 'logs'));
  await writeFile(join(folder, 'app.js'), app);
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
  const surroundings = {
    entryOf: () => join(folder, 'app.js'),
    environment: { ...process.env, DRAIN_SECONDS: '1' },
    logFolder: join(folder, 'logs'),
    records: new ProcessRecords(records),
    say: (line: string) => void said.push(line),
  };
  processes = ports.map((port, index) => {
    const planned = { name: `authority-${index + 1}`, app: 'authority' as const, port, environment: { PORT: String(port) } };
    return new SupervisedProcess(planned, surroundings);
  });
  await Promise.all(processes.map((one) => one.ready()));
});
afterAll(async () => {
  await Promise.all(processes.map((one) => one.stop()));
  await rm(folder, { recursive: true, force: true });
});

/** The status of an answer, or what went wrong before there was one. */
const ask = (port: number, path: string, agent: Agent): Promise<string> =>
  new Promise((resolve) => {
    const sent = request({ port, host: '127.0.0.1', path, agent }, (response) => {
      response.resume().on('end', () => resolve(String(response.statusCode)));
    });
    sent.on('error', (error) => resolve(error.message)).end();
  });

const pids = async () => (JSON.parse(await readFile(records, 'utf8')) as { pid: number }[]).map(({ pid }) => pid);

describe('a renewal', () => {
  it('replaces every process, and loses no request of a balancer that asks who is ready and keeps its connections', async () => {
    const before = await pids();
    const agent = new Agent({ keepAlive: true });
    const probes = new Agent();
    const stop = new AbortController();
    const over = new AbortController();
    let ready = [...ports];
    const statuses: string[] = [];
    const probe = async () => {
      for (; !over.signal.aborted; await wait(20)) {
        const states = await Promise.all(ports.map((port) => ask(port, '/readyz', probes)));
        const now = ports.filter((_, index) => states[index] === '200');
        // One that was ready after it was asked may be the only one by now.
        if (now.length > 0) ready = now;
      }
    };
    const send = async () => {
      for (let turn = 0; !over.signal.aborted; turn++) statuses.push(await ask(ready[turn % ready.length]!, '/', agent));
    };
    const work = [probe(), send(), send(), send(), send()];
    renewal(processes, (line) => void said.push(line), stop.signal)();
    for (let tries = 0; !said.includes('every app was started anew') && tries < 600; tries++) await wait(50);
    over.abort();
    await Promise.all(work);
    agent.destroy();
    expect(said.at(-1)).toBe('every app was started anew');
    expect(statuses.length).toBeGreaterThan(50);
    expect(statuses.filter((status) => status !== '200')).toEqual([]);
    const after = await pids();
    expect(after).toHaveLength(before.length);
    expect(after.filter((pid) => before.includes(pid))).toEqual([]);
  });

  it('of a process that has just ended and is about to be started again starts it once', async () => {
    const [before = 0] = await pids();
    process.kill(before, 'SIGKILL');
    const ended = () => said.some((line) => line.includes('ended (SIGKILL)'));
    for (let tries = 0; !ended() && tries < 1_000; tries++) await wait(5);
    await processes[0]!.renew();
    // Longer than the pause before it is started again.
    await wait(400);
    expect(ended()).toBe(true);
    expect(said.filter((line) => line.includes('exit code'))).toEqual([]);
    expect(await pids()).toHaveLength(ports.length);
  });
});
