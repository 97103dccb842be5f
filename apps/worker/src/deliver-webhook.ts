import { Webhook as Signer } from 'standardwebhooks';
import type { KeyRing } from '@latchkey/credentials';
import { Webhook, WebhookDelivery, type Database } from '@latchkey/database';
import type { Handlers } from '@latchkey/jobs/worker';
import { describeFault, post } from './post.js';

export interface DeliveryOptions {
  database: Database;
  /** Opens the signing secrets. */
  encryption: KeyRing;
  allowPrivateAddresses: boolean;
  /** How long a receiver may take. */
  timeoutMillis?: number;
}

interface Due {
  delivery: WebhookDelivery;
  webhook: Webhook | null;
}

/** Sends one event to a tenant's webhook, signed as Standard Webhooks says, and writes down how that went. */
export function deliverWebhook(options: DeliveryOptions): Handlers['webhook.deliver'] {
  return async ({ tenantId, deliveryId }, run) => {
    const due = await findDue(options.database, tenantId, deliveryId);
    if (!due) return;
    const fault = due.webhook ? await send(options, due.webhook, due.delivery, run.signal) : 'The tenant has no webhook any more';
    const giveUp = run.lastAttempt || !due.webhook;
    await record(options.database, { tenantId, deliveryId, fault, giveUp });
    if (fault && due.webhook) throw new Error(fault);
  };
}

/** The delivery, unless it has reached its receiver or was given up: a job may run more than once. */
async function findDue(database: Database, tenantId: string, deliveryId: string): Promise<Due | undefined> {
  return database.read({ tenantId }, async (tx) => {
    const delivery = await tx.findOneBy(WebhookDelivery, { tenantId, id: deliveryId });
    if (!delivery || delivery.deliveredAt || delivery.failedAt) return undefined;
    return { delivery, webhook: await tx.findOneBy(Webhook, { tenantId }) };
  });
}

/** @returns what went wrong, or undefined when the receiver took it. */
async function send(
  options: DeliveryOptions,
  webhook: Webhook,
  delivery: WebhookDelivery,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { type, timestamp, data } = delivery.payload;
  const body = JSON.stringify({ type, timestamp, data });
  const now = new Date();
  const secret = options.encryption.open(webhook.encryptionKeyId, webhook.signingSecret).toString('utf8');
  const headers = {
    'content-type': 'application/json',
    'user-agent': 'Latchkey',
    // The same for every attempt, so that a receiver can tell a repetition; the time is that of the attempt.
    'webhook-id': delivery.id,
    'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
    'webhook-signature': new Signer(secret).sign(delivery.id, now, body),
  };
  const { allowPrivateAddresses, timeoutMillis = 15_000 } = options;
  try {
    const status = await post({ url: webhook.url, headers, body, timeoutMillis, signal, allowPrivateAddresses });
    return status >= 200 && status < 300 ? undefined : `The receiver answered ${status}`;
  } catch (error) {
    return describeFault(error);
  }
}

async function record(
  database: Database,
  outcome: { tenantId: string; deliveryId: string; fault: string | undefined; giveUp: boolean },
): Promise<void> {
  const { tenantId, deliveryId, fault, giveUp } = outcome;
  await database.transaction({ tenantId }, (tx) =>
    tx.query(
      // One that reached its receiver stays so, whatever a second run of the same job saw.
      `UPDATE webhook_deliveries SET attempts = attempts + 1, last_error = $3::text,
         delivered_at = CASE WHEN $3::text IS NULL THEN now() END,
         failed_at = CASE WHEN $3::text IS NOT NULL AND $4 THEN now() END
       WHERE tenant_id = $1 AND id = $2 AND delivered_at IS NULL`,
      [tenantId, deliveryId, fault ?? null, giveUp],
    ),
  );
}
