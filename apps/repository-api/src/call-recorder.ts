import { setTimeout as wait } from 'node:timers/promises';
import type { Pool } from '@latchkey/database';

/** A call that has been answered. */
export interface AnsweredCall {
  repositoryId: string;
  /** The client, or the API key's id; empty for the Visitor. */
  credentialId: string;
  userId: number;
  status: number;
}

interface Counted extends Omit<AnsweredCall, 'status'> {
  hour: Date;
  calls: number;
  refused: number;
}

const flushMillis = 1_000;
const hourMillis = 3_600_000;
/** Different callers that wait to be written at most; further ones are not counted until these are. */
const waitingLimit = 10_000;

const statement = {
  name: 'record-calls',
  text: 'SELECT record_calls($1::uuid[], $2::timestamptz[], $3::text[], $4::integer[], $5::bigint[], $6::bigint[])',
};

/**
 * Counts calls by repository, credential, user and hour, and writes the counts down in batches, so that no request waits for
 * it. What a process had not written when it was killed is lost: at most the last second.
 */
export class CallRecorder {
  readonly #pool: Pool;
  readonly #onFault: (error: unknown) => void;
  readonly #timer: NodeJS.Timeout;
  #waiting = new Map<string, Counted>();
  #writing: Promise<void> = Promise.resolve();

  /** @param pool from `connectForChecks`. */
  constructor(pool: Pool, onFault: (error: unknown) => void) {
    this.#pool = pool;
    this.#onFault = onFault;
    this.#timer = setInterval(() => void this.flush(), flushMillis).unref();
  }

  record({ status, ...who }: AnsweredCall): void {
    const hour = Math.floor(Date.now() / hourMillis) * hourMillis;
    const name = `${who.repositoryId} ${who.credentialId} ${who.userId} ${hour}`;
    let counted = this.#waiting.get(name);
    if (!counted) {
      if (this.#waiting.size >= waitingLimit) return;
      counted = { ...who, hour: new Date(hour), calls: 0, refused: 0 };
      this.#waiting.set(name, counted);
    }
    counted.calls++;
    if (status >= 400) counted.refused++;
  }

  /** Writes what waits. Resolves when everything that was recorded before is written, or has failed to be. */
  async flush(): Promise<void> {
    this.#writing = this.#writing.then(() => this.#write());
    await this.#writing;
  }

  /** Writes what waits and stops; takes no longer than two seconds. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.race([this.flush(), wait(2_000, undefined, { ref: false })]);
  }

  async #write(): Promise<void> {
    if (this.#waiting.size === 0) return;
    const batch = [...this.#waiting.values()];
    this.#waiting = new Map();
    const column = <T>(pick: (call: Counted) => T) => batch.map(pick);
    const values = [
      column((call) => call.repositoryId),
      column((call) => call.hour),
      column((call) => call.credentialId),
      column((call) => call.userId),
      column((call) => call.calls),
      column((call) => call.refused),
    ];
    await this.#pool.query({ ...statement, values }).catch(this.#onFault);
  }
}
