import type { TenantView, UpdateTenantBody } from '@latchkey/contracts';
import { audit, authorize, carryOut, type Actor } from '@latchkey/access';
import { Tenant, type Database, type EntityManager } from '@latchkey/database';
import { policyOf } from './member-credentials.js';
import { holdTenant } from './members.js';
import { findTenantWide, removeWebhook, type Webhooks } from './webhooks.js';

/** A tenant's own settings. */
export class Tenants {
  readonly #database: Database;
  readonly #webhooks: Webhooks;

  constructor(database: Database, webhooks: Webhooks) {
    this.#database = database;
    this.#webhooks = webhooks;
  }

  async get(actor: Actor): Promise<TenantView> {
    authorize(actor, 'tenant:read');
    return this.#database.read({ tenantId: actor.tenantId }, (tx) => view(tx, actor.tenantId));
  }

  /**
   * Changes the tenant. Naming a webhook makes a new signing secret, which is in the answer and in no later one.
   */
  async update(
    actor: Actor,
    { name, webhook, memberCredentials, mfaEnforced }: UpdateTenantBody,
  ): Promise<TenantView & { webhookSigningSecret?: string }> {
    authorize(actor, 'tenant:write');
    return carryOut(
      this.#database,
      actor,
      async (tx) => {
        if (name !== undefined) await tx.update(Tenant, { id: actor.tenantId }, { name });
        if (memberCredentials || mfaEnforced !== undefined) await changeSettings(tx, actor.tenantId, { memberCredentials, mfaEnforced });
        const present = webhook === null ? await findTenantWide(tx, actor.tenantId, { lock: true }) : null;
        if (present) await removeWebhook(tx, present);
        const webhookSigningSecret = webhook ? await this.#webhooks.setTenantWide(tx, actor.tenantId, webhook.url) : undefined;
        const changed = Object.entries({ name, webhook, memberCredentials, mfaEnforced }).flatMap(([member, value]) =>
          value === undefined ? [] : [member],
        );
        await audit(tx, actor, {
          action: 'tenant.updated',
          targetKind: 'tenant',
          targetId: actor.tenantId,
          details: { changed, ...(memberCredentials ? { memberCredentials } : {}), ...(mfaEnforced === undefined ? {} : { mfaEnforced }) },
        });
        return { ...(await view(tx, actor.tenantId)), ...(webhookSigningSecret ? { webhookSigningSecret } : {}) };
      },
      { answerIsSecret: Boolean(webhook) },
    );
  }
}

async function view(tx: EntityManager, tenantId: string): Promise<TenantView> {
  const [tenant, webhook] = [await tx.findOneByOrFail(Tenant, { id: tenantId }), await findTenantWide(tx, tenantId)];
  return {
    id: tenant.id,
    name: tenant.name,
    webhook: webhook ? { url: webhook.url } : null,
    memberCredentials: policyOf(tenant.settings),
    mfaEnforced: tenant.settings.mfaEnforced === true,
    createdAt: tenant.createdAt.toISOString(),
  };
}

/** Credentials that the new settings forbid are dead when this commits: every check asks for them. */
async function changeSettings(
  tx: EntityManager,
  tenantId: string,
  { memberCredentials, mfaEnforced }: Pick<UpdateTenantBody, 'memberCredentials' | 'mfaEnforced'>,
): Promise<void> {
  const settings = await holdTenant(tx, tenantId);
  const changed = {
    ...settings,
    ...(memberCredentials ? { memberCredentials: { ...settings.memberCredentials, ...memberCredentials } } : {}),
    ...(mfaEnforced === undefined ? {} : { mfaEnforced }),
  };
  await tx.update(Tenant, { id: tenantId }, { settings: changed });
}
