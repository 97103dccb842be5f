import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { freePortBase } from './testing/free-ports.js';
import { app, setup } from './testing/stand-in-apps.js';

/*
 * The launcher with stand-in apps of a few lines, so that they can be told to misbehave. The real ones are started in
 * the end-to-end tests.
 */

let folder: string;
let portBase: number;
let launched: Launched[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'latchkey-start-'));
  launched = [];
  portBase = await freePortBase([0, 100, 101, 102, 200, 201, 202, 300]);
  for (const name of ['tenant-api', 'authority', 'repository-api', 'worker']) await writeApp(name, 'main', app);
  await writeApp('tenant-api', 'setup', setup);
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
});
afterEach(async () => {
  for (const launch of launched) await launch.end('SIGTERM');
  await rm(folder, { recursive: true, force: true });
});

async function writeApp(name: string, program: string, text: string): Promise<void> {
  await mkdir(join(folder, 'apps', name, 'dist'), { recursive: true });
  await writeFile(join(folder, 'apps', name, 'dist', `${program}.js`), text);
}

/** A launcher in a process of its own. */
class Launched {
  readonly process: ChildProcess;
  output = '';

  constructor(args: string[], environment: NodeJS.ProcessEnv) {
    const program = `import { run } from ${JSON.stringify(new URL('./run.js', import.meta.url).href)}; await run(${JSON.stringify(join(folder, 'apps'))}, process.argv.slice(1));`;
    const all = ['--port-base', String(portBase), '--data-dir', join(folder, 'data'), ...args];
    this.process = spawn(process.execPath, ['--input-type=module', '-e', program, '--', ...all], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, STAND_IN_DIR: join(folder, 'data'), ...environment },
    });
    for (const stream of [this.process.stdout!, this.process.stderr!]) stream.on('data', (chunk) => (this.output += String(chunk)));
  }

  async says(text: string | RegExp): Promise<void> {
    for (let tries = 0; tries < 600; tries++) {
      if (typeof text === 'string' ? this.output.includes(text) : text.test(this.output)) return;
      if (this.process.exitCode !== null) break;
      await wait(50);
    }
    throw new Error(`expected ${text} in:\n${this.output}`);
  }

  async end(signal?: NodeJS.Signals): Promise<number | null> {
    if (this.process.exitCode === null && this.process.signalCode === null) {
      const exited = once(this.process, 'exit');
      if (signal) this.process.kill(signal);
      const tooLong = setTimeout(() => this.process.kill('SIGKILL'), 30_000);
      await exited;
      clearTimeout(tooLong);
    }
    return this.process.exitCode;
  }
}

/** For what has nothing to do with the database: the stand-in apps never connect to it. */
const noDatabase = { DATABASE_URL: 'postgres://someone:else@127.0.0.1:5432/latchkey' };

function launch(args: string[] = [], environment: NodeJS.ProcessEnv = {}): Launched {
  const one = new Launched(args, environment);
  launched.push(one);
  return one;
}

async function ready(args: string[] = [], environment: NodeJS.ProcessEnv = {}): Promise<Launched> {
  const one = launch(args, environment);
  await one.says('Stop              Ctrl-C');
  return one;
}

async function environmentAt(port: number): Promise<NodeJS.ProcessEnv> {
  return (await (await fetch(`http://127.0.0.1:${port}/`)).json()) as NodeJS.ProcessEnv;
}

async function answers(port: number, path = '/readyz'): Promise<boolean> {
  return await fetch(`http://127.0.0.1:${port}${path}`).then(
    () => true,
    () => false,
  );
}

async function recorded(): Promise<{ name: string; pid: number }[]> {
  return JSON.parse(await readFile(join(folder, 'data/processes.json'), 'utf8')) as { name: string; pid: number }[];
}

async function listen(port: number): Promise<Server | undefined> {
  const server = createServer();
  return await once(server.listen(port, '127.0.0.1'), 'listening').then(
    () => server,
    () => undefined,
  );
}

