import { Problem } from '@latchkey/contracts';
import { IdempotencyKey, prepared, type Database, type EntityManager } from '@latchkey/database';
import type { Actor } from './actor.js';

/**
 * Runs a change in one transaction of the actor's tenant, at most once per `Idempotency-Key`.
 *
 * A second call under the same key waits for the first and then gets its answer, without `work` having run again. If the
 * answer held a secret it is not kept, and the second call is refused.
 *
 * @param answerIsSecret the answer holds something that is shown only once.
 * @throws Problem `idempotency-replayed` for a repeated call whose answer held a secret.
 * @throws Problem `idempotency-mismatch` when the key was used for another request.
 */
export async function carryOut<T>(
  database: Database,
  actor: Actor,
  work: (tx: EntityManager) => Promise<T>,
  { answerIsSecret = false } = {},
): Promise<T> {
  return database.transaction({ tenantId: actor.tenantId }, async (tx) => {
    const idempotency = actor.call.idempotency;
    if (!idempotency) return work(tx);

    const row = { tenantId: actor.tenantId, actorId: actor.id, key: idempotency.key };
    // The insert waits for a transaction that holds the same key, so two calls at once still act only once.
    const taken = await prepared(
      tx,
      `INSERT INTO idempotency_keys (tenant_id, actor_id, key, fingerprint) VALUES ($1, $2, $3, $4)
       ON CONFLICT DO NOTHING RETURNING key`,
      [row.tenantId, row.actorId, row.key, idempotency.fingerprints[0]],
    );
    if (taken.length === 0) return earlierAnswer<T>(tx, row, idempotency.fingerprints);

    const answer = await work(tx);
    if (!answerIsSecret) {
      await prepared(tx, 'UPDATE idempotency_keys SET answer = $4 WHERE tenant_id = $1 AND actor_id = $2 AND key = $3', [
        row.tenantId,
        row.actorId,
        row.key,
        JSON.stringify(answer ?? {}),
      ]);
    }
    return answer;
  });
}

async function earlierAnswer<T>(
  tx: EntityManager,
  row: { tenantId: string; actorId: string; key: string },
  fingerprints: Buffer[],
): Promise<T> {
  const earlier = await tx.findOneByOrFail(IdempotencyKey, row);
  if (!fingerprints.some((each) => each.equals(earlier.fingerprint))) {
    throw new Problem('idempotency-mismatch', 'This Idempotency-Key was sent with another request. Send a new key.');
  }
  if (earlier.answer === null) {
    throw new Problem('idempotency-replayed', 'This call has been carried out. Its answer held a secret, which is shown only once.');
  }
  return earlier.answer as T;
}
