import { Problem, type CreateTenantBody, type OwnTenantView } from '@latchkey/contracts';
import { audit, carryOut, type Actor } from '@latchkey/access';
import type { RepositoryDirectory } from '@latchkey/credentials';
import { elsewhere, enterTenant, Member, newId, RepositoryUser, Tenant, type Database, type EntityManager } from '@latchkey/database';
import { findConsole } from './installation.js';
import { membershipsIn } from './own-deeds.js';

/** Tenants that one person may be a member of when they make another. */
const tenantLimit = 20;

export interface OwnTenantsOptions {
  database: Database;
  directory: RepositoryDirectory;
  /** Whether members may make tenants; otherwise only the operator does. */
  open: boolean;
}

/** The tenants of the person who is calling, of which each call is for one. */
export class OwnTenants {
  readonly #options: OwnTenantsOptions;

  constructor(options: OwnTenantsOptions) {
    this.#options = options;
  }

  /** In the order in which the person joined them. @throws Problem `forbidden` for a machine, or the credential of a member. */
  async list(actor: Actor): Promise<OwnTenantView[]> {
    refuseAllButPersons(actor);
    // A person's memberships span tenants, so no tenant's scope can hold them all.
    const rows = await this.#options.database.read('system', (tx) =>
      tx.query<(Omit<OwnTenantView, 'joinedAt'> & { joinedAt: Date })[]>(
        `SELECT t.id, t.name, m.role, m.id AS "memberId", m.created_at AS "joinedAt"
         FROM members own JOIN members m ON m.repository_id = own.repository_id AND m.user_id = own.user_id JOIN tenants t ON t.id = m.tenant_id
         WHERE own.tenant_id = $1 AND own.id = $2 ORDER BY m.created_at, m.id`,
        [actor.tenantId, actor.id],
      ),
    );
    return rows.map(({ joinedAt, ...row }) => ({ ...row, joinedAt: joinedAt.toISOString() }));
  }

  /**
   * Makes a tenant, whose owner the person is from then on.
   *
   * @throws Problem `forbidden` where only the operator makes tenants; `quota-exceeded`.
   */
  async create(actor: Actor, { name }: CreateTenantBody): Promise<OwnTenantView> {
    refuseAllButPersons(actor);
    if (!this.#options.open)
      throw new Problem('forbidden', 'On this installation, only its operator makes tenants. Ask for an invitation.');
    const { id: repositoryId } = await findConsole(this.#options.directory);
    return carryOut(this.#options.database, actor, async (tx) => {
      const { userId, federated } = await tx.findOneByOrFail(Member, { tenantId: actor.tenantId, id: actor.id });
      await refuseOverLimit(tx, repositoryId, userId);
      const [id, memberId] = [newId(), newId()];
      await audit(tx, actor, { action: 'tenant.created', targetKind: 'tenant', targetId: id });
      await enterTenant(tx, id);
      await tx.insert(Tenant, { id, name });
      await tx.insert(Member, { tenantId: id, id: memberId, repositoryId, userId, role: 'owner', federated });
      await audit(tx, { ...actor, tenantId: id, id: memberId }, { action: 'tenant.created', targetKind: 'tenant', targetId: id });
      const { createdAt } = await tx.findOneByOrFail(Member, { tenantId: id, id: memberId });
      await enterTenant(tx, actor.tenantId);
      return { id, name, role: 'owner' as const, memberId, joinedAt: createdAt.toISOString() };
    });
  }
}

/** The person's row orders their calls, so that of two at once the second counts what the first has made. */
async function refuseOverLimit(tx: EntityManager, consoleId: string, userId: number): Promise<void> {
  // Their memberships are seen in the scope of the console alone.
  const memberships = await elsewhere(tx, { tenantId: '', repositoryId: consoleId }, async () => {
    await tx.findOneOrFail(RepositoryUser, { where: { repositoryId: consoleId, id: userId }, lock: { mode: 'pessimistic_write' } });
    return membershipsIn(tx, consoleId, userId);
  });
  if (memberships.length >= tenantLimit)
    throw new Problem('quota-exceeded', `One person may be a member of ${tenantLimit} tenants. Leave one first.`);
}

/** A machine is nobody, and the credential of a member is of one tenant. */
function refuseAllButPersons(actor: Actor): void {
  if (actor.kind !== 'member' || actor.credentialId !== undefined)
    throw new Problem('forbidden', 'This is for people who have signed in, not for credentials.');
}
