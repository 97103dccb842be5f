import { Problem, type DeliveryQuery, type DeliveryView, type Page } from '@latchkey/contracts';
import { authorize, carryOut, cursor, enter, pageOf, type Actor } from '@latchkey/access';
import { isId, WebhookDelivery, type Database, type EntityManager, type Webhook } from '@latchkey/database';
import { announce, enqueue } from '@latchkey/jobs';
import { TenantLimits } from './tenant-limits.js';
import { auditWebhook, findWebhook } from './webhooks.js';

/** What became of the events that were sent to the webhooks of a tenant's repositories, for 90 days. */
export class WebhookDeliveries {
  readonly #database: Database;
  readonly #limits: TenantLimits;

  constructor(database: Database, limits = new TenantLimits()) {
    this.#database = database;
    this.#limits = limits;
  }

  /** The deliveries to a webhook, the latest first. */
  async list(actor: Actor, slug: string, webhookId: string, { limit, after, status }: DeliveryQuery): Promise<Page<DeliveryView>> {
    authorize(actor, 'repositories:read');
    return this.#database.read({ tenantId: actor.tenantId }, async (tx) => {
      const webhook = await findWebhook(tx, await enter(tx, slug), webhookId);
      const query = tx
        .createQueryBuilder(WebhookDelivery, 'd')
        .where('d.tenantId = :tenantId AND d.webhookId = :webhookId', { tenantId: webhook.tenantId, webhookId });
      if (status !== undefined) query.andWhere('d.status = :status', { status });
      if (after !== undefined) query.andWhere('d.id < :after', { after: cursor(after) });
      const rows = await query
        .orderBy('d.id', 'DESC')
        .take(limit + 1)
        .getMany();
      const { page, next } = pageOf(rows, limit);
      return { items: page.map(present), next };
    });
  }

  /**
   * Sends the event `webhook.test` to this webhook and no other, as any event is sent. The answer is the delivery as it
   * begins; the list says what became of it.
   *
   * @throws Problem `conflict` when the webhook is disabled; `too-many-requests` when the tenant has had its share of this hour.
   */
  async test(actor: Actor, slug: string, webhookId: string): Promise<DeliveryView> {
    authorize(actor, 'webhooks:write');
    return carryOut(this.#database, actor, async (tx) => {
      const repository = await enter(tx, slug);
      const webhook = await findEnabled(() => findWebhook(tx, repository, webhookId, { lock: true }));
      await this.#limits.countSending(actor.tenantId);
      const data = { repositoryId: repository.id, webhookId };
      const id = await announce(tx, actor.tenantId, 'webhook.test', data, { onlyTo: webhookId });
      await auditWebhook(tx, actor, webhook, 'webhook.tested');
      return present(await tx.findOneByOrFail(WebhookDelivery, { tenantId: actor.tenantId, webhookId, id: id! }));
    });
  }

  /**
   * Sends an event again now, under its own id, with all its retries; whatever was left of the earlier ones is dropped. A
   * receiver that has it already can tell by the id.
   *
   * @throws Problem `conflict` when the webhook is disabled; `too-many-requests` when the tenant has had its share of this hour.
   */
  async redeliver(actor: Actor, slug: string, webhookId: string, id: string): Promise<DeliveryView> {
    authorize(actor, 'webhooks:write');
    return carryOut(this.#database, actor, async (tx) => {
      const repository = await enter(tx, slug);
      const webhook = await findEnabled(() => findWebhook(tx, repository, webhookId, { lock: true }));
      const { tenantId } = webhook;
      const where = { tenantId, webhookId, id };
      const delivery = isId(id) ? await tx.findOne(WebhookDelivery, { where, lock: { mode: 'pessimistic_write' } }) : null;
      if (!delivery) throw new Problem('not-found', 'There is no such delivery to this webhook. They are kept for 90 days.');
      await this.#limits.countSending(tenantId);
      const round = delivery.round + 1;
      await tx.update(WebhookDelivery, where, { round, attempts: 0, deliveredAt: null, failedAt: null });
      await enqueue(tx, tenantId, 'webhook.deliver', { tenantId, webhookId, deliveryId: id, round });
      await auditWebhook(tx, actor, webhook, 'webhook.redelivered', { deliveryId: id });
      return present(await tx.findOneByOrFail(WebhookDelivery, where));
    });
  }
}

async function findEnabled(find: () => Promise<Webhook>): Promise<Webhook> {
  const webhook = await find();
  if (webhook.disabledAt) throw new Problem('conflict', 'The webhook is disabled. Enable it first.');
  return webhook;
}

/** How far one cut-off has got with one webhook. */
export interface Propagation {
  webhookId: string;
  deliveryId: string;
  /** The webhook's address without its query, where some receivers have a password. */
  target: string;
  state: 'done' | 'retrying' | 'failed';
  /** From the cut-off's transaction until the receiver had taken it; only when done. */
  afterMillis?: number;
}

/**
 * To whom cut-offs were announced, and whether they know, by cut-off. The transaction must be in the scope of the tenant. One
 * statement, however many are asked for.
 */
export async function propagationOf(tx: EntityManager, cutoffIds: string[]): Promise<Map<string, Propagation[]>> {
  const rows = await tx.query<(Omit<Propagation, 'afterMillis'> & { cutoffId: string; afterMillis: number | null })[]>(
    `SELECT d.cutoff_id AS "cutoffId", w.id AS "webhookId", d.id AS "deliveryId", split_part(w.url, '?', 1) AS target,
       CASE d.status WHEN 'delivered' THEN 'done' WHEN 'failed' THEN 'failed' ELSE 'retrying' END AS state,
       (extract(epoch FROM d.delivered_at - d.created_at) * 1000)::float AS "afterMillis"
     FROM webhook_deliveries d JOIN webhooks w ON w.tenant_id = d.tenant_id AND w.id = d.webhook_id
     WHERE d.tenant_id = current_tenant() AND d.cutoff_id = ANY($1::uuid[]) ORDER BY d.id, w.id`,
    [cutoffIds],
  );
  const found = new Map(cutoffIds.map((id): [string, Propagation[]] => [id, []]));
  for (const { cutoffId, afterMillis, ...row } of rows)
    found.get(cutoffId)?.push(afterMillis === null ? row : { ...row, afterMillis: Math.round(afterMillis) });
  return found;
}

function present(delivery: WebhookDelivery): DeliveryView {
  return {
    id: delivery.id,
    event: delivery.event,
    status: delivery.status,
    createdAt: delivery.createdAt.toISOString(),
    deliveredAt: delivery.deliveredAt?.toISOString() ?? null,
    failedAt: delivery.failedAt?.toISOString() ?? null,
    attempts: delivery.attempts,
    log: delivery.log,
    payload: delivery.payload as DeliveryView['payload'],
  };
}
