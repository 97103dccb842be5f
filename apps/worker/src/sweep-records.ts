import { purgeTrash, type Blobs } from '@latchkey/content';
import type { Database } from '@latchkey/database';
import type { Handlers, JobQueue } from '@latchkey/jobs/worker';
import { Counter, metrics, type Logger } from '@latchkey/runtime';
import { purgeDeleted } from '@latchkey/tenancy';

interface Sweep {
  table: string;
  /** Which rows have expired or served their purpose; found by an index. */
  gone: string;
}

const sweeps: Sweep[] = [
  { table: 'oidc_records', gone: 'expires_at < now()' },
  { table: 'revoked_tokens', gone: 'expires_at < now()' },
  { table: 'idempotency_keys', gone: `created_at < now() - interval '24 hours'` },
  { table: 'credential_uses', gone: `last_used_at < now() - interval '400 days'` },
  { table: 'daily_uses', gone: `day < current_date - 400` },
  { table: 'call_counts', gone: `period = 'day' AND starts_at < now() - interval '400 days'` },
  { table: 'outbox', gone: `relayed_at < now() - interval '1 day'` },
  { table: 'webhook_deliveries', gone: `created_at < now() - interval '90 days'` },
  {
    table: 'webhooks',
    gone: `deleted_at < now() - interval '90 days' AND NOT EXISTS (
      SELECT FROM webhook_deliveries d WHERE d.tenant_id = webhooks.tenant_id AND d.webhook_id = webhooks.id)`,
  },
  { table: 'mailed_links', gone: `expires_at < now() - interval '1 day'` },
  { table: 'invitations', gone: `expires_at < now() - interval '30 days'` },
  { table: 'mails', gone: `created_at < now() - interval '90 days'` },
];

/** Rows that one transaction removes, so that none holds locks for long. */
const batchSize = 1_000;

/** Batches of one table in one run; the next run goes on. */
const maxBatches = 200;

/** Transactions of one run that remove what was deleted 30 days ago. */
const purgeBatches = 1_000;

const purges = new Counter({
  name: 'latchkey_purged_total',
  help: 'Deleted repositories and tenants of which nothing is left but what is kept for good',
  labelNames: ['kind'],
  registers: [metrics],
});

/** How long a job that failed for good can be looked at. */
const failedJobsSeconds = 7 * 86_400;

export interface SweepOptions {
  database: Database;
  blobs: Blobs;
  queue: Pick<JobQueue, 'forgetFailed'>;
  log: Logger;
  /** Days after which the audit trail ends; 0 keeps it for good. */
  auditDays: number;
}

/** Removes what has expired. Nothing depends on it: every check looks at the dates itself. */
export function sweepRecords({ database, blobs, queue, log, auditDays }: SweepOptions): Handlers['records.sweep'] {
  return async (_, { signal }) => {
    const removed: Record<string, number> = {};
    for (const sweep of sweeps) removed[sweep.table] = await inBatches(() => removeBatch(database, sweep), batchSize, signal);
    await database.transaction('system', (tx) => tx.query('SELECT sweep_proofs()'));
    const call = (text: string, ...values: number[]) => inBatches(() => callBatch(database, text, values), batchSize, signal);
    removed['calls by the hour'] = await call('SELECT roll_up_calls($1) AS count', batchSize);
    removed['ended credentials'] = await call('SELECT prune_credentials($1) AS count', batchSize);
    removed['cut-offs'] = await call('SELECT prune_cutoffs($1) AS count', batchSize);
    if (auditDays > 0) removed['audit_events'] = await call('SELECT prune_audit_events($1, $2) AS count', auditDays, batchSize);
    removed['trash'] = await inBatches(() => purgeTrash(database, { olderThanDays: trashDays, limit: trashBatch }), trashBatch, signal);
    const purged = await purgeDeleted(database, { batchSize, maxBatches: purgeBatches, signal });
    removed['of what was deleted'] = purged.rows;
    for (const kind of ['repositories', 'tenants'] as const) {
      purges.inc({ kind }, purged[kind].length);
      if (purged[kind].length > 0) log.info({ [kind]: purged[kind] }, 'purged for good');
    }
    let outOfReach = false;
    const sweepBlobs = async () => {
      const swept = await blobs.sweep(batchSize);
      outOfReach ||= swept.outOfReach;
      return swept.removed;
    };
    removed['blobs'] = await inBatches(sweepBlobs, batchSize, signal);
    if (outOfReach) log.warn('files that nothing has stay in an object store: FILES_URL is not set');
    removed['failed jobs'] = await queue.forgetFailed(failedJobsSeconds, batchSize);
    log.info({ removed }, 'swept');
  };
}

/** How long deleted content can be restored. */
const trashDays = 30;

/** Deletions that are looked up together. */
const trashBatch = 20;

/** Until a batch is not full: the rest is for the next run. */
async function inBatches(step: () => Promise<number>, size: number, signal: AbortSignal): Promise<number> {
  let removed = 0;
  for (let batch = 0; batch < maxBatches && !signal.aborted; batch += 1) {
    const count = await step();
    removed += count;
    if (count < size) break;
  }
  return removed;
}

/** Rows that somebody has in hand, or changes meanwhile, are left for the next run. */
async function removeBatch(database: Database, { table, gone }: Sweep): Promise<number> {
  const [, count] = await database.transaction('system', (tx) =>
    tx.query<[unknown[], number]>(
      `DELETE FROM ${table} WHERE ctid = ANY (ARRAY(SELECT ctid FROM ${table} WHERE ${gone} LIMIT ${batchSize} FOR UPDATE SKIP LOCKED))`,
    ),
  );
  return count;
}

/** By a function of the database that does one batch. */
async function callBatch(database: Database, text: string, values: number[]): Promise<number> {
  const rows = await database.transaction('system', (tx) => tx.query<{ count: number }[]>(text, values));
  return rows[0]?.count ?? 0;
}
