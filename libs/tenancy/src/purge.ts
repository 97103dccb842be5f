import { audit, systemActor } from '@latchkey/access';
import type { Database } from '@latchkey/database';
import { keptDays } from './repositories.js';

/** Of which kind, and whose. */
interface Doomed {
  id: string;
  tenantId: string;
  /** As PostgreSQL writes it, to the microsecond. */
  deletedAt: string;
}

/** Tenants come last, since each waits for its repositories. */
const kinds = [
  { kind: 'repository', table: 'repositories', tenantId: 'tenant_id' },
  { kind: 'tenant', table: 'tenants', tenantId: 'id' },
] as const;
type Kind = (typeof kinds)[number];

/** How many are looked up together. */
const pageSize = 100;

export interface PurgeOptions {
  /** Rows that one transaction removes at most. */
  batchSize: number;
  /** Transactions in all; the next run goes on. */
  maxBatches: number;
  signal: AbortSignal;
}

/** How much a run removed, and of what nothing is left now. */
export interface Purged {
  rows: number;
  repositories: string[];
  tenants: string[];
}

/**
 * Removes for good the repositories and tenants that were deleted 30 days ago, the longest deleted first, in many short transactions.
 * It can end at any of them, and run in several processes: the next run goes on with what is left. What stays is the slug, the
 * audit trail, cut-offs with their proofs, and counts of uses. Each is written down in the audit trail when nothing else is left.
 */
export async function purgeDeleted(database: Database, options: PurgeOptions): Promise<Purged> {
  const purged: Purged = { rows: 0, repositories: [], tenants: [] };
  const budget = { batches: options.maxBatches };
  const goesOn = () => !options.signal.aborted && budget.batches > 0;
  for (const kind of kinds) {
    let after: Pick<Doomed, 'id' | 'deletedAt'> | undefined = { deletedAt: '-infinity', id: '00000000-0000-0000-0000-000000000000' };
    while (after && goesOn()) {
      const page: Doomed[] = await due(database, kind, after);
      for (const doomed of page) {
        let isDone = false;
        for (let isFull = true; isFull && !isDone && goesOn(); budget.batches -= 1) {
          const step = await removeBatch(database, kind, doomed, options.batchSize);
          purged.rows += step.removed;
          isDone = step.done;
          isFull = step.removed >= options.batchSize;
        }
        if (isDone) purged[kind.table].push(doomed.id);
      }
      after = page.length < pageSize ? undefined : page.at(-1);
    }
  }
  return purged;
}

async function due(database: Database, { table, tenantId }: Kind, after: Pick<Doomed, 'id' | 'deletedAt'>): Promise<Doomed[]> {
  return database.read('system', (tx) =>
    tx.query(
      `SELECT id, ${tenantId} AS "tenantId", deleted_at::text AS "deletedAt" FROM ${table}
       WHERE deleted_at < now() - make_interval(days => $1) AND purged_at IS NULL AND (deleted_at, id) > ($2::timestamptz, $3::uuid)
       ORDER BY deleted_at, id LIMIT ${pageSize}`,
      [keptDays, after.deletedAt, after.id],
    ),
  );
}

/** The function looks again whether it is due, and takes its turn. */
async function removeBatch(database: Database, { kind }: Kind, { id, tenantId }: Doomed, size: number) {
  return database.transaction('system', async (tx) => {
    const [step] = await tx.query<{ removed: number; done: boolean }[]>(`SELECT removed, done FROM purge_${kind}($1, $2)`, [id, size]);
    if (!step) throw new Error('a function returns a row');
    const deed = { action: `${kind}.purged`, targetKind: kind, targetId: id, ...(kind === 'repository' ? { repositoryId: id } : {}) };
    if (step.done) await audit(tx, systemActor(tenantId, 'worker'), deed);
    return step;
  });
}
