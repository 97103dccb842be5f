import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { Client } from 'pg';
import { findBinaries, type Binaries } from './embedded/binaries.js';
import { inOneLine } from './embedded/fault.js';
import { PostmasterFault, run, startPostmaster, stopOrphan, type Postmaster } from './embedded/postmaster.js';
import { findRunner, type Runner } from './embedded/runner.js';

export { EmbeddedPostgresError } from './embedded/fault.js';

/** Where the embedded server keeps its files and how it behaves. */
export interface EmbeddedOptions {
  /** A folder of this server alone; the caller sees to it that two processes do not start it at the same time. */
  dataDir: string;
  /** The TCP port on loopback; a free one unless given. */
  port?: number;
  /** `false` skips every flush to disk: for tests, whose data may go with the machine. */
  durable?: boolean;
  log?: (line: string) => void;
}

/** A PostgreSQL that runs for as long as its launcher, or until it is stopped. */
export interface EmbeddedPostgres {
  /** Of the owner `latchkey_owner`, with its password, to the database `latchkey`. Never to be logged. */
  url: string;
  port: number;
  /** Resolves when the server is gone, asked or not. */
  exited: Promise<void>;
  /** Ends sessions, writes everything down and resolves when the server is gone; at once if it already is. */
  stop(): Promise<void>;
}

const owner = 'latchkey_owner';
const database = 'latchkey';

/**
 * Starts the PostgreSQL that comes with the npm packages, for trying and developing: it carries libraries that get no
 * more security fixes, so production brings its own by `DATABASE_URL`. It listens on loopback with a password only,
 * survives the launcher's Ctrl-C (it has its own process group) and stops by itself once the launcher has been killed
 * and the last client has left. A server that a killed launcher left in `dataDir` is stopped first.
 *
 * @throws EmbeddedPostgresError with one line that says what is wrong and what to do.
 */
export async function startEmbeddedPostgres(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const dataDir = resolve(options.dataDir);
  const log = options.log ?? (() => {});
  try {
    await mkdir(dataDir, { recursive: true, mode: 0o700 });
    const binaries = await findBinaries();
    const cluster = join(dataDir, 'cluster');
    if (await stopOrphan(cluster)) log('stopped the PostgreSQL that an earlier start had left running');
    const runner = await findRunner(binaries, dataDir);
    const password = await prepareCluster(dataDir, binaries, runner, log);
    const port = options.port ?? (await freePort());
    const postmaster = startPostmaster(runner, binaries.postgres, cluster, settings(port, options.durable ?? true));
    const url = (name: string) => `postgres://${owner}:${password}@127.0.0.1:${port}/${name}`;
    try {
      await becomeReady(postmaster);
      await makeDatabase(url('postgres'));
    } catch (error) {
      await postmaster.stop();
      throw error;
    }
    return { url: url(database), port, exited: postmaster.exited, stop: () => postmaster.stop() };
  } catch (error) {
    throw inOneLine(error, dataDir);
  }
}

/** Makes the cluster unless it is there; a half-made one of a killed start is never used. Returns the owner's password. */
async function prepareCluster(dataDir: string, binaries: Binaries, runner: Runner, log: (line: string) => void): Promise<string> {
  const passwordFile = join(dataDir, 'owner-password');
  const cluster = join(dataDir, 'cluster');
  const existing = await readFile(join(cluster, 'PG_VERSION'), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (existing !== undefined) return (await readFile(passwordFile, 'utf8')).trim();

  log('making the database (once)');
  const password = randomBytes(24).toString('base64url');
  const unfinished = join(dataDir, 'cluster.unfinished');
  await rm(unfinished, { recursive: true, force: true });
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600, flush: true });
  await runner.own(passwordFile);
  // The built-in provider sorts the same on every machine; the operating system's locales do not.
  const locale = '--encoding UTF8 --locale C --locale-provider builtin --builtin-locale C.UTF-8'.split(' ');
  const access = ['--username', owner, '--pwfile', passwordFile, '--auth', 'scram-sha-256'];
  await run(runner, binaries.initdb, ['--pgdata', unfinished, ...access, ...locale]);
  await rename(unfinished, cluster);
  return password;
}

function settings(port: number, durable: boolean): Record<string, string> {
  return {
    port: String(port),
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: '200',
    shared_buffers: '64MB',
    timezone: 'UTC',
    log_timezone: 'UTC',
    // A statement that fails may hold a password (CREATE ROLE), so statements are never written to the log.
    log_min_error_statement: 'panic',
    ...(durable ? {} : { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }),
  };
}

/** Waits until the server takes connections; recovery after a power cut may take its time. */
async function becomeReady(postmaster: Postmaster): Promise<void> {
  for (const deadline = Date.now() + 60_000; !(await postmaster.ready()); await new Promise((wake) => setTimeout(wake, 20))) {
    const fault = await postmaster.fault();
    if (fault !== undefined) throw new PostmasterFault(fault);
    if (Date.now() > deadline) throw new PostmasterFault('it was not ready within a minute');
  }
}

async function makeDatabase(url: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [database]);
    if (!rowCount) await client.query(`create database ${database}`);
  } finally {
    await client.end();
  }
}

function freePort(): Promise<number> {
  return new Promise((found, failed) => {
    const server = createServer();
    server.once('error', failed);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => found(port));
    });
  });
}
