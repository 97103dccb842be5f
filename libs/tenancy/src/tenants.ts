import { randomBytes } from 'node:crypto';
import type { TenantView, UpdateTenantBody } from '@latchkey/contracts';
import { audit, authorize, carryOut, type Actor } from '@latchkey/access';
import type { KeyRing } from '@latchkey/credentials';
import { Tenant, Webhook, type Database, type EntityManager } from '@latchkey/database';

/** 24 to 64 bytes, says Standard Webhooks. */
const signingSecretBytes = 32;

/** A tenant's own settings. */
export class Tenants {
  readonly #database: Database;
  readonly #encryption: KeyRing;

  constructor(database: Database, encryption: KeyRing) {
    this.#database = database;
    this.#encryption = encryption;
  }

  async get(actor: Actor): Promise<TenantView> {
    authorize(actor, 'tenant:read');
    return this.#database.read({ tenantId: actor.tenantId }, (tx) => view(tx, actor.tenantId));
  }

  /**
   * Changes the tenant. Naming a webhook makes a new signing secret, which is in the answer and in no later one.
   */
  async update(actor: Actor, { name, webhook }: UpdateTenantBody): Promise<TenantView & { webhookSigningSecret?: string }> {
    authorize(actor, 'tenant:write');
    return carryOut(
      this.#database,
      actor,
      async (tx) => {
        if (name !== undefined) await tx.update(Tenant, { id: actor.tenantId }, { name });
        if (webhook === null) await tx.delete(Webhook, { tenantId: actor.tenantId });
        const webhookSigningSecret = webhook ? await this.#setWebhook(tx, actor.tenantId, webhook.url) : undefined;
        const changed = Object.entries({ name, webhook }).flatMap(([member, value]) => (value === undefined ? [] : [member]));
        await audit(tx, actor, { action: 'tenant.updated', targetKind: 'tenant', targetId: actor.tenantId, details: { changed } });
        return { ...(await view(tx, actor.tenantId)), ...(webhookSigningSecret ? { webhookSigningSecret } : {}) };
      },
      { answerIsSecret: Boolean(webhook) },
    );
  }

  async #setWebhook(tx: EntityManager, tenantId: string, url: string): Promise<string> {
    const signingSecret = `whsec_${randomBytes(signingSecretBytes).toString('base64')}`;
    const { keyId, sealed } = this.#encryption.seal(Buffer.from(signingSecret));
    await tx.upsert(Webhook, { tenantId, url, signingSecret: sealed, encryptionKeyId: keyId, createdAt: new Date() }, ['tenantId']);
    return signingSecret;
  }
}

async function view(tx: EntityManager, tenantId: string): Promise<TenantView> {
  const [tenant, webhook] = [await tx.findOneByOrFail(Tenant, { id: tenantId }), await tx.findOneBy(Webhook, { tenantId })];
  return { id: tenant.id, name: tenant.name, webhook: webhook ? { url: webhook.url } : null, createdAt: tenant.createdAt.toISOString() };
}
