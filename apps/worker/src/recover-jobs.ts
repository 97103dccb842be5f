import type { Database } from '@latchkey/database';
import type { Handlers, JobQueue } from '@latchkey/jobs/worker';
import type { Logger } from '@latchkey/runtime';

/** Jobs that one look takes in. */
const batchSize = 500;

export interface RecoveryOptions {
  database: Database;
  queue: Pick<JobQueue, 'missing'>;
  log: Logger;
}

/**
 * Puts back what the queue has lost: PostgreSQL remembers each event and each mail until it was delivered or given up, and
 * its outbox row for a day, which is longer than the retries take. A job that is merely waiting for its next attempt is left
 * alone.
 */
export function recoverJobs({ database, queue, log }: RecoveryOptions): Handlers['webhook.recover'] {
  return async (_, { signal }) => {
    let after = '00000000-0000-0000-0000-000000000000';
    while (!signal.aborted) {
      const open = await openJobs(database, after);
      const lost = await queue.missing(open);
      if (lost.length > 0) {
        await database.transaction('system', (tx) => tx.query('UPDATE outbox SET relayed_at = NULL WHERE id = ANY($1)', [lost]));
        log.warn({ jobs: lost.length }, 'the queue had lost jobs; they were put back');
      }
      const last = open.at(-1);
      if (!last || open.length < batchSize) return;
      after = last;
    }
  };
}

/** The jobs whose event or mail has neither reached its receiver nor been given up, in the order of their ids. */
async function openJobs(database: Database, after: string): Promise<string[]> {
  const rows = await database.read('system', (tx) =>
    tx.query<{ id: string }[]>(
      `SELECT o.id FROM outbox o
       WHERE o.id > $1 AND o.relayed_at IS NOT NULL AND (
         o.name = 'webhook.deliver' AND EXISTS (
           SELECT FROM webhook_deliveries d
           WHERE d.tenant_id = o.tenant_id AND d.webhook_id = (o.data->>'webhookId')::uuid AND d.id = (o.data->>'deliveryId')::uuid
             AND d.round = (o.data->>'round')::integer AND d.status = 'pending')
         OR o.name = 'mail.send' AND EXISTS (
           SELECT FROM mails m
           WHERE m.tenant_id = o.tenant_id AND m.id = (o.data->>'mailId')::uuid AND m.sent_at IS NULL AND m.failed_at IS NULL))
       ORDER BY o.id LIMIT ${batchSize}`,
      [after],
    ),
  );
  return rows.map((row) => row.id);
}
