import { execFile, execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { promisify } from 'node:util';

/** Where servers run, and where everything else does: the load, PostgreSQL. */
export const processors = { server: 0, load: 1 };

/** Servers to one processor, everything else to the other. */
export const processorOf = (name: string) => (/^(authority|repository-api)/.test(name) ? processors.server : processors.load);

/** Whether processes can be pinned here: two processors and `taskset`. */
export const canPin = cpus().length > 1 && hasTaskset();

function hasTaskset(): boolean {
  try {
    execFileSync('taskset', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Pins a running process and its threads. */
export async function pin(pid: number, processor: number): Promise<void> {
  if (canPin) await promisify(execFile)('taskset', ['--all-tasks', '--pid', '--cpu-list', String(processor), String(pid)]);
}

/** Processor time that a process has used, in microseconds; undefined where there is no /proc. */
export function processorMicros(pid: number | undefined): number | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ');
    const [user, system] = [fields[11], fields[12]].map(Number) as [number, number];
    return (user + system) * 10_000; // Ticks of a hundredth of a second.
  } catch {
    return undefined;
  }
}

/**
 * Tells, each time it is called, which share of the processor time that was wanted since the last time the host gave this
 * machine, and not another (`steal` in proc_stat(5)): of the processor that got least. 1 where nothing was wanted, or nobody tells.
 */
export function givenShareMeter(read = () => readFileSync('/proc/stat', 'utf8')): () => number {
  let before = processorTimes(read);
  return () => {
    const now = processorTimes(read);
    const shares = now.map(({ used, stolen }, processor) => {
      const [got, lost] = [used - (before[processor]?.used ?? used), stolen - (before[processor]?.stolen ?? stolen)];
      return got + lost > 0 ? got / (got + lost) : 1;
    });
    before = now;
    return Math.min(1, ...shares);
  };
}

/** Of each processor, in ticks since the start. */
function processorTimes(read: () => string): { used: number; stolen: number }[] {
  try {
    return [...read().matchAll(/^cpu\d+ (.+)$/gm)].map(([, line]) => {
      const [user, nice, system, , , interrupt, softInterrupt, stolen] = line!.split(' ').map(Number) as number[];
      return { used: user! + nice! + system! + interrupt! + softInterrupt!, stolen: stolen! };
    });
  } catch {
    return [];
  }
}

/** For the reader of a table: what it was measured on. */
export function describeMachine(): string {
  const [first] = cpus();
  return `${cpus().length} × ${first?.model.trim() ?? 'unknown processor'}, ${process.platform} ${process.arch}, Node ${process.version}${canPin ? `; for loads, servers pinned to processor ${processors.server}, load and PostgreSQL to ${processors.load}` : ', nothing pinned'}`;
}
