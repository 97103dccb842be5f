import { randomBytes } from 'node:crypto';
import {
  Problem,
  type CreatedWebhookView,
  type CreateWebhookBody,
  type EncryptionKey,
  type Page,
  type PageQuery,
  type RotatedWebhookView,
  type RotateWebhookBody,
  type UpdateWebhookBody,
  type WebhookView,
} from '@latchkey/contracts';
import { audit, authorize, carryOut, cursor, enter, pageOf, type Actor } from '@latchkey/access';
import { acceptEncryptionKey, thumbprintOf, type KeyRing } from '@latchkey/credentials';
import { isId, newId, Webhook, type Database, type EntityManager, type Repository } from '@latchkey/database';

/** 24 to 64 bytes, says Standard Webhooks. */
const signingSecretBytes = 32;

/** Webhooks that a repository may have: each of its events goes to all of them. */
const maxWebhooks = 20;

const enabled = { disabledAt: null, disabledBecause: null, failingSince: null };
const noPrevious = { previousSigningSecret: null, previousEncryptionKeyId: null, previousSecretEndsAt: null };

/** Where the events of a tenant's repositories go. What became of each event is in `WebhookDeliveries`. */
export class Webhooks {
  readonly #database: Database;
  readonly #encryption: KeyRing;

  constructor(database: Database, encryption: KeyRing) {
    this.#database = database;
    this.#encryption = encryption;
  }

