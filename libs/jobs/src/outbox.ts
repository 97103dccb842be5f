import { newId, prepared, type EntityManager } from '@latchkey/database';
import { parseJobData, type EnqueuedJobName, type JobData } from './catalogue.js';

/** The channel on which a waiting outbox row is announced. */
export const outboxChannel = 'outbox';

/**
 * Decides on a job in the transaction that makes it necessary: it runs, at least once, if and only if the transaction
 * commits. The transaction must be in the scope of the tenant, or `system`.
 *
 * @returns the id that the job will have.
 * @throws ZodError when the data is not what the job takes.
 */
export async function enqueue<N extends EnqueuedJobName>(tx: EntityManager, tenantId: string, name: N, data: JobData<N>): Promise<string> {
  const [id] = await enqueueAll(tx, tenantId, name, [data]);
  return id!;
}

/** Like `enqueue`, for several jobs of one kind, in one statement. @returns their ids in the same order. */
export async function enqueueAll<N extends EnqueuedJobName>(
  tx: EntityManager,
  tenantId: string,
  name: N,
  each: JobData<N>[],
): Promise<string[]> {
  const ids = each.map(() => newId());
  await prepared(
    tx,
    `WITH waiting AS (
       INSERT INTO outbox (id, tenant_id, name, data) SELECT job.id, $1, $2, job.data FROM unnest($3::uuid[], $4::jsonb[]) AS job (id, data))
     SELECT pg_notify('${outboxChannel}', '')`,
    [tenantId, name, ids, each.map((data) => parseJobData(name, data))],
  );
  return ids;
}
