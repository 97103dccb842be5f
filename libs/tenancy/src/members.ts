import {
  isAtMost,
  permissionsOfRole,
  Problem,
  roles,
  type CutoffView,
  type MembersQuery,
  type MemberView,
  type Page,
  type Role,
  type TransferOwnershipBody,
  type UpdateMemberBody,
} from '@latchkey/contracts';
import { audit, authorize, cursor, pageOf, type Actor } from '@latchkey/access';
import { carryOutCutoff, type PendingCutoff, type RepositoryDirectory } from '@latchkey/credentials';
import { hasInIt, isId, Member, type Database, type EntityManager, type TenantSettings } from '@latchkey/database';
import { findConsole } from './installation.js';
import { endInvitationsOf } from './inviters.js';
import { endMemberCredential, policyOf } from './member-credentials.js';

/** The people of a tenant and their roles. A tenant that has an owner keeps one who can sign in. */
export class Members {
  readonly #database: Database;
  readonly #directory: RepositoryDirectory;

  constructor(database: Database, directory: RepositoryDirectory) {
    this.#database = database;
    this.#directory = directory;
  }

  async list(actor: Actor, { limit, after, search }: MembersQuery): Promise<Page<MemberView>> {
    authorize(actor, 'members:read');
    const start = after === undefined ? null : cursor(after);
    return this.#database.read({ tenantId: actor.tenantId }, async (tx) => {
      const rows: MemberRow[] = await tx.query(
        `${listed} WHERE ($1::uuid IS NULL OR m.id > $1) AND ($3::text IS NULL OR ${hasInIt('$3', 'm.name', 'm.login_name', 'm.email')})
          ORDER BY m.id LIMIT $2`,
        [start, limit + 1, search ?? null],
      );
      const { page, next } = pageOf(rows, limit);
      return { items: page.map(present), next };
    });
  }

  async get(actor: Actor, id: string): Promise<MemberView> {
    authorize(actor, 'members:read');
    return this.#database.read({ tenantId: actor.tenantId }, async (tx) => present(await findMember(tx, id)));
  }

  /**
   * Changes a member's role: their next call has it. What they invited to and might not any more is withdrawn. A role that may
   * have no credential ends theirs, and the answer says so with a cut-off.
   *
   * @throws Problem `forbidden` for a role, old or new, above the actor's own; `conflict` for the last owner.
   */
  async update(actor: Actor, id: string, { role }: UpdateMemberBody): Promise<MemberView & { cutoff?: CutoffView }> {
    authorize(actor, 'members:write');
    const { view, cutoff } = await this.#change(actor, id, async (tx, member, consoleId) => {
      await refuseRole(tx, actor, role);
      if (role !== 'owner') await refuseLastOwner(tx, member);
      await tx.update(Member, { tenantId: actor.tenantId, id }, { role });
      await endInvitationsOf(tx, actor, id, role);
      const cutoff = (await mayHaveCredential(tx, actor.tenantId, role))
        ? undefined
        : await endMemberCredential(tx, actor, consoleId, member);
      const details = { from: member.role, to: role, ...(cutoff ? { cutoffId: cutoff.id } : {}) };
      await audit(tx, actor, { action: 'member.role-changed', targetKind: 'member', targetId: id, details });
      return { view: present(await findMember(tx, id)), cutoff };
    });
    return cutoff ? { ...view, cutoff } : view;
  }

  /**
   * Removes a member, who is nobody to the tenant from then on: the invitations that they made and nobody has taken up are
   * withdrawn, for they may be to addresses of their own. The answer has the end of their credential, if they had one.
   * Members may leave by themselves, with a token that holds all that they may.
   *
   * @throws Problem `forbidden` for someone above the actor or the token, `conflict` for the last owner.
   */
  async remove(actor: Actor, id: string): Promise<{ cutoff: CutoffView | null }> {
    authorize(actor, isSelf(actor, id) ? 'members:read' : 'members:write');
    const { cutoff } = await this.#change(actor, id, async (tx, member, consoleId) => {
      await refuseRole(tx, actor, member.role);
      await refuseLastOwner(tx, member);
      // Before the credential, as whoever invites holds them.
      await tx.delete(Member, { tenantId: actor.tenantId, id });
      await endInvitationsOf(tx, actor, id);
      const cutoff = await endMemberCredential(tx, actor, consoleId, member);
      const details = { role: member.role, userId: member.userId, ...(cutoff ? { cutoffId: cutoff.id } : {}) };
      await audit(tx, actor, { action: 'member.removed', targetKind: 'member', targetId: id, details });
      return { cutoff };
    });
    return { cutoff: cutoff ?? null };
  }

  /**
   * Hands the tenant over: the member is an owner from then on, and whoever was becomes a super admin. The answer has the end of
   * their credential, if a super admin may have none.
   *
   * @throws Problem `forbidden` for everybody but an owner in person; `conflict` for oneself, or for somebody who cannot sign in.
   */
  async transferOwnership(actor: Actor, { memberId }: TransferOwnershipBody): Promise<MemberView & { cutoff?: CutoffView }> {
    authorize(actor, 'members:write');
    if (actor.credentialId !== undefined) throw new Problem('forbidden', 'An owner does this in person; no credential can.');
    const { view, cutoff } = await this.#change(actor, memberId, async (tx, member, consoleId) => {
      await refuseAllButOwners(tx, actor, 'Only an owner hands the tenant over.');
      if (isSelf(actor, memberId)) throw new Problem('conflict', 'You are the owner already.');
      if (!member.enabled) throw new Problem('conflict', 'This member cannot sign in, and an owner must be able to.');
      const own = await findMember(tx, actor.id);
      await tx.update(Member, { tenantId: actor.tenantId, id: memberId }, { role: 'owner' });
      await tx.update(Member, { tenantId: actor.tenantId, id: own.id }, { role: 'super-admin' });
      await endInvitationsOf(tx, actor, own.id, 'super-admin');
      const keeps = await mayHaveCredential(tx, actor.tenantId, 'super-admin');
      const cutoff = keeps ? undefined : await endMemberCredential(tx, actor, consoleId, own);
      const details = { from: own.id, previousRole: member.role, ...(cutoff ? { cutoffId: cutoff.id } : {}) };
      await audit(tx, actor, { action: 'tenant.ownership-transferred', targetKind: 'member', targetId: memberId, details });
      return { view: present(await findMember(tx, memberId)), cutoff };
    });
    return cutoff ? { ...view, cutoff } : view;
  }

  /**
   * Ends the credential of another member, where the tenant's policy lets others than the member do that.
   *
   * @throws Problem `forbidden` where it does not, as by default; `not-found` when there is none.
   */
  async revokeCredential(actor: Actor, id: string): Promise<{ cutoff: CutoffView }> {
    authorize(actor, 'members:write');
    const { cutoff } = await this.#change(actor, id, async (tx, member, consoleId) => {
      const { revocation } = policyOf(await settingsOf(tx, actor.tenantId));
      if (!isSelf(actor, id) && revocation === 'own')
        throw new Problem('forbidden', 'A credential is revoked by its own member and nobody else, says the policy of the tenant.');
      const cutoff = await endMemberCredential(tx, actor, consoleId, member);
      if (!cutoff) throw new Problem('not-found', 'The member has no credential.');
      return { cutoff };
    });
    if (!cutoff) throw new Error('a credential that ended has a cut-off');
    return { cutoff };
  }

  /** Changes of a tenant's members take turns, and each is decided on what is true in its turn. */
  async #change<T extends { cutoff: PendingCutoff | undefined }>(
    actor: Actor,
    id: string,
    work: (tx: EntityManager, member: MemberRow, consoleId: string) => Promise<T>,
  ) {
    const { id: consoleId } = await findConsole(this.#directory);
    return carryOutCutoff(this.#database, actor, async (tx) => {
      await holdTenant(tx, actor.tenantId);
      const member = await findMember(tx, id);
      if (!isSelf(actor, id)) await refuseRole(tx, actor, member.role);
      return { ...(await work(tx, member, consoleId)), repositoryId: consoleId };
    });
  }
}