  async list(actor: Actor, slug: string, { limit, after }: PageQuery): Promise<Page<WebhookView>> {
    authorize(actor, 'repositories:read');
    return this.#database.read({ tenantId: actor.tenantId }, async (tx) => {
      const repository = await enter(tx, slug);
      const query = ofRepository(tx, repository)
        .orderBy('w.id')
        .take(limit + 1);
      if (after !== undefined) query.andWhere('w.id > :after', { after: cursor(after) });
      const rows = await query.getMany();
      const { page, next } = pageOf(rows, limit);
      return { items: await Promise.all(page.map(present)), next };
    });
  }

  async get(actor: Actor, slug: string, id: string): Promise<WebhookView> {
    authorize(actor, 'repositories:read');
    return this.#database.read({ tenantId: actor.tenantId }, async (tx) => present(await findWebhook(tx, await enter(tx, slug), id)));
  }

  /**
   * Adds a webhook. Its signing secret is in the answer and in no later one.
   *
   * @throws Problem `quota-exceeded` when the repository has twenty.
   */
  async create(actor: Actor, slug: string, body: CreateWebhookBody): Promise<CreatedWebhookView> {
    authorize(actor, 'webhooks:write');
    const { url, description, events, enabled: on } = body;
    const encryptionKey = await acceptKey(actor, body.encryptionKey);
    return carryOut(
      this.#database,
      actor,
      async (tx) => {
        // Locked, so that two at once do not both become the twentieth.
        const repository = await enter(tx, slug, { lock: true });
        if ((await ofRepository(tx, repository).getCount()) >= maxWebhooks)
          throw new Problem('quota-exceeded', `A repository may have ${maxWebhooks} webhooks, and this one has. Remove one first.`);
        const { signingSecret, sealed } = this.#newSecret();
        const webhook = {
          tenantId: actor.tenantId,
          id: newId(),
          repositoryId: repository.id,
          url,
          description,
          events,
          ...sealed,
          ...noPrevious,
          encryptionKey,
          createdAt: new Date(),
          ...(on ? enabled : { ...enabled, disabledAt: new Date(), disabledBecause: 'asked' as const }),
          deletedAt: null,
        };
        await tx.insert(Webhook, webhook);
        const view = await present(webhook);
        const { encryptionKeyThumbprint } = view;
        await auditWebhook(tx, actor, webhook, 'webhook.created', {
          url: withoutQuery(url),
          ...(encryptionKeyThumbprint === null ? {} : { encryptionKeyThumbprint }),
        });
        return { ...view, signingSecret };
      },
      { answerIsSecret: true },
    );
  }

  /** Changes a webhook. Events that were waiting go to the new address, and not at all once it is disabled. */
  async update(actor: Actor, slug: string, id: string, { enabled: on, encryptionKey, ...change }: UpdateWebhookBody): Promise<WebhookView> {
    authorize(actor, 'webhooks:write');
    const key = encryptionKey === undefined ? {} : { encryptionKey: await acceptKey(actor, encryptionKey ?? undefined) };
    return carryOut(this.#database, actor, async (tx) => {
      const webhook = await findWebhook(tx, await enter(tx, slug), id, { lock: true });
      const changed = {
        ...Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined)),
        ...key,
        ...(on === true ? enabled : {}),
        ...(on === false && !webhook.disabledAt ? { disabledAt: new Date(), disabledBecause: 'asked' as const } : {}),
      };
      if (Object.keys(changed).length > 0) await tx.update(Webhook, { tenantId: webhook.tenantId, id }, changed);
      // What was sealed to the earlier key is for nobody any more.
      if ('encryptionKey' in key) await forgetSealed(tx, webhook);
      const named = Object.entries({ ...change, encryptionKey, enabled: on }).flatMap(([member, value]) =>
        value === undefined ? [] : [member],
      );
      await auditWebhook(tx, actor, webhook, 'webhook.updated', {
        changed: named,
        url: withoutQuery(change.url ?? webhook.url),
        ...(key.encryptionKey ? { encryptionKeyThumbprint: await thumbprintOf(key.encryptionKey) } : {}),
      });
      return present({ ...webhook, ...changed });
    });
  }

  /** Removes a webhook and its signing secrets. Nothing is sent to it any more; what was sent can be read for 90 days. */
  async delete(actor: Actor, slug: string, id: string): Promise<void> {
    authorize(actor, 'webhooks:write');
    await carryOut(this.#database, actor, async (tx) => {
      const webhook = await findWebhook(tx, await enter(tx, slug), id, { lock: true });
      await removeWebhook(tx, webhook);
      await auditWebhook(tx, actor, webhook, 'webhook.deleted', { url: withoutQuery(webhook.url) });
      return {};
    });
  }

  /**
   * Makes a new signing secret, which is in the answer and in no later one. The earlier one signs beside it for
   * `overlapSeconds`, so that a receiver can change over without refusing anything; the one before that ends now.
   */
  async rotate(actor: Actor, slug: string, id: string, { overlapSeconds }: RotateWebhookBody): Promise<RotatedWebhookView> {
    authorize(actor, 'webhooks:write');
    return carryOut(
      this.#database,
      actor,
      async (tx) => {
        const webhook = await findWebhook(tx, await enter(tx, slug), id, { lock: true });
        const { signingSecret, sealed } = this.#newSecret();
        const previous = overlapSeconds > 0 ? webhook : { signingSecret: null, encryptionKeyId: null };
        const previousSecretEndsAt = overlapSeconds > 0 ? new Date(Date.now() + overlapSeconds * 1000) : null;
        await tx.update(
          Webhook,
          { tenantId: webhook.tenantId, id },
          {
            ...sealed,
            previousSigningSecret: previous.signingSecret,
            previousEncryptionKeyId: previous.encryptionKeyId,
            previousSecretEndsAt,
          },
        );
        await auditWebhook(tx, actor, webhook, 'webhook.rotated', { overlapSeconds });
        return { signingSecret, previousSecretEndsAt: previousSecretEndsAt?.toISOString() ?? null };
      },
      { answerIsSecret: true },
    );
  }

  /**
   * Makes or changes the webhook of the whole tenant, in the transaction of a change of the tenant.
   *
   * @returns its new signing secret; the earlier one signs nothing any more.
   */
  async setTenantWide(tx: EntityManager, tenantId: string, url: string): Promise<string> {
    const { signingSecret, sealed } = this.#newSecret();
    const change = { url, ...sealed, ...noPrevious, ...enabled };
    // Held, so that two at once do not both make one.
    await tx.query('SELECT FROM tenants WHERE id = $1 FOR UPDATE', [tenantId]);
    const existing = await findTenantWide(tx, tenantId, { lock: true });
    if (existing) await tx.update(Webhook, { tenantId, id: existing.id }, change);
    else await tx.insert(Webhook, { tenantId, id: newId(), repositoryId: null, ...change });
    return signingSecret;
  }

  #newSecret(): { signingSecret: string; sealed: Pick<Webhook, 'signingSecret' | 'encryptionKeyId'> } {
    const signingSecret = `whsec_${randomBytes(signingSecretBytes).toString('base64')}`;
    const { keyId, sealed } = this.#encryption.seal(Buffer.from(signingSecret));
    return { signingSecret, sealed: { signingSecret: sealed, encryptionKeyId: keyId } };
  }
}

