import { newId, type EntityManager } from '@latchkey/database';
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
  const id = newId();
  await tx.query(
    `WITH waiting AS (INSERT INTO outbox (id, tenant_id, name, data) VALUES ($1, $2, $3, $4))
     SELECT pg_notify('${outboxChannel}', '')`,
    [id, tenantId, name, parseJobData(name, data)],
  );
  return id;
}
