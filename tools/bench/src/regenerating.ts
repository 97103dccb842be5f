import pg from 'pg';
import type { Installation } from '@latchkey/chaos/installation';
import type { BenchRepository, Customer } from './customer.js';
import type { Rounds } from './rounds.js';
import { quantile } from './statistics.js';

const turnsOfARound = 60;

/** Times in milliseconds. */
export interface Regenerating {
  /** Rows that one regeneration writes, indexes and the note of its time aside. */
  rows: { inserted: number; updated: number };
  regenerate: { p50: number; p99: number };
  transaction: { p50: number; p99: number };
}

/** Times a regeneration by its caller, beside a bare transaction that writes as many rows, by turns. */
export async function measureRegenerating(
  installation: Installation,
  customer: Customer,
  repository: BenchRepository,
  rounds: Rounds,
): Promise<Regenerating> {
  const database = new pg.Client({ connectionString: installation.postgres.ownerUrl, options: '-c search_path=latchkey' });
  await database.connect();
  try {
    const rows = await countRows(database, () => customer.regenerate(repository));
    const transaction = await prepareTransaction(database, rows);
    for (let i = 0; i < 20; i++) await Promise.all([customer.regenerate(repository), transaction()]);
    const times = await rounds.alternately({ regenerate: () => customer.regenerate(repository), transaction }, turnsOfARound);
    const quantiles = (sample: number[]) => ({ p50: quantile(sample, 0.5), p99: quantile(sample, 0.99) });
    return { rows, regenerate: quantiles(times.regenerate), transaction: quantiles(times.transaction) };
  } finally {
    await database.end();
  }
}

/**
 * How many rows a regeneration writes: those that carry its transaction's number, and the cut-off, which notes its time in a
 * second transaction. What the relay and the nodes do about it later is their own affair.
 */
async function countRows(database: pg.Client, act: () => Promise<unknown>): Promise<{ inserted: number; updated: number }> {
  await act();
  const { rows } = await database.query<{ versions: number; others: number }>(`
    WITH own AS (SELECT xmin::text AS number FROM secret_versions ORDER BY created_at DESC LIMIT 1)
    SELECT (SELECT count(*) FROM secret_versions, own WHERE xmin::text = number)::int AS versions,
      (SELECT count(*) FROM audit_events, own WHERE xmin::text = number)::int
      + (SELECT count(*) FROM outbox, own WHERE xmin::text = number)::int AS others`);
  const { versions = 2, others = 1 } = rows[0] ?? {};
  const [newVersion, cutOff, noteOfItsTime] = [1, 1, 1];
  return { inserted: newVersion + cutOff + others, updated: versions - newVersion + noteOfItsTime };
}

/** A transaction with one statement for the new rows and one for the changed ones, in a table like those of the product. */
async function prepareTransaction(database: pg.Client, rows: { inserted: number; updated: number }): Promise<() => Promise<number>> {
  await database.query(`
    CREATE TABLE bench_rows (repository_id uuid, id uuid DEFAULT gen_random_uuid(), body jsonb, ended_at timestamptz, PRIMARY KEY (repository_id, id));
    INSERT INTO bench_rows SELECT '00000000-0000-7000-8000-000000000000', gen_random_uuid(), '{}' FROM generate_series(1, 20)`);
  const body = JSON.stringify({ action: 'secret.regenerated', details: { text: 'x'.repeat(200) } });
  return async () => {
    const begun = performance.now();
    await database.query('BEGIN');
    await database.query({
      name: 'insert',
      text: `INSERT INTO bench_rows (repository_id, body) SELECT '00000000-0000-7000-8000-000000000001', $2 FROM generate_series(1, $1::int)`,
      values: [rows.inserted, body],
    });
    await database.query({
      name: 'update',
      text: `UPDATE bench_rows SET ended_at = now() WHERE ctid = ANY (ARRAY(SELECT ctid FROM bench_rows
             WHERE repository_id = '00000000-0000-7000-8000-000000000000' LIMIT $1::int))`,
      values: [rows.updated],
    });
    await database.query('COMMIT');
    return performance.now() - begun;
  };
}
