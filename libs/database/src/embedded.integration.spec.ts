import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import pg from 'pg';
import { Database } from './database.js';
import { startEmbeddedPostgres } from './embedded.js';

let folder: string;
let dataDir: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'latchkey-embedded-'));
  dataDir = join(folder, 'postgres');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function query<T>(url: string, statement: string): Promise<T[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(statement)).rows as T[];
  } finally {
    await client.end();
  }
}

/** Starts the server from a process of its own, which can be killed. Resolves with what it reports. */
async function launch(environment: NodeJS.ProcessEnv = {}): Promise<{ launcher: ChildProcess; url?: string; error?: string }> {
  const program = `
    import { startEmbeddedPostgres } from ${JSON.stringify(new URL('./embedded.js', import.meta.url).href)};
    startEmbeddedPostgres({ dataDir: ${JSON.stringify(dataDir)} }).then(
      ({ url }) => { console.log(JSON.stringify({ url })); setInterval(() => {}, 1000); },
      (error) => console.log(JSON.stringify({ error: error.message })));`;
  const launcher = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...environment },
  });
  const [line] = (await once(createInterface({ input: launcher.stdout }), 'line')) as [string];
  return { launcher, ...(JSON.parse(line) as object) };
}

async function kill(launcher: ChildProcess): Promise<void> {
  const exited = once(launcher, 'exit');
  launcher.kill('SIGKILL');
  await exited;
}

/** A folder with programs of these names, each failing, to be found before the real ones. */
async function withBroken(...names: string[]): Promise<string> {
  const bin = join(folder, 'bin');
  await mkdir(bin);
  for (const name of names) {
    await writeFile(join(bin, name), '#!/bin/sh\nexit 1\n');
    await chmod(join(bin, name), 0o755);
  }
  return `${bin}${delimiter}${process.env['PATH']}`;
}

const postmasterPid = async () => Number.parseInt(await readFile(join(dataDir, 'cluster/postmaster.pid'), 'utf8'), 10);
const runs = async (pid: number) => existsSync(await readlink(`/proc/${pid}/exe`).catch(() => ''));

