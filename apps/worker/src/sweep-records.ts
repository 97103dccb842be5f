import { purgeTrash, type Blobs } from '@latchkey/content';
import type { Database } from '@latchkey/database';
import type { Handlers, JobQueue } from '@latchkey/jobs/worker';
import type { Logger } from '@latchkey/runtime';

interface Sweep {
  table: string;
  /** Its primary key. */
  key: string;
  /** Which rows have expired or served their purpose. */
  gone: string;
}

const sweeps: Sweep[] = [
  { table: 'oidc_records', key: 'repository_id, kind, id', gone: 'expires_at < now()' },
  { table: 'revoked_tokens', key: 'repository_id, id', gone: 'expires_at < now()' },
  { table: 'idempotency_keys', key: 'tenant_id, actor_id, key', gone: `created_at < now() - interval '24 hours'` },
  {
    table: 'credential_uses',
    key: 'repository_id, credential_id, version_id, outcome, consumer, address',
    gone: `last_used_at < now() - interval '400 days'`,
  },
  { table: 'daily_uses', key: 'repository_id, credential_id, day, outcome', gone: `day < current_date - 400` },
  { table: 'outbox', key: 'id', gone: `relayed_at < now() - interval '1 day'` },
  { table: 'webhook_deliveries', key: 'tenant_id, webhook_id, id', gone: `created_at < now() - interval '90 days'` },
  {
    table: 'webhooks',
    key: 'tenant_id, id',
    gone: `deleted_at < now() - interval '90 days' AND NOT EXISTS (
      SELECT FROM webhook_deliveries d WHERE d.tenant_id = webhooks.tenant_id AND d.webhook_id = webhooks.id)`,
  },
  { table: 'mailed_links', key: 'repository_id, id', gone: `expires_at < now() - interval '1 day'` },
  { table: 'mails', key: 'tenant_id, id', gone: `created_at < now() - interval '90 days'` },
];

/** Rows that one transaction removes, so that none holds locks for long. */
const batchSize = 1_000;

/** Batches of one table in one run; the next run goes on. */
const maxBatches = 200;

/** How long a job that failed for good can be looked at. */
const failedJobsSeconds = 7 * 86_400;

export interface SweepOptions {
  database: Database;
  blobs: Blobs;
  queue: Pick<JobQueue, 'forgetFailed'>;
  log: Logger;
}

/** Removes what has expired. Nothing depends on it: every check looks at the dates itself. */
export function sweepRecords({ database, blobs, queue, log }: SweepOptions): Handlers['records.sweep'] {
  return async (_, { signal }) => {
    const removed: Record<string, number> = {};
    for (const sweep of sweeps) removed[sweep.table] = await sweepTable(database, sweep, signal);
    await database.transaction('system', (tx) => tx.query('SELECT sweep_proofs()'));
    await database.transaction('system', (tx) => tx.query('SELECT roll_up_calls()'));
    removed['trash'] = await sweepTrash(database, signal);
    const swept = await blobs.sweep(batchSize);
    removed['blobs'] = swept.removed;
    if (swept.outOfReach) log.warn('files that nothing has stay in an object store: FILES_URL is not set');
    removed['failed jobs'] = await queue.forgetFailed(failedJobsSeconds, batchSize);
    log.info({ removed }, 'swept');
  };
}

async function sweepTable(database: Database, sweep: Sweep, signal: AbortSignal): Promise<number> {
  let removed = 0;
  for (let batch = 0; batch < maxBatches && !signal.aborted; batch += 1) {
    const count = await removeBatch(database, sweep);
    removed += count;
    if (count < batchSize) break;
  }
  return removed;
}

/** How long deleted content can be restored. */
const trashDays = 30;

/** Deletions that are looked up together. */
const trashBatch = 20;

async function sweepTrash(database: Database, signal: AbortSignal): Promise<number> {
  let removed = 0;
  for (let batch = 0; batch < maxBatches && !signal.aborted; batch += 1) {
    const count = await purgeTrash(database, { olderThanDays: trashDays, limit: trashBatch });
    removed += count;
    if (count < trashBatch) break;
  }
  return removed;
}

/** Rows that somebody has in hand are left for the next run. */
async function removeBatch(database: Database, { table, key, gone }: Sweep): Promise<number> {
  const [, count] = await database.transaction('system', (tx) =>
    tx.query<[unknown[], number]>(
      `DELETE FROM ${table} WHERE (${key}) IN (SELECT ${key} FROM ${table} WHERE ${gone} LIMIT ${batchSize} FOR UPDATE SKIP LOCKED)`,
    ),
  );
  return count;
}
