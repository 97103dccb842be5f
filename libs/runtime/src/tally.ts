import { setTimeout as wait } from 'node:timers/promises';

const flushMillis = 1_000;
const closeMillis = 2_000;
/** Different things that wait to be written at most; further ones are not counted until these are. */
const waitingLimit = 10_000;

/**
 * Counts in memory and writes the counts down in batches, every second, so that no request waits for it. What a process had not
 * written when it was killed is lost: at most the last second of counts, never a change.
 */
export class Tally<Counted> {
  readonly #write: (batch: Counted[]) => Promise<unknown>;
  readonly #onFault: (error: unknown) => void;
  readonly #timer: NodeJS.Timeout;
  #waiting = new Map<string, Counted>();
  #writing: Promise<void> = Promise.resolve();

  /** @param write writes one batch; what it throws goes to `onFault`, and the batch is lost. */
  constructor(write: (batch: Counted[]) => Promise<unknown>, onFault: (error: unknown) => void) {
    this.#write = write;
    this.#onFault = onFault;
    this.#timer = setInterval(() => void this.flush(), flushMillis).unref();
  }

  /** Adds to what is counted under a name, which `begin` makes if nothing of that name waits. */
  count(name: string, begin: () => Counted, add: (counted: Counted) => void): void {
    let counted = this.#waiting.get(name);
    if (!counted) {
      if (this.#waiting.size >= waitingLimit) return;
      counted = begin();
      this.#waiting.set(name, counted);
    }
    add(counted);
  }

  /** Writes what waits. Resolves when everything that was counted before is written, or has failed to be. */
  async flush(): Promise<void> {
    this.#writing = this.#writing.then(async () => {
      if (this.#waiting.size === 0) return;
      const batch = [...this.#waiting.values()];
      this.#waiting = new Map();
      await this.#write(batch).catch(this.#onFault);
    });
    await this.#writing;
  }

  /** Writes what waits and stops; takes no longer than two seconds. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.race([this.flush(), wait(closeMillis, undefined, { ref: false })]);
  }
}