/**
 * Holds the tenant's row until the transaction ends: whoever decides on its members or credentials as a whole takes turns.
 *
 * @throws Problem `not-found` when it was deleted, be it while this waited.
 */
export async function holdTenant(tx: EntityManager, tenantId: string): Promise<TenantSettings> {
  const [row] = await tx.query<{ settings: TenantSettings }[]>(
    'SELECT settings FROM tenants WHERE id = $1 AND deleted_at IS NULL FOR NO KEY UPDATE',
    [tenantId],
  );
  if (!row) throw new Problem('not-found', 'There is no such tenant.');
  return row.settings;
}

/**
 * Nobody gives, changes or takes away a role that can do more than they can themselves. A member's own role is read anew,
 * because it may have changed since the call began. A machine cannot make owners, except the first: without that, a tenant
 * whose first invitation ran out unused would never have one.
 *
 * @throws Problem `forbidden`.
 */
export async function refuseRole(tx: EntityManager, actor: Actor, role: Role): Promise<void> {
  const holdsAll = permissionsOfRole[role].every((permission) => actor.permissions.has(permission));
  const isWithin = actor.kind === 'member' ? isAtMost(role, await roleOf(tx, actor)) : role !== 'owner' || !(await hasOwner(tx));
  if (holdsAll && isWithin) return;
  throw new Problem('forbidden', `The role ${role} is above your own. Ask someone who has it.`);
}

