import type { TestDatabase } from '@latchkey/database/testing';

type Owner = Pick<TestDatabase['owner'], 'query'>;

/** Rows that were read of each table so far, by scans or by indexes, as the server counts them when a connection ends. */
export async function readsSoFar(owner: Owner, applicationName: string): Promise<Map<string, number>> {
  for (;;) {
    const { rows } = await owner.query('SELECT FROM pg_stat_activity WHERE application_name = $1 LIMIT 1', [applicationName]);
    if (rows.length === 0) break;
  }
  const { rows } = await owner.query<{ table: string; reads: string }>(
    `SELECT t.relname AS "table", t.seq_tup_read + greatest(coalesce(t.idx_tup_fetch, 0), coalesce(
       (SELECT sum(i.idx_tup_read) FROM pg_stat_user_indexes i WHERE i.relid = t.relid), 0)) AS reads
     FROM pg_stat_user_tables t WHERE t.schemaname = 'latchkey'`,
  );
  return new Map(rows.map(({ table, reads }) => [table, Number(reads)]));
}

/** What was read in between, without what was not. */
export function readsBetween(before: Map<string, number>, after: Map<string, number>): Record<string, number> {
  const entries = [...after].map(([table, reads]) => [table, reads - (before.get(table) ?? 0)] as const);
  return Object.fromEntries(entries.filter(([, reads]) => reads > 0));
}
