import { audit, type Actor } from '@latchkey/access';
import {
  Repository,
  type Database,
  type DeliveryAttempt,
  type EntityManager,
  type Webhook,
  type WebhookDelivery,
} from '@latchkey/database';
import { sendMail } from '@latchkey/jobs';

/** Attempts that the log of a delivery keeps. */
const keptAttempts = 30;

/** HTTP 410 Gone (RFC 9110 §15.5.11): the receiver says that it wants nothing any more. */
const goneStatus = 410;

export interface AttemptCircumstances {
  /** No retry follows. */
  lastAttempt: boolean;
  /** The worker broke it off, so it says nothing about the receiver. */
  cutShort: boolean;
  disableAfterDays: number;
}

/**
 * Writes an attempt into the log of the delivery, and what it means for the webhook: one that fails for days, or is gone, is
 * disabled, and the tenant's owners are told.
 *
 * @returns settled: whether the delivery is over, one way or the other.
 */
export async function recordAttempt(
  database: Database,
  delivery: WebhookDelivery,
  attempt: DeliveryAttempt,
  { lastAttempt, cutShort, disableAfterDays }: AttemptCircumstances,
): Promise<{ settled: boolean }> {
  return database.transaction({ tenantId: delivery.tenantId }, async (tx) => {
    const gone = attempt.statusCode === goneStatus;
    const settled = attempt.error === null || lastAttempt || gone;
    await write(tx, delivery, attempt, { tried: 1, failed: attempt.error !== null && settled });
    if (attempt.error === null) await clearFailure(tx, delivery);
    else if (!cutShort) await countFailure(tx, delivery, { gone, disableAfterDays });
    return { settled };
  });
}

/** Ends a delivery without an attempt. */
export async function giveUp(database: Database, delivery: WebhookDelivery, error: string): Promise<void> {
  const attempt = { at: new Date().toISOString(), statusCode: null, durationMillis: 0, error };
  await database.transaction({ tenantId: delivery.tenantId }, (tx) => write(tx, delivery, attempt, { tried: 0, failed: true }));
}

async function write(
  tx: EntityManager,
  { tenantId, webhookId, id, round }: WebhookDelivery,
  attempt: DeliveryAttempt,
  { tried, failed }: { tried: number; failed: boolean },
): Promise<void> {
  await tx.query(
    // One that reached its receiver stays so, whatever a second run of the same job saw.
    `UPDATE webhook_deliveries SET attempts = attempts + $5,
       log = CASE WHEN jsonb_array_length(log) >= ${keptAttempts} THEN log - 0 ELSE log END || $6::jsonb,
       sealed_secret = CASE WHEN $7 THEN NULL ELSE sealed_secret END, delivered_at = CASE WHEN $7 THEN now() END, failed_at = CASE WHEN $8 THEN now() END
     WHERE tenant_id = $1 AND webhook_id = $2 AND id = $3 AND round = $4 AND delivered_at IS NULL`,
    [tenantId, webhookId, id, round, tried, JSON.stringify([attempt]), attempt.error === null, failed],
  );
}

async function clearFailure(tx: EntityManager, { tenantId, webhookId }: WebhookDelivery): Promise<void> {
  await tx.query('UPDATE webhooks SET failing_since = NULL WHERE tenant_id = $1 AND id = $2 AND failing_since IS NOT NULL', [
    tenantId,
    webhookId,
  ]);
}

/** The first failure begins the count; the webhook's row is written again only when it is disabled. */
async function countFailure(
  tx: EntityManager,
  { tenantId, webhookId, id }: WebhookDelivery,
  { gone, disableAfterDays }: { gone: boolean; disableAfterDays: number },
): Promise<void> {
  const [rows] = (await tx.query(
    `UPDATE webhooks SET failing_since = coalesce(failing_since, now()),
       disabled_at = CASE WHEN $3 OR failing_since < now() - make_interval(secs => $4) THEN now() END,
       disabled_because = CASE WHEN $3 THEN 'gone' WHEN failing_since < now() - make_interval(secs => $4) THEN 'failing' END
     WHERE tenant_id = $1 AND id = $2 AND disabled_at IS NULL AND deleted_at IS NULL
       AND ($3 OR failing_since IS NULL OR failing_since < now() - make_interval(secs => $4))
     RETURNING id, split_part(url, '?', 1) AS url, repository_id AS "repositoryId", disabled_because AS "disabledBecause", failing_since AS "failingSince"`,
    [tenantId, webhookId, gone, disableAfterDays * 86_400],
  )) as [Pick<Webhook, 'id' | 'url' | 'repositoryId' | 'disabledBecause' | 'failingSince'>[]];
  const webhook = rows[0];
  if (!webhook?.failingSince || (webhook.disabledBecause !== 'gone' && webhook.disabledBecause !== 'failing')) return;

  const { repositoryId, url, failingSince, disabledBecause: because } = webhook;
  const repository = repositoryId === null ? null : await tx.findOneBy(Repository, { tenantId, id: repositoryId });
  const worker: Actor = { kind: 'system', tenantId, id: 'worker', permissions: new Set(), call: { requestId: id } };
  const target = { ...(repositoryId === null ? {} : { repositoryId }), targetKind: 'webhook', targetId: webhookId };
  await audit(tx, worker, { action: 'webhook.disabled', ...target, details: { because, deliveryId: id } });
  const data = { url, repository: repository?.slug ?? null, because, failingSince: failingSince.toISOString() };
  await sendMail(tx, tenantId, 'webhook.disabled', data);
}
