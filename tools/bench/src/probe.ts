import { readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** What a process says of itself. */
export interface Probed {
  /** Bytes. */
  rss: number;
  heapUsed: number;
  /** How late its event loop was, since it was last asked. */
  delay: Delay;
  /** Of that, what its own work can have made: never more than the processor time it used in the same tick. A wait for a disk is not in it. */
  ownDelay: Delay;
}

export interface Delay {
  /** A hundred values, each as frequent as the others. */
  millis: number[];
  mostMillis: number;
}

export const probeFile = (pid: number) => join(tmpdir(), `latchkey-probe-${pid}.json`);

/** What comes before a program that is to be asked. */
export const probeArguments = ['--import', fileURLToPath(new URL('variants/probe.js', import.meta.url))];

/** @throws when the process does not answer within ten seconds. */
export async function probe(pid: number): Promise<Probed> {
  await rm(probeFile(pid), { force: true });
  process.kill(pid, 'SIGUSR2');
  for (const deadline = performance.now() + 10_000; performance.now() < deadline; await wait(20)) {
    const text = await readFile(probeFile(pid), 'utf8').catch(() => '');
    if (!text.endsWith('}')) continue;
    await rm(probeFile(pid), { force: true });
    return JSON.parse(text) as Probed;
  }
  throw new Error(`the process ${pid} does not say what it holds`);
}
