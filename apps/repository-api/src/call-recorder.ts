import type { Pool } from '@latchkey/database';
import { Tally } from '@latchkey/runtime';

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

const hourMillis = 3_600_000;

const statement = {
  name: 'record-calls',
  text: 'SELECT record_calls($1::uuid[], $2::timestamptz[], $3::text[], $4::integer[], $5::bigint[], $6::bigint[])',
};

/** Counts calls by repository, credential, user and hour, and writes the counts down in batches. */
export class CallRecorder {
  readonly #tally: Tally<Counted>;

  /** @param pool from `connectForChecks`. */
  constructor(pool: Pool, onFault: (error: unknown) => void) {
    this.#tally = new Tally((batch) => pool.query({ ...statement, values: columns(batch) }), onFault);
  }

  record({ status, ...who }: AnsweredCall): void {
    const hour = Math.floor(Date.now() / hourMillis) * hourMillis;
    this.#tally.count(
      `${who.repositoryId} ${who.credentialId} ${who.userId} ${hour}`,
      () => ({ ...who, hour: new Date(hour), calls: 0, refused: 0 }),
      (counted) => {
        counted.calls++;
        if (status >= 400) counted.refused++;
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
  const names = ['repositoryId', 'hour', 'credentialId', 'userId', 'calls', 'refused'] as const;
  return names.map((name) => batch.map((call) => call[name]));
}
