import { webhookEvents, type WebhookEvent, type WebhookEventData } from '@latchkey/contracts';
import { newId, type EntityManager } from '@latchkey/database';
import { enqueue } from './outbox.js';

/**
 * Tells the tenant's webhook, if it has one, that something happened, once the transaction commits. The transaction must
 * be in the scope of that tenant, or `system`.
 *
 * @returns the id of the delivery, or undefined when the tenant has no webhook.
 * @throws ZodError when the data is not what the event carries; Error when the tenant is outside the scope.
 */
export async function announce<E extends WebhookEvent>(
  tx: EntityManager,
  tenantId: string,
  event: E,
  data: WebhookEventData<E>,
): Promise<string | undefined> {
  const payload = { type: event, timestamp: new Date().toISOString(), data: webhookEvents[event].parse(data) };
  // Out of scope, row-level security would show no webhook and the event would be lost without a sound. So the scope is
  // asked for in the same statement.
  const [row] = await tx.query<{ id: string | null; in_scope: boolean }[]>(
    `WITH delivery AS (
       INSERT INTO webhook_deliveries (tenant_id, id, event, payload)
       SELECT tenant_id, $2, $3, $4 FROM webhooks WHERE tenant_id = $1
       RETURNING id)
     SELECT (SELECT id FROM delivery), current_user = 'latchkey_system' OR current_tenant() IS NOT DISTINCT FROM $1 AS in_scope`,
    [tenantId, newId(), event, payload],
  );
  if (!row?.in_scope) throw new Error(`Cannot announce ${event}: the transaction is not in the scope of the tenant`);
  if (row.id === null) return undefined;
  await enqueue(tx, tenantId, 'webhook.deliver', { tenantId, deliveryId: row.id });
  return row.id;
}