/** @throws Problem `forbidden` for everybody but an owner, as their role is now, with a token that holds all that an owner may. */
export async function refuseAllButOwners(tx: EntityManager, actor: Actor, detail: string): Promise<void> {
  const holdsAll = permissionsOfRole.owner.every((permission) => actor.permissions.has(permission));
  if (actor.kind !== 'member' || !holdsAll || (await roleOf(tx, actor)) !== 'owner') throw new Problem('forbidden', detail);
}

export const isSelf = (actor: Actor, memberId: string) => actor.kind === 'member' && actor.id === memberId;

async function roleOf(tx: EntityManager, actor: Actor): Promise<Role> {
  const member = await tx.findOneBy(Member, { tenantId: actor.tenantId, id: actor.id });
  if (!member || !roles.includes(member.role)) throw new Problem('forbidden', 'You are not a member of this tenant any more.');
  return member.role;
}

/** Whether the tenant has an owner who can sign in. */
async function hasOwner(tx: EntityManager, exceptMember: string | null = null): Promise<boolean> {
  const [owner] = await tx.query<unknown[]>(
    `SELECT FROM tenant_members() m WHERE m.role = 'owner' AND m.enabled AND m.id IS DISTINCT FROM $1::uuid LIMIT 1`,
    [exceptMember],
  );
  return owner !== undefined;
}

async function refuseLastOwner(tx: EntityManager, member: MemberRow): Promise<void> {
  if (member.role !== 'owner' || (await hasOwner(tx, member.id))) return;
  throw new Problem('conflict', 'This is the last owner of the tenant who can sign in. Make another member an owner first.');
}

async function settingsOf(tx: EntityManager, tenantId: string): Promise<TenantSettings> {
  const [row] = await tx.query<{ settings: TenantSettings }[]>('SELECT settings FROM tenants WHERE id = $1', [tenantId]);
  return row?.settings ?? {};
}

/** Only the role counts here: how a member signs in and what the tenant enforces may change back. */
async function mayHaveCredential(tx: EntityManager, tenantId: string, role: Role): Promise<boolean> {
  const [row] = await tx.query<{ refusal: string | null }[]>(
    `SELECT member_credential_refusal($2, false, settings - 'mfaEnforced') AS refusal FROM tenants WHERE id = $1`,
    [tenantId, role],
  );
  return row?.refusal === null;
}

export type MemberRow = Omit<MemberView, 'createdAt'> & { userId: number; createdAt: Date };

const listed = `SELECT m.id, m.role, m.login_name AS "loginName", m.name, m.email, m.enabled, m.federated, m.user_id AS "userId", m.created_at AS "createdAt",
    EXISTS (SELECT FROM clients c JOIN secret_versions v ON v.repository_id = c.repository_id AND v.client_id = c.id
      WHERE c.repository_id = m.repository_id AND c.tenant_id = m.tenant_id AND c.user_id = m.user_id AND c.kind = 'member'
        AND c.deleted_at IS NULL AND v.ended_at IS NULL AND v.expires_at > now()) AS "hasCredential"
  FROM tenant_members() m`;

export async function findMember(tx: EntityManager, id: string): Promise<MemberRow> {
  const [row] = isId(id) ? await tx.query<MemberRow[]>(`${listed} WHERE m.id = $1`, [id]) : [];
  if (!row) throw new Problem('not-found', 'The tenant has no such member.');
  return row;
}

function present(row: MemberRow): MemberView {
  const { id, role, loginName, name, email, enabled, federated, hasCredential, createdAt } = row;
  return { id, role, loginName, name, email, enabled, federated, hasCredential, createdAt: createdAt.toISOString() };
}
