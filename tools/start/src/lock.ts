import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { Complaint } from './complaint.js';

/** Holds a data folder for this launcher until it ends, however it ends. */
export interface Lock {
  /** Makes a launcher that comes now wait for our end, instead of giving up. */
  announceStop(): void;
  release(): void;
}

/** A launcher that is stopping is gone within 10 s; one that serves will not go away. */
const patienceMillis = { serving: 1_000, stopping: 15_000 };

/**
 * Takes the folder by listening on a local socket named after it: the kernel gives the name free the moment its holder
 * is dead, so there is no stale lock to judge.
 *
 * @param folder its real path, so that two names of one folder are one lock.
 * @throws Complaint when another launcher serves from it.
 */
export async function lockFolder(folder: string): Promise<Lock> {
  const address = socketAddress(folder);
  const started = Date.now();
  for (;;) {
    let stopping = false;
    const server = createServer((visitor) => {
      visitor.on('error', () => {});
      visitor.end(JSON.stringify({ pid: process.pid, stopping }));
    });
    if (await listens(server, address)) {
      server.unref();
      return { announceStop: () => void (stopping = true), release: () => void server.close() };
    }
    const holder = await ask(address);
    const patience = holder?.stopping ? patienceMillis.stopping : patienceMillis.serving;
    if (Date.now() - started > patience) {
      const who = holder ? ` (process ${holder.pid})` : '';
      throw new Complaint(
        `Latchkey already runs on ${folder}${who}: stop it, or choose another folder with --data-dir and other ports with --port-base.`,
      );
    }
    if (holder === undefined && address.startsWith('/')) await rm(address, { force: true });
    await new Promise((wake) => setTimeout(wake, 100));
  }
}

/** Linux and Windows have names for sockets that are not files; elsewhere a dead holder's file is removed. */
function socketAddress(folder: string): string {
  const name = `latchkey-${createHash('sha256').update(folder).digest('hex').slice(0, 32)}`;
  if (process.platform === 'linux') return `\0${name}`;
  return process.platform === 'win32' ? `\\\\.\\pipe\\${name}` : join(tmpdir(), name);
}

async function listens(server: Server, address: string): Promise<boolean> {
  try {
    await once(server.listen(address), 'listening');
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return false;
    throw error;
  }
}

async function ask(address: string): Promise<{ pid: number; stopping: boolean } | undefined> {
  const visitor = connect(address).setTimeout(1_000, () => visitor.destroy());
  try {
    return JSON.parse(await text(visitor)) as { pid: number; stopping: boolean };
  } catch {
    return undefined;
  }
}
