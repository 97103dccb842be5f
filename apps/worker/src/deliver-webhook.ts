import { Webhook as Signer } from 'standardwebhooks';
import type { KeyRing } from '@latchkey/credentials';
import { Webhook, WebhookDelivery, type Database, type DeliveryAttempt } from '@latchkey/database';
import type { JobData } from '@latchkey/jobs';
import type { Handlers } from '@latchkey/jobs/worker';
import { describeFault, post } from '@latchkey/runtime';
import { giveUp, recordAttempt } from './record-attempt.js';

export interface DeliveryOptions {
  database: Database;
  /** Opens the signing secrets. */
  encryption: KeyRing;
  allowPrivateAddresses: boolean;
  /** How long a receiver may take. */
  timeoutMillis?: number;
  /** After how many days of nothing but failures a webhook is disabled. */
  disableAfterDays?: number;
}

interface Due {
  delivery: WebhookDelivery;
  webhook: Webhook;
}

/** Sends one event to one webhook, signed as Standard Webhooks says, and writes down how that went. */
export function deliverWebhook(options: DeliveryOptions): Handlers['webhook.deliver'] {
  const { database, disableAfterDays = 5 } = options;
  return async (job, run) => {
    const due = await findDue(database, job);
    if (!due) return;
    const { delivery, webhook } = due;
    const refusal = webhook.deletedAt ? 'The webhook was removed' : webhook.disabledAt ? 'The webhook is disabled' : undefined;
    if (refusal) return giveUp(database, delivery, refusal);
    const attempt = await send(options, due, run.signal);
    // What the worker cut short says nothing about the receiver.
    const cutShort = run.signal.aborted && attempt.error !== null;
    const { settled } = await recordAttempt(database, delivery, attempt, { lastAttempt: run.lastAttempt, cutShort, disableAfterDays });
    if (attempt.error && (!settled || run.lastAttempt)) throw new Error(attempt.error);
  };
}

/** The delivery, unless it has reached its receiver, was given up or was begun anew: a job may run more than once. */
async function findDue(
  database: Database,
  { tenantId, webhookId, deliveryId, round }: JobData<'webhook.deliver'>,
): Promise<Due | undefined> {
  return database.read({ tenantId }, async (tx) => {
    const delivery = await tx
      .createQueryBuilder(WebhookDelivery, 'd')
      .addSelect('d.sealedSecret')
      .where({ tenantId, webhookId, id: deliveryId })
      .getOne();
    if (!delivery || delivery.status !== 'pending' || delivery.round !== round) return undefined;
    return { delivery, webhook: await tx.findOneByOrFail(Webhook, { tenantId, id: webhookId }) };
  });
}

async function send(options: DeliveryOptions, { webhook, delivery }: Due, signal: AbortSignal): Promise<DeliveryAttempt> {
  const { type, timestamp, data } = delivery.payload;
  const sealed = delivery.sealedSecret === null ? {} : { secret: delivery.sealedSecret };
  const body = JSON.stringify({ type, timestamp, data: { ...(data as object), ...sealed } });
  const now = new Date();
  const headers = {
    'content-type': 'application/json',
    'user-agent': 'Latchkey',
    // The same for every attempt, so that a receiver can tell a repetition; the time is that of the attempt.
    'webhook-id': delivery.id,
    'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
    'webhook-signature': secretsOf(options.encryption, webhook, now)
      .map((secret) => new Signer(secret).sign(delivery.id, now, body))
      .join(' '),
  };
  const { allowPrivateAddresses, timeoutMillis = 15_000 } = options;
  const begun = performance.now();
  const finish = (statusCode: number | null, error: string | null): DeliveryAttempt => ({
    at: now.toISOString(),
    statusCode,
    durationMillis: Math.round(performance.now() - begun),
    error,
  });
  try {
    const status = await post({ url: webhook.url, headers, body, timeoutMillis, signal, allowPrivateAddresses });
    return finish(status, status >= 200 && status < 300 ? null : `The receiver answered ${status}`);
  } catch (error) {
    return finish(null, describeFault(error));
  }
}

/** The signing secret, and beside it the earlier one while a rotation overlaps: the header takes several signatures. */
function secretsOf(encryption: KeyRing, webhook: Webhook, now: Date): string[] {
  const open = (keyId: string, sealed: Buffer) => encryption.open(keyId, sealed).toString('utf8');
  const secrets = [open(webhook.encryptionKeyId, webhook.signingSecret)];
  const { previousSigningSecret, previousEncryptionKeyId, previousSecretEndsAt } = webhook;
  if (previousSigningSecret && previousEncryptionKeyId && previousSecretEndsAt && previousSecretEndsAt > now)
    secrets.push(open(previousEncryptionKeyId, previousSigningSecret));
  return secrets;
}
