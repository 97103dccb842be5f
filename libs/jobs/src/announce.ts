import { webhookEvents, type EncryptionKey, type WebhookEvent, type WebhookEventData } from '@latchkey/contracts';
import { newId, prepared, Webhook, type EntityManager } from '@latchkey/database';
import { enqueueAll } from './outbox.js';

/** Encrypts the secret that an event tells of to a public key. */
export type Seal = (key: EncryptionKey) => Promise<string>;

/**
 * Tells every enabled webhook that wants it, of the tenant and of the repository that the data names, that something
 * happened, once the transaction commits. The transaction must be in a scope that holds both, or `system`.
 *
 * @param options.onlyTo the one webhook to be told, whatever events it takes.
 * @param options.seal of an event that tells of a new secret: seals that secret to the key of a webhook, if that has one.
 * @returns the id of the event, or undefined when no webhook wants it.
 * @throws ZodError when the data is not what the event carries; Error when the tenant or the repository is outside the scope.
 */
export async function announce<E extends WebhookEvent>(
  tx: EntityManager,
  tenantId: string,
  event: E,
  data: WebhookEventData<E>,
  { onlyTo = null, seal }: { onlyTo?: string | null; seal?: Seal } = {},
): Promise<string | undefined> {
  const id = newId();
  const payload = { type: event, timestamp: new Date().toISOString(), data: webhookEvents[event].parse(data) };
  const repositoryId = 'repositoryId' in data ? (data.repositoryId ?? null) : null;
  // Out of scope, row-level security would show no webhook and the event would be lost without a sound. So the scope is
  // asked for in the same statement.
  const [row] = await prepared<{ webhook_ids: string[]; in_scope: boolean }>(
    tx,
    `WITH delivery AS (
       INSERT INTO webhook_deliveries (tenant_id, webhook_id, id, repository_id, event, payload)
       SELECT tenant_id, id, $2, $3, $4, $5 FROM webhooks
       WHERE tenant_id = $1 AND (repository_id IS NULL OR repository_id = $3) AND disabled_at IS NULL AND deleted_at IS NULL
         AND CASE WHEN $6::uuid IS NULL THEN events IS NULL OR $4 = ANY(events) ELSE id = $6 END
       RETURNING webhook_id)
     SELECT ARRAY(SELECT webhook_id FROM delivery) AS webhook_ids,
       current_user = 'latchkey_system' OR (current_tenant() IS NOT DISTINCT FROM $1
         AND (current_repository() IS NULL OR $3::uuid IS NULL OR current_repository() = $3)) AS in_scope`,
    [tenantId, id, repositoryId, event, payload, onlyTo],
  );
  if (!row?.in_scope) throw new Error(`Cannot announce ${event}: the transaction is not in the scope of the tenant and the repository`);
  if (row.webhook_ids.length === 0) return undefined;
  if (seal) await sealSecrets(tx, tenantId, id, row.webhook_ids, seal);
  const jobs = row.webhook_ids.map((webhookId) => ({ tenantId, webhookId, deliveryId: id, round: 0 }));
  await enqueueAll(tx, tenantId, 'webhook.deliver', jobs);
  return id;
}

/**
 * Each webhook's own, beside the payload, which is the same for all and can be read. A key that has become unusable keeps
 * nobody from ending a secret: its webhook is told without.
 */
async function sealSecrets(tx: EntityManager, tenantId: string, id: string, webhookIds: string[], seal: Seal): Promise<void> {
  const keyed = await tx
    .createQueryBuilder(Webhook, 'w')
    .select(['w.id', 'w.tenantId', 'w.encryptionKey'])
    .where('w.tenantId = :tenantId AND w.id = ANY(:webhookIds) AND w.encryptionKey IS NOT NULL', { tenantId, webhookIds })
    .getMany();
  for (const { id: webhookId, encryptionKey } of keyed) {
    const sealed = encryptionKey && (await seal(encryptionKey).catch(() => null));
    await tx.query('UPDATE webhook_deliveries SET sealed_secret = $4 WHERE tenant_id = $1 AND webhook_id = $2 AND id = $3', [
      tenantId,
      webhookId,
      id,
      sealed,
    ]);
  }
}
