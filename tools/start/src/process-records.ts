import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';

/** A process that this folder's launcher has started, so that the next launcher finds it if this one is killed. */
interface Recorded {
  name: string;
  pid: number;
  /** Tells the process from a later one that got the same number. */
  born: string;
}

/** A process told to end, by its launcher's death or by us, has this long before it is killed. */
const patienceMillis = { byItself: 4_000, onRequest: 6_000 };

/** The processes of one data folder, kept in a file for as long as its launcher runs. */
export class ProcessRecords {
  /** Whether the launcher before this one was killed: it may have left more than it could record. */
  readonly afterKill: boolean;
  readonly #file: string;
  #processes: Recorded[];

  constructor(file: string) {
    this.#file = file;
    this.afterKill = existsSync(file);
    this.#processes = read(file);
  }

  add(name: string, pid: number): void {
    const born = birthOf(pid);
    if (born === undefined) return; // Gone already, or a system that cannot tell: nothing that could be verified later.
    this.#processes.push({ name, pid, born });
    this.#tryToWrite();
  }

  remove(pid: number): void {
    this.#processes = this.#processes.filter((process) => process.pid !== pid);
    this.#tryToWrite();
  }

  /**
   * Waits for what a killed launcher left behind. Our processes end by themselves when their launcher is gone; one that
   * hangs is told to, and at last killed. A number that now belongs to another process is never signalled.
   *
   * @returns the names of those that were still there.
   * @throws what the file system says when the record cannot be kept.
   */
  async endLeftovers(): Promise<string[]> {
    const living = () => this.#processes.filter(({ pid, born }) => birthOf(pid) === born);
    const found = living().map(({ name }) => name);
    const start = Date.now();
    const told = new Set<number>();
    while (living().length > 0) {
      const waited = Date.now() - start;
      for (const { pid } of living()) {
        if (waited > patienceMillis.byItself + patienceMillis.onRequest) signal(pid, 'SIGKILL');
        else if (waited > patienceMillis.byItself && !told.has(pid)) {
          told.add(pid);
          signal(pid, 'SIGTERM');
        }
      }
      await wait(50);
    }
    this.#processes = [];
    this.#write();
    return found;
  }

  /** Everything has ended in order, and there is nothing that the next launcher should look for. */
  close(): void {
    rmSync(this.#file, { force: true });
  }

  /** A disk that fills up while we run is no reason to leave the apps alone; they also notice our end by themselves. */
  #tryToWrite(): void {
    try {
      this.#write();
    } catch {
      // The next change tries again.
    }
  }

  #write(): void {
    writeFileSync(`${this.#file}.new`, JSON.stringify(this.#processes), { mode: 0o600 });
    renameSync(`${this.#file}.new`, this.#file);
  }
}

function read(file: string): Recorded[] {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Recorded[];
  } catch {
    return []; // No earlier start, or one that was cut off while the disk was full.
  }
}

/** When the process began, with the boot it belongs to. Undefined for one that has ended, and where there is no /proc. */
function birthOf(pid: number): string | undefined {
  try {
    // The program's name comes in brackets and may hold anything; the fields are counted behind it.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ');
    const [state, ticks] = [fields[0], fields[19]];
    const ended = state === 'Z' || state === 'X';
    return ended ? undefined : `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${ticks}`;
  } catch {
    return undefined;
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended meanwhile.
  }
}
