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
  const [told] = await deliver(tx, tenantId, event, [data], onlyTo);
  if (!told || told.webhookIds.length === 0) return undefined;
  if (seal) await sealSecrets(tx, tenantId, told.id, told.webhookIds, seal);
  await enqueueAll(tx, tenantId, 'webhook.deliver', jobsOf(tenantId, [told]));
  return told.id;
}

/** How many events one statement announces at most. */
const atOnce = 500;

/** Like `announce`, for what happened to several things of one repository at once: two statements for five hundred. */
export async function announceEach<E extends WebhookEvent>(
  tx: EntityManager,
  tenantId: string,
  event: E,
  each: WebhookEventData<E>[],
): Promise<void> {
  for (let start = 0; start < each.length; start += atOnce) {
    const jobs = jobsOf(tenantId, await deliver(tx, tenantId, event, each.slice(start, start + atOnce), null));
    if (jobs.length > 0) await enqueueAll(tx, tenantId, 'webhook.deliver', jobs);
  }
}

/** An event, and the webhooks that want it. */
interface Told {
  id: string;
  webhookIds: string[];
}

const jobsOf = (tenantId: string, events: Told[]) =>
  events.flatMap(({ id, webhookIds }) => webhookIds.map((webhookId) => ({ tenantId, webhookId, deliveryId: id, round: 0 })));

/** Stores events, of one repository or of none, for each webhook that wants them. */
async function deliver<E extends WebhookEvent>(
  tx: EntityManager,
  tenantId: string,
  event: E,
  each: WebhookEventData<E>[],
  onlyTo: string | null,
): Promise<Told[]> {
  const timestamp = new Date().toISOString();
  const payloads = each.map((data) => ({ type: event, timestamp, data: webhookEvents[event].parse(data) }));
  const [first = {}] = each;
  const repositoryId = 'repositoryId' in first ? (first.repositoryId ?? null) : null;
  // Out of scope, row-level security would show no webhook and the event would be lost without a sound. So the scope is
  // asked for in the same statement.
  const rows = await prepared<{ id: string; webhook_ids: string[]; in_scope: boolean }>(
    tx,
    `WITH event AS (SELECT * FROM unnest($2::uuid[], $3::jsonb[]) AS event (id, payload)),
     delivery AS (
       INSERT INTO webhook_deliveries (tenant_id, webhook_id, id, repository_id, event, payload)
       SELECT w.tenant_id, w.id, event.id, $4, $5, event.payload FROM webhooks w CROSS JOIN event
       WHERE w.tenant_id = $1 AND (w.repository_id IS NULL OR w.repository_id = $4) AND w.disabled_at IS NULL AND w.deleted_at IS NULL
         AND CASE WHEN $6::uuid IS NULL THEN w.events IS NULL OR $5 = ANY(w.events) ELSE w.id = $6 END
       RETURNING id, webhook_id)
     SELECT event.id, array_remove(array_agg(delivery.webhook_id), NULL) AS webhook_ids,
       current_user = 'latchkey_system' OR (current_tenant() IS NOT DISTINCT FROM $1
         AND (current_repository() IS NULL OR $4::uuid IS NULL OR current_repository() = $4)) AS in_scope
     FROM event LEFT JOIN delivery USING (id) GROUP BY event.id ORDER BY event.id`,
    [tenantId, payloads.map(() => newId()), payloads, repositoryId, event, onlyTo],
  );
  if (rows.some((row) => !row.in_scope))
    throw new Error(`Cannot announce ${event}: the transaction is not in the scope of the tenant and the repository`);
  return rows.map(({ id, webhook_ids: webhookIds }) => ({ id, webhookIds }));
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
