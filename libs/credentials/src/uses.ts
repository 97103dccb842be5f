import type { Pool } from '@latchkey/database';
import { Tally } from '@latchkey/runtime';

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

const textLimit = 200;

const statement = {
  name: 'record-uses',
  text: `SELECT record_uses($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::timestamptz[], $9::timestamptz[])`,
};

/**
 * Remembers who uses which credential and writes it down in batches. Only uses by someone who has proved to have the credential
 * are recorded, so strangers cannot fill anything.
 */
export class UseRecorder {
  readonly #tally: Tally<Counted>;

  /** @param pool from `connectForChecks`. */
  constructor(pool: Pool, onFault: (error: unknown) => void) {
    this.#tally = new Tally((batch) => pool.query({ ...statement, values: columns(batch) }), onFault);
  }

  record(use: Use): void {
    const [consumer, address] = [shown(use.consumer), shown(use.address)];
    const name = [use.repositoryId, use.credentialId, use.versionId, use.outcome, consumer, address].join('\n');
    const now = new Date();
    this.#tally.count(
      name,
      () => ({ ...use, consumer, address, count: 0, first: now, last: now }),
      (known) => {
        known.count++;
        known.last = now;
      },
    );
  }

  /** As `Tally.flush`. */
  flush(): Promise<void> {
    return this.#tally.flush();
  }

  /** As `Tally.close`. */
  close(): Promise<void> {
    return this.#tally.close();
  }
}

function columns(batch: Counted[]): unknown[][] {
  const names = ['repositoryId', 'credentialId', 'versionId', 'outcome', 'consumer', 'address', 'count', 'first', 'last'] as const;
  return names.map((name) => batch.map((use) => use[name]));
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
