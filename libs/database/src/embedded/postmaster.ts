import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { readdir, readFile, readlink, realpath, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { Runner } from './runner.js';

/** The server ended before it served; the message is what it wrote last. */
export class PostmasterFault extends Error {}

/** A server process that we started. */
export interface Postmaster {
  exited: Promise<void>;
  /** Fast shutdown; after some seconds without success an immediate one, from which the next start recovers. */
  stop(): Promise<void>;
  /** Whether it takes connections, as it says itself: on its port another server could be answering. */
  ready(): Promise<boolean>;
  /** Why the server has ended, in its own words; undefined while it runs. */
  fault(): Promise<string | undefined>;
}

/** Signals by PostgreSQL's names for what they do. */
const fastShutdown = 'SIGINT';
const immediateShutdown = 'SIGQUIT';
const patienceMillis = 6_000;

/** Runs a program of PostgreSQL to its end; its error output becomes the error's message. */
export async function run(runner: Runner, program: string, args: string[]): Promise<void> {
  const [command, ...rest] = [...runner.prefix, program, ...args];
  try {
    await promisify(execFile)(command!, rest, { cwd: '/', ...account(runner) });
  } catch (error) {
    const { stderr = '' } = error as { stderr?: string };
    throw new PostmasterFault(lastComplaint(stderr) ?? String(error), { cause: error });
  }
}

/** Starts the server on a cluster, in its own process group, with its output in `postgres.log` beside the cluster. */
export function startPostmaster(runner: Runner, program: string, cluster: string, settings: Record<string, string>): Postmaster {
  const logFile = join(dirname(cluster), 'postgres.log');
  const output = openSync(logFile, 'w', 0o600);
  const options = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const [command, ...rest] = [...runner.prefix, program, '-D', cluster, ...options];
  const child = spawn(command!, rest, { cwd: '/', stdio: ['ignore', output, output], detached: true, ...account(runner) });
  closeSync(output);
  const exited = once(child, 'exit').then(
    () => {},
    () => {}, // The program could not even be started: `fault` tells.
  );
  const gone = () => child.exitCode !== null || child.signalCode !== null || child.pid === undefined;
  return {
    exited,
    async stop() {
      if (gone()) return;
      child.kill(fastShutdown);
      const impatience = setTimeout(() => child.kill(immediateShutdown), patienceMillis);
      await exited;
      clearTimeout(impatience);
    },
    async ready() {
      const lines = (await readFile(join(cluster, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n');
      return lines[0] === String(child.pid) && lines[7]?.trim() === 'ready';
    },
    async fault() {
      if (!gone()) return undefined;
      return lastComplaint(await readFile(logFile, 'utf8')) ?? `it ended with ${child.signalCode ?? child.exitCode ?? 'no process'}`;
    },
  };
}

/**
 * Stops the server that still runs on this cluster although its launcher is gone, and removes its `postmaster.pid`.
 * The number in that file may long belong to another program, at which PostgreSQL would refuse to start, so what counts
 * is which PostgreSQL processes work in this very folder. Returns whether there were any.
 */
export async function stopOrphan(cluster: string): Promise<boolean> {
  const pidFile = join(cluster, 'postmaster.pid');
  const recorded = Number.parseInt(await readFile(pidFile, 'utf8').catch(() => ''), 10);
  let found = false;
  for (const start = Date.now(); ; await new Promise((wake) => setTimeout(wake, 50))) {
    const processes = await serversOf(cluster);
    if (processes.length === 0) break;
    const patient = Date.now() - start < patienceMillis;
    if (!found || !patient)
      processes.filter((pid) => !patient || pid === recorded).forEach((pid) => signal(pid, patient ? fastShutdown : immediateShutdown));
    found = true;
  }
  await rm(pidFile, { force: true });
  return found;
}

/** Numbers of the PostgreSQL processes that work in this folder: the server and its children. */
async function serversOf(cluster: string): Promise<number[]> {
  const folder = await realpath(cluster).catch(() => undefined);
  if (folder === undefined) return [];
  const worksThere = async (pid: string) => {
    const [program, cwd] = await Promise.all(['exe', 'cwd'].map((link) => readlink(`/proc/${pid}/${link}`).catch(() => '')));
    return cwd === folder && basename(program!).startsWith('postgres');
  };
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const there = await Promise.all(pids.map(worksThere));
  return pids.filter((_, index) => there[index]).map(Number);
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended meanwhile.
  }
}

/** The line that says why: the last FATAL, PANIC or error, without time stamp and process number. */
function lastComplaint(output: string): string | undefined {
  const complaints = output.split('\n').flatMap((line) => /(?:FATAL|PANIC|error|could not)\b:?\s+.*/i.exec(line)?.[0] ?? []);
  return complaints.at(-1);
}

function account({ uid, gid }: Runner): { uid?: number; gid?: number } {
  return uid === undefined || gid === undefined ? {} : { uid, gid };
}
