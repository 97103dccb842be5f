import { setTimeout as wait } from 'node:timers/promises';
import type { Pool } from '@latchkey/database';

/** One use of a credential that somebody proved to have, or to have had. */
export interface Use {
  repositoryId: string;
  /** A client ID, or the id of an API key. */
  credentialId: string;
  /** The secret version; of an API key its id again. */
  versionId: string;
  /** `replaced`: the secret had ended, and its holder had it nevertheless. */
  outcome: 'accepted' | 'replaced';
  /** The name that the caller declares, else its user agent. */
  consumer: string | undefined;
  address: string | undefined;
}

interface Counted extends Use {
  consumer: string;
  address: string;
  count: number;
  first: Date;
  last: Date;
}

const flushMillis = 1_000;
/** Different uses that wait to be written at most; further ones are only counted on those that wait. */
const waitingLimit = 10_000;
const textLimit = 200;

const statement = {
  name: 'record-uses',
  text: `SELECT record_uses($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::timestamptz[], $9::timestamptz[])`,
};

/**
 * Remembers who uses which credential and writes it down in batches, so that no request waits for it. Only uses by someone
 * who has proved to have the credential are recorded, so strangers cannot fill anything.
 *
 * What a process had not written when it was killed is lost: at most the last second of counts, never a change.
 */
export class UseRecorder {
  readonly #pool: Pool;
  readonly #onFault: (error: unknown) => void;
  #waiting = new Map<string, Counted>();
  readonly #timer: NodeJS.Timeout;
  #writing: Promise<void> = Promise.resolve();

  /** @param pool from `connectForChecks`. */
  constructor(pool: Pool, onFault: (error: unknown) => void) {
    this.#pool = pool;
    this.#onFault = onFault;
    this.#timer = setInterval(() => void this.flush(), flushMillis).unref();
  }

  record(use: Use): void {
    const consumer = shown(use.consumer);
    const address = shown(use.address);
    const name = [use.repositoryId, use.credentialId, use.versionId, use.outcome, consumer, address].join('\n');
    const now = new Date();
    const known = this.#waiting.get(name);
    if (known) {
      known.count++;
      known.last = now;
    } else if (this.#waiting.size < waitingLimit) {
      this.#waiting.set(name, { ...use, consumer, address, count: 1, first: now, last: now });
    }
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
    const column = <T>(pick: (use: Counted) => T) => batch.map(pick);
    try {
      await this.#pool.query({
        ...statement,
        values: [
          column((use) => use.repositoryId),
          column((use) => use.credentialId),
          column((use) => use.versionId),
          column((use) => use.outcome),
          column((use) => use.consumer),
          column((use) => use.address),
          column((use) => use.count),
          column((use) => use.first),
          column((use) => use.last),
        ],
      });
    } catch (error) {
      this.#onFault(error);
    }
  }
}

/** What a caller says of itself, without what PostgreSQL or a page could not show. */
function shown(text: string | undefined): string {
  return (
    (text ?? '')
      .toWellFormed()
      .replace(/\p{Cc}/gu, ' ')
      .trim()
      .slice(0, textLimit) || 'unknown'
  );
}

/** How a caller names itself: the header `Latchkey-Consumer`, else its user agent. */
export function consumerOf(headers: Record<string, string | string[] | undefined>): string | undefined {
  const one = (value: string | string[] | undefined) => (Array.isArray(value) ? value[0] : value);
  return one(headers['latchkey-consumer']) ?? one(headers['user-agent']);
}