/** The webhook that gets the events of the whole tenant, if there is one. */
export async function findTenantWide(tx: EntityManager, tenantId: string, { lock = false } = {}): Promise<Webhook | null> {
  const query = tx
    .createQueryBuilder(Webhook, 'w')
    .where('w.tenantId = :tenantId AND w.repositoryId IS NULL AND w.deletedAt IS NULL', { tenantId });
  return (lock ? query.setLock('pessimistic_write') : query).getOne();
}

/** Keeps the row for the deliveries that were made to it, and nothing that could sign another. */
export async function removeWebhook(tx: EntityManager, { tenantId, id }: Pick<Webhook, 'tenantId' | 'id'>): Promise<void> {
  await tx.update(Webhook, { tenantId, id }, { deletedAt: new Date(), signingSecret: Buffer.alloc(0), ...noPrevious, encryptionKey: null });
  await forgetSealed(tx, { tenantId, id });
}

/** @throws Problem `forbidden` for an actor who may not see secrets of clients when they are made: the key's holder will. */
async function acceptKey(actor: Actor, key: EncryptionKey | undefined): Promise<EncryptionKey | null> {
  if (key === undefined) return null;
  authorize(actor, 'clients:write');
  return acceptEncryptionKey(key);
}

async function forgetSealed(tx: EntityManager, { tenantId, id }: Pick<Webhook, 'tenantId' | 'id'>): Promise<void> {
  await tx.query(
    'UPDATE webhook_deliveries SET sealed_secret = NULL WHERE tenant_id = $1 AND webhook_id = $2 AND sealed_secret IS NOT NULL',
    [tenantId, id],
  );
}

/** @throws Problem `not-found` when the repository has no such webhook; the tenant-wide one belongs to none. */
export async function findWebhook(tx: EntityManager, repository: Repository, id: string, { lock = false } = {}): Promise<Webhook> {
  const query = isId(id) ? ofRepository(tx, repository).andWhere('w.id = :id', { id }) : undefined;
  const webhook = await (lock ? query?.setLock('pessimistic_write') : query)?.getOne();
  if (!webhook) throw new Problem('not-found', 'There is no such webhook in this repository.');
  return webhook;
}

function ofRepository(tx: EntityManager, { tenantId, id }: Repository) {
  return tx
    .createQueryBuilder(Webhook, 'w')
    .where('w.tenantId = :tenantId AND w.repositoryId = :repositoryId AND w.deletedAt IS NULL', { tenantId, repositoryId: id });
}

/** Writes down what was done to a webhook. */
export async function auditWebhook(tx: EntityManager, actor: Actor, webhook: Webhook, action: string, details = {}): Promise<void> {
  const where = webhook.repositoryId === null ? {} : { repositoryId: webhook.repositoryId };
  await audit(tx, actor, { action, ...where, targetKind: 'webhook', targetId: webhook.id, details });
}

/** Receivers that cannot check a signature put a password of their own there. */
const withoutQuery = (url: string) => url.replace(/\?.*/s, '');

async function present(webhook: Webhook): Promise<WebhookView> {
  const secretEndsAt = webhook.previousSecretEndsAt;
  return {
    id: webhook.id,
    url: webhook.url,
    description: webhook.description,
    events: webhook.events,
    enabled: webhook.disabledAt === null,
    disabledBecause: webhook.disabledBecause,
    disabledAt: webhook.disabledAt?.toISOString() ?? null,
    failingSince: webhook.failingSince?.toISOString() ?? null,
    previousSecretEndsAt: secretEndsAt && secretEndsAt > new Date() ? secretEndsAt.toISOString() : null,
    encryptionKey: webhook.encryptionKey,
    encryptionKeyThumbprint: webhook.encryptionKey && (await thumbprintOf(webhook.encryptionKey)),
    createdAt: webhook.createdAt.toISOString(),
  };
}