describe('a start', () => {
  it('shows the addresses and, the first time only, the credential, and writes that to the file for this account alone', async () => {
    const file = join(folder, 'credential.json');
    const first = await ready(['--credentials-file', file]);
    await first.says('shown-once');
    expect(first.output).toContain(`Authorities       http://localhost:${portBase + 100}/{repository}`);
    expect(first.output).toContain('Become the owner  http://owner');
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({
      tokenUrl: 'http://t',
      clientId: 'first-client',
      clientSecret: 'shown-once',
      tenantApiUrl: `http://localhost:${portBase}`,
    });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await first.end('SIGTERM')).toBe(0);

    await rm(file);
    const second = await ready(['--credentials-file', file]);
    expect(second.output).not.toContain('shown-once');
    expect(await second.end('SIGINT')).toBe(0);
    expect((await readdir(folder)).sort()).toEqual(['apps', 'data', 'package.json']);
    expect((await readdir(join(folder, 'data'))).sort()).toEqual(['keys.json', 'logs', 'postgres', 'set-up']);
  });

  it('shows the credential at the next start if it was killed before it could', async () => {
    await writeApp('worker', 'main', 'setTimeout(() => {}, 60_000); process.on("disconnect", () => process.exit());');
    const killed = launch([], noDatabase);
    for (let tries = 0; tries < 200 && !existsSync(join(folder, 'data/first-start.json')); tries++) await wait(50);
    await killed.end('SIGKILL');
    await writeApp('worker', 'main', app);
    const next = await ready([], noDatabase);
    await next.says('shown-once');
    expect(await next.end('SIGTERM')).toBe(0);
    expect(existsSync(join(folder, 'data/first-start.json'))).toBe(false);
  });

  it('shows the credential too if it was killed while the setup program was giving it', async () => {
    await mkdir(join(folder, 'data'));
    const credential = { tokenUrl: 'http://t', clientId: 'first-client', clientSecret: 'shown-late', tenantApiUrl: 'http://a' };
    await writeFile(join(folder, 'data/setup-output.json'), JSON.stringify({ first: { ownerLink: 'http://owner', credential } }));
    await writeFile(join(folder, 'data/set-up'), 'by the start that was killed');
    const one = await ready([], noDatabase);
    await one.says('shown-late');
  });

  it('gives every app the same keys at every start, and the login that owns nothing', async () => {
    const first = await ready();
    const before = await environmentAt(portBase);
    await first.end('SIGTERM');
    await ready();
    const after = await environmentAt(portBase + 300);
    expect(after['SECRET_PEPPERS']).toBe(before['SECRET_PEPPERS']);
    expect(after['KEY_ENCRYPTION_KEYS']).toMatch(/^k1:[\w+/]{43}=$/);
    expect(new URL(after['DATABASE_URL']!).username).toBe('latchkey');
    expect(after['DATABASE_OWNER_URL']).toBeUndefined();
    expect(new URL(await readFile(join(folder, 'data/set-up'), 'utf8')).username).toBe('latchkey_owner');
    expect((await stat(join(folder, 'data/keys.json'))).mode & 0o777).toBe(0o600);
  });

  it('runs several authorities and repository APIs behind one port each', async () => {
    await ready(['--authorities', '2', '--repository-apis', '2'], noDatabase);
    expect((await recorded()).map(({ name }) => name).sort()).toEqual([
      'authority-1',
      'authority-2',
      'repository-api-1',
      'repository-api-2',
      'tenant-api',
      'worker',
    ]);
    expect((await environmentAt(portBase + 102))['NODE_NAME']).toBe('authority-2');
    expect((await environmentAt(portBase + 201))['NODE_NAME']).toBe('repository-api-1');
    const behindOne = new Set<string>();
    for (let tries = 0; tries < 200 && behindOne.size < 2; tries++) {
      const response = await fetch(`http://127.0.0.1:${portBase + 100}/`, { headers: { connection: 'close' } });
      behindOne.add(((await response.json()) as NodeJS.ProcessEnv)['NODE_NAME']!);
    }
    expect([...behindOne].sort()).toEqual(['authority-1', 'authority-2']);
  });

  it('uses the database of DATABASE_URL and starts none', async () => {
    await ready([], noDatabase);
    expect((await environmentAt(portBase))['DATABASE_URL']).toMatch(/^postgres:\/\/latchkey:[\w-]{32}@127\.0\.0\.1:5432\/latchkey$/);
    expect(existsSync(join(folder, 'data/postgres'))).toBe(false);
  });
});