describe('the embedded PostgreSQL', () => {
  it('keeps what was committed from one start to the next, in UTF-8 and UTC, on any machine', async () => {
    const first = await startEmbeddedPostgres({ dataDir });
    expect(first.url).toMatch(/^postgres:\/\/latchkey_owner:[\w-]{32}@127\.0\.0\.1:\d+\/latchkey$/);
    await query(first.url, `create table kept as select 'é'::text as word`);
    await first.stop();
    await first.exited;

    const second = await startEmbeddedPostgres({ dataDir });
    expect(
      await query(second.url, `select word, current_setting('server_encoding') as encoding, current_setting('TimeZone') as zone from kept`),
    ).toEqual([{ word: 'é', encoding: 'UTF8', zone: 'UTC' }]);
    await second.stop();
  });

  it('lets nobody in without the password, which only its account can read', async () => {
    const server = await startEmbeddedPostgres({ dataDir });
    const wrong = new URL(server.url);
    wrong.password = 'guess';
    await expect(query(wrong.href, 'select 1')).rejects.toThrow(/password authentication failed/);
    expect((await stat(join(dataDir, 'owner-password'))).mode & 0o777).toBe(0o600);
    expect((await stat(dataDir)).mode & 0o777).toBe(0o700);
    await server.stop();
  });

  it('never writes a failed statement to its log, since it may hold a password', async () => {
    const server = await startEmbeddedPostgres({ dataDir });
    await expect(query(server.url, `create role latchkey_owner login password 'planted-secret'`)).rejects.toThrow(/already exists/);
    await server.stop();
    const log = await readFile(join(dataDir, 'postgres.log'), 'utf8');
    expect(log).toContain('already exists');
    expect(log).not.toContain('planted-secret');
  });

  it('stops by itself when its launcher was killed and the last client has left', async () => {
    const { launcher, url } = await launch();
    const pid = await postmasterPid();
    const client = new pg.Client({ connectionString: url! });
    await client.connect();
    await kill(launcher);
    await new Promise((wake) => setTimeout(wake, 300));
    expect((await client.query('select 1 as served')).rows).toEqual([{ served: 1 }]);
    await client.end();
    for (let tries = 0; tries < 600 && (await runs(pid)); tries++) await new Promise((wake) => setTimeout(wake, 50));
    expect(await runs(pid)).toBe(false);
  });

  it('starts although a killed launcher left a server that does not stop by itself', async () => {
    const { launcher, url } = await launch({ PATH: await withBroken('setpriv') });
    await query(url!, 'create table kept (id int)');
    const orphan = await postmasterPid();
    await kill(launcher);
    expect(await runs(orphan)).toBe(true);

    const said: string[] = [];
    const server = await startEmbeddedPostgres({ dataDir, log: (line) => said.push(line) });
    expect(said).toEqual(['stopped the PostgreSQL that an earlier start had left running']);
    expect(await runs(orphan)).toBe(false);
    expect(await query(server.url, 'select * from kept')).toEqual([]);
    await server.stop();
  });

  it('leaves a process alone that has got the number of a server long gone', async () => {
    await (await startEmbeddedPostgres({ dataDir })).stop();
    const bystander = spawn('sleep', ['60'], { cwd: join(dataDir, 'cluster') });
    await once(bystander, 'spawn');
    await writeFile(
      join(dataDir, 'cluster/postmaster.pid'),
      `${bystander.pid}\n${join(dataDir, 'cluster')}\n1\n5432\n\n127.0.0.1\n1 1\nready\n`,
      { mode: 0o600 },
    );
    const server = await startEmbeddedPostgres({ dataDir });
    expect(bystander.exitCode ?? bystander.signalCode).toBeNull();
    await server.stop();
    bystander.kill();
  });

  it('makes the database anew when the first start was killed half-way', async () => {
    await mkdir(join(dataDir, 'cluster.unfinished/base'), { recursive: true });
    const server = await startEmbeddedPostgres({ dataDir });
    expect(await query(server.url, 'select 1 as one')).toEqual([{ one: 1 }]);
    await server.stop();
  });

  it('says in one line that the folder cannot be written', async () => {
    await writeFile(join(folder, 'file'), '');
    await expect(startEmbeddedPostgres({ dataDir: join(folder, 'file/postgres') })).rejects.toMatchObject({
      name: 'EmbeddedPostgresError',
      message: expect.stringMatching(/^Cannot write to .*--data-dir\.$/) as string,
    });
  });

  it('says in one line that the kept password does not fit', async () => {
    await (await startEmbeddedPostgres({ dataDir })).stop();
    await writeFile(join(dataDir, 'owner-password'), 'another\n');
    await expect(startEmbeddedPostgres({ dataDir })).rejects.toThrow(
      /^The database in .* refuses the password kept beside it: .*owner-password/,
    );
  });

  it('says in one line that its port is taken', async () => {
    const first = await startEmbeddedPostgres({ dataDir });
    await expect(startEmbeddedPostgres({ dataDir: join(folder, 'second'), port: first.port })).rejects.toThrow(
      /^The embedded PostgreSQL in .* did not start \(.*DATABASE_URL/,
    );
    await first.stop();
  });

  const asRoot = process.getuid?.() === 0 ? it : it.skip;
  asRoot('names DATABASE_URL where root may neither make a namespace nor reach the files as nobody', async () => {
    await chmod(folder, 0o700);
    const path = await withBroken('unshare');
    const { launcher, error } = await launch({ PATH: path });
    expect(error).toMatch(/^PostgreSQL does not run as root, and this machine allows no user namespaces: .*DATABASE_URL/);
    if (launcher.exitCode === null) await once(launcher, 'exit');
  });
});

describe('a database', () => {
  it('is reached when the primary answers, and not when a replica does', async () => {
    const primary = await startEmbeddedPostgres({ dataDir, durable: false });
    await query(primary.url, 'CREATE ROLE latchkey_app; CREATE ROLE latchkey_system;');
    const database = await Database.connect({ url: primary.url });
    await database.ping();
    await database.close();
    await primary.stop();
    // What starts with this file follows another server, though here there is none to follow.
    await writeFile(join(dataDir, 'cluster/standby.signal'), '');
    const replica = await startEmbeddedPostgres({ dataDir, durable: false });
    const late = await Database.connect({ url: replica.url });
    await expect(late.ping()).rejects.toThrow('DATABASE_URL leads to a replica');
    await late.close();
    await replica.stop();
  });
});
