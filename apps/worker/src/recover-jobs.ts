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
 * its outbox row for a day, which is longer than the retries take. Of a sign-out that an app is to be told of there is nothing
 * but the row, which ends with the telling. A job that is merely waiting for its next attempt is left alone.
 */
export function recoverJobs({ database, queue, log }: RecoveryOptions): Handlers['webhook.recover'] {
  return async (_, { signal }) => {
    for (const source of sources) {
      let after: Place | undefined = firstPlace;
      while (after && !signal.aborted) {
        const open: OpenJob[] = await openJobs(database, source, after);
        const lost = await queue.missing(open.map(({ id }) => id));
        if (lost.length > 0) {
          await database.transaction('system', (tx) => tx.query('UPDATE outbox SET relayed_at = NULL WHERE id = ANY($1)', [lost]));
          log.warn({ jobs: lost.length }, 'the queue had lost jobs; they were put back');
        }
        after = open.length < batchSize ? undefined : open.at(-1);
      }
    }
  };
}

/** What a job is for: an event at a webhook, a mail, or itself. */
interface Place {
  what: string;
  where: string;
}

interface OpenJob extends Place {
  id: string;
}

const nothing = '00000000-0000-0000-0000-000000000000';
const firstPlace: Place = { what: nothing, where: nothing };

/** Each begins with what has neither reached its receiver nor been given up, which is little, and finds its job by an index. */
const sources = [
  `SELECT o.id, d.id AS what, d.webhook_id AS "where"
   FROM webhook_deliveries d
   JOIN outbox o ON o.name = 'webhook.deliver' AND o.data->>'deliveryId' = d.id::text AND o.tenant_id = d.tenant_id
     AND o.data->>'webhookId' = d.webhook_id::text AND (o.data->>'round')::integer = d.round AND o.relayed_at IS NOT NULL
   WHERE d.status = 'pending' AND (d.id, d.webhook_id) > ($1, $2)
   ORDER BY d.id, d.webhook_id LIMIT ${batchSize}`,
  `SELECT o.id, m.id AS what, $2::uuid AS "where"
   FROM mails m
   JOIN outbox o ON o.name = 'mail.send' AND o.data->>'mailId' = m.id::text AND o.tenant_id = m.tenant_id AND o.relayed_at IS NOT NULL
   WHERE m.sent_at IS NULL AND m.failed_at IS NULL AND m.id > $1
   ORDER BY m.id LIMIT ${batchSize}`,
  `SELECT id, id AS what, $2::uuid AS "where" FROM outbox
   WHERE name = 'logout.tell' AND relayed_at IS NOT NULL AND id > $1
   ORDER BY id LIMIT ${batchSize}`,
];

async function openJobs(database: Database, source: string, { what, where }: Place): Promise<OpenJob[]> {
  return database.read('system', (tx) => tx.query<OpenJob[]>(source, [what, where]));
}