describe('a stop', () => {
  it('comes with Ctrl-C once, although the terminal and npm both deliver it, and leaves nothing behind', async () => {
    const one = await ready();
    const processes = await recorded();
    one.process.kill('SIGINT');
    await one.says('Stopping');
    one.process.kill('SIGINT');
    one.process.kill('SIGTERM');
    expect(await one.end()).toBe(0);
    expect(one.output.match(/Stopping/g)).toHaveLength(1);
    expect(one.output).not.toContain('got SIGINT');
    for (const { pid } of processes) expect(existsSync(`/proc/${pid}`)).toBe(false);
    expect(existsSync(join(folder, 'data/postgres/cluster/postmaster.pid'))).toBe(false);
  });

  it('takes less than 10 s when an app hangs', async () => {
    const stopMillis: number[] = [];
    // A machine that stands still for two seconds does not do so three times.
    while (stopMillis.length < 3 && !stopMillis.some((millis) => millis < 10_000)) {
      const one = await ready([], noDatabase);
      await answers(portBase + 200, '/hang');
      const begun = Date.now();
      expect(await one.end('SIGTERM')).toBe(0);
      stopMillis.push(Date.now() - begun);
      expect(one.output).toContain('repository-api did not stop in time and was killed');
    }
    expect(Math.min(...stopMillis)).toBeLessThan(10_000);
  });

  it('during the start is obeyed too', async () => {
    const one = launch();
    await one.says('making the database');
    expect(await one.end('SIGTERM')).toBe(0);
    expect(existsSync(join(folder, 'data/postgres/cluster/postmaster.pid'))).toBe(false);
  });
});

describe('after a kill', () => {
  it('of an app, that app is started again', async () => {
    const one = await ready([], noDatabase);
    const before = (await recorded()).find(({ name }) => name === 'authority')!;
    process.kill(before.pid, 'SIGKILL');
    await one.says('authority ended (SIGKILL); starting it again\n');
    await one.says('authority serves again');
    expect(await answers(portBase + 100)).toBe(true);
    await answers(portBase + 100, '/die');
    await one.says('authority ended (exit code 7); starting it again in 1 s');
    await one.says(/serves again[^]*serves again/);
  });

  it('of PostgreSQL, it is started again where the apps look for it', async () => {
    const one = await ready();
    const { DATABASE_URL: url } = await environmentAt(portBase);
    const lines = (await readFile(join(folder, 'data/postgres/cluster/postmaster.pid'), 'utf8')).split('\n');
    process.kill(Number(lines[0]), 'SIGKILL');
    await one.says('PostgreSQL ended; starting it again');
    for (let tries = 0; tries < 600 && !(await listensAt(Number(new URL(url!).port))); tries++) await wait(50);
    expect(await listensAt(Number(new URL(url!).port))).toBe(true);
  });

  it('of the launcher, the apps stop by themselves', async () => {
    const one = await ready([], noDatabase);
    const processes = await recorded();
    await one.end('SIGKILL');
    for (let tries = 0; tries < 100 && (await Promise.all(processes.map(({ pid }) => runs(pid)))).includes(true); tries++) await wait(50);
    for (const { pid } of processes) expect(await runs(pid)).toBe(false);
  });

  it('of the launcher, the next start serves at once, on the same ports', async () => {
    const one = await ready();
    await one.end('SIGKILL');
    await ready();
    expect(await answers(portBase + 100)).toBe(true);
  });

  it('of the launcher, the next start waits for the port of an app that was not recorded yet', async () => {
    await mkdir(join(folder, 'data'));
    await writeFile(join(folder, 'data/processes.json'), '[]');
    const unrecorded = await listen(portBase);
    const one = launch([], noDatabase);
    await wait(2_000);
    expect(one.output).toBe('');
    unrecorded!.close();
    await one.says('Stop              Ctrl-C');
  });

  it('of the launcher, an app that hangs is removed by the next start, and a stranger with a recorded number is not', async () => {
    const one = await ready([], noDatabase);
    await answers(portBase + 200, '/hang');
    await one.end('SIGKILL');
    const stranger = spawn('sleep', ['60']);
    await once(stranger, 'spawn');
    const records = await recorded();
    await writeFile(
      join(folder, 'data/processes.json'),
      JSON.stringify([...records, { name: 'stranger', pid: stranger.pid, born: 'long ago' }]),
    );
    const next = await ready([], noDatabase);
    expect(next.output).toMatch(/waited for what an earlier start had left running: .*repository-api/);
    expect(stranger.exitCode ?? stranger.signalCode).toBeNull();
    stranger.kill();
  });
});

