import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isFree } from '@latchkey/start/testing';

const launcher = fileURLToPath(new URL('../../tools/start/dist/main.js', import.meta.url));

/** A first start reaches its banner well within this, also on a busy machine. */
const startMillis = 90_000;
const stopMillis = 15_000;

/** Where a product that runs is found, and what it printed at its first start. */
export interface RunningProduct {
  portBase: number;
  dataDir: string;
  tenantApiUrl: string;
  authorityUrl: (slug: string) => string;
  repositoryUrl: (slug: string) => string;
  credential: Credential;
  /** Opens the form in which the first owner makes an account; printed at the first start only. */
  ownerLink: string;
}

/** The product as `npm start` runs it: every app as a process of its own, on an embedded PostgreSQL. */
export interface Product extends RunningProduct {
  /** What the launcher has printed so far. */
  output: () => string;
  process: ChildProcess;
  /** Stops it as Ctrl-C would. @returns the exit code. */
  stop: () => Promise<number | null>;
  /** Removes what it kept. */
  clean: () => Promise<void>;
}

export interface Credential {
  tokenUrl: string;
  clientId: string;
  clientSecret: string;
  tenantApiUrl: string;
}

export interface StartOptions {
  /** Start again what an earlier start left there. */
  dataDir?: string;
  portBase?: number;
  arguments?: string[];
  environment?: Record<string, string>;
}

/** Starts the product and waits for its banner. @throws with everything it printed when it does not come. */
export async function startProduct({ dataDir, portBase, arguments: more = [], environment = {} }: StartOptions = {}): Promise<Product> {
  const dir = dataDir ?? (await mkdtemp(join(tmpdir(), 'latchkey-e2e-')));
  const base = portBase ?? (await freePortBase());
  const credentialsFile = join(dir, 'first-credential.json');
  const child = spawn(
    process.execPath,
    [launcher, '--port-base', String(base), '--data-dir', dir, '--credentials-file', credentialsFile, ...more],
    {
      // By the channel it ends when we do.
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: { ...process.env, ...environment },
    },
  );
  child.channel?.unref();
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => void (output += chunk.toString()));
  // What is shown once comes last, and only the first time.
  await bannerOf(child, () => output, dataDir === undefined ? /Client secret\s+\S+\n/ : /Latchkey is ready/i);
  const credential = JSON.parse(await readFile(credentialsFile, 'utf8')) as Credential;
  return {
    ...running({ portBase: base, dataDir: dir, credential, ownerLink: /http\S+\/invitation\/\w+/.exec(output)?.[0] ?? '' }),
    output: () => output,
    process: child,
    stop: () => stop(child),
    // Whoever was told to end at once may still write.
    clean: () => rm(dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 200 }),
  };
}

/** Says where a product listens that was started with these. */
export function running(known: Pick<RunningProduct, 'portBase' | 'dataDir' | 'credential' | 'ownerLink'>): RunningProduct {
  const at = (offset: number) => `http://localhost:${known.portBase + offset}`;
  return {
    ...known,
    tenantApiUrl: at(0),
    authorityUrl: (slug) => `${at(100)}/${slug}`,
    repositoryUrl: (slug) => `${at(200)}/${slug}`,
  };
}

async function bannerOf(child: ChildProcess, output: () => string, last: RegExp): Promise<void> {
  const deadline = Date.now() + startMillis;
  while (!last.test(output())) {
    if (child.exitCode !== null) throw new Error(`the product ended with ${child.exitCode}:\n${output()}`);
    if (Date.now() > deadline) {
      child.kill('SIGKILL');
      throw new Error(`no banner within ${startMillis} ms:\n${output()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function stop(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), stopMillis);
  const code = await ended;
  clearTimeout(timer);
  return code;
}

/**
 * A base at which the ports that the product takes are free now, and below those that the system gives to outgoing connections
 * (from 32768): one of those can be taken between this look and the start. Another file's product, which is started at the same
 * time, finds it taken: a port of it that no app listens on is held until the files have been run. Two bases share no port.
 */
export async function freePortBase(): Promise<number> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const base = 20_000 + Math.floor(Math.random() * 30) * 400;
    const offsets = [0, 100, 101, 102, 200, 201, 202, 300];
    const free = await Promise.all(offsets.map((offset) => isFree(base + offset)));
    if (free.every(Boolean) && (await hold(base + 99))) return base;
  }
  throw new Error('found no free ports');
}

function hold(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer().unref();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => resolve(true));
  });
}