describe('one line says', () => {
  it.each([
    ['a wrong option', ['--prot-base', '1'], /^Unknown option '--prot-base'\. Known options: .*\n$/],
    [
      'a credentials file that cannot be written',
      ['--credentials-file', '/nowhere/c.json'],
      /^Cannot write \/nowhere\/c\.json \(its folder does not exist\): .*--credentials-file\.\n$/,
    ],
    ['a folder that cannot be written', ['--data-dir', '/dev/null/data'], /^Cannot write to \/dev\/null\/data: .*--data-dir\.\n$/],
  ])('%s, before anything is made', async (_, args, line) => {
    const one = launch(args);
    expect(await one.end()).toBe(1);
    expect(one.output).toMatch(line);
    expect(await readdir(folder)).toEqual(['apps', 'package.json']);
  });

  it('which ports are taken', async () => {
    const taken = await listen(portBase + 200);
    const one = launch();
    expect(await one.end()).toBe(1);
    expect(one.output).toBe(`Port ${portBase + 200} (repository API) is taken: stop what uses it, or choose others with --port-base N.\n`);
    taken!.close();
  });

  it('that another launcher serves from the folder', async () => {
    const one = await ready([], noDatabase);
    const second = launch([], noDatabase);
    expect(await second.end()).toBe(1);
    expect(second.output).toMatch(new RegExp(`^Latchkey already runs on .*/data \\(process ${one.process.pid}\\): stop it, or .*\n$`));
    expect(await answers(portBase)).toBe(true);
  });

  it('why an app does not start, while the secrets that exist by then are still shown', async () => {
    await writeApp('worker', 'main', 'throw new Error("no queue");');
    const one = launch([], noDatabase);
    expect(await one.end()).toBe(1);
    expect(one.output).toMatch(/worker does not start: Error: no queue \(see .*worker\.log\)\n$/);
    expect(one.output).toContain('shown-once');
  });

  it('why the setup failed', async () => {
    await writeApp('tenant-api', 'setup', 'console.error("The configuration is not valid"); process.exit(1);');
    const one = launch([], noDatabase);
    expect(await one.end()).toBe(1);
    expect(one.output).toMatch(/The database could not be set up \(The configuration is not valid\); see .*setup\.log\n$/);
  });

  it('that the keys of a database are gone', async () => {
    await (await ready()).end('SIGTERM');
    await rm(join(folder, 'data/keys.json'));
    const one = launch();
    expect(await one.end()).toBe(1);
    expect(one.output).toMatch(/keys\.json cannot be read: restore it from a backup, or start anew/);
  });

  it('what production needs', async () => {
    const one = launch([], { NODE_ENV: 'production' });
    expect(await one.end()).toBe(1);
    expect(one.output).toMatch(/^NODE_ENV=production runs neither .*: set DATABASE_URL, SECRET_PEPPERS, KEY_ENCRYPTION_KEYS\.\n$/);
  });

  it('that an app complains, and nothing when all is well', async () => {
    const one = await ready([], noDatabase);
    await answers(portBase, '/complain');
    await one.says('tenant-api: request failed\n');
    expect(one.output).not.toContain('fine');
    expect(await readFile(join(folder, 'data/logs/tenant-api.log'), 'utf8')).toContain('fine');
  });
});

async function listensAt(port: number): Promise<boolean> {
  // It does not try to listen there itself, as that would be in the way of whoever is about to.
  const socket = connect(port, '127.0.0.1');
  return await once(socket, 'connect')
    .then(() => true)
    .catch(() => false)
    .finally(() => socket.destroy());
}

async function runs(pid: number): Promise<boolean> {
  return existsSync(await readlink(`/proc/${pid}/exe`).catch(() => ''));
}
