import {
  Problem,
  repositoryPermissions,
  type CreateUserBody,
  type CutoffView,
  type Page,
  type UpdateUserBody,
  type UsersQuery,
  type UserView,
} from '@latchkey/contracts';
import { audit, authorize, carryOut, enter, type Actor } from '@latchkey/access';
import { createUser, findUser, listUsers, updateUser, wellKnown, type KnownUser, type NewUser, type UserChange } from '@latchkey/content';
import {
  announced,
  carryOutCutoff,
  confirmCutoff,
  hashPassword,
  recordCutoff,
  type KeyRing,
  type PendingCutoff,
} from '@latchkey/credentials';
import type { Database, EntityManager, Repository } from '@latchkey/database';
import { announce } from '@latchkey/jobs';
import type { AddressTemplate } from '@latchkey/runtime';
import { deleteWithPeople } from './deletion.js';
import { createInvitation } from './invitations.js';
import { holdInviter } from './inviters.js';
import { refusePassword } from './password-policy.js';
import { TenantLimits } from './tenant-limits.js';

/** Which repository a person belongs to. */
type Home = Pick<Repository, 'id' | 'tenantId'>;

/**
 * Makes a person of a repository, with audit and event. The caller has authorised the act.
 *
 * @param byUserId the repository user in whose name it happens.
 * @throws Problem `already-exists` when the login name or address is taken.
 */
export async function createPerson(
  tx: EntityManager,
  actor: Actor,
  { id: repositoryId, tenantId }: Home,
  person: Omit<NewUser, 'tenantId' | 'repositoryId'>,
  byUserId: number,
): Promise<KnownUser> {
  const user = await createUser(tx, byUserId, { ...person, tenantId, repositoryId });
  await audit(tx, actor, { action: 'user.created', repositoryId, targetKind: 'user', targetId: String(user.id) });
  await announce(tx, tenantId, 'user.created', { repositoryId, userId: user.id });
  return user;
}

/**
 * Changes a person, with audit and events, and with a cut-off when it ends tokens, which the caller confirms after the
 * commit. The caller has authorised the act.
 *
 * @throws Problem `not-found`; `already-exists` when the address is taken; `forbidden` for a technical user.
 */
export async function changePerson(
  tx: EntityManager,
  actor: Actor,
  home: Home,
  { id, ...change }: { id: number } & UserChange,
  byUserId: number,
): Promise<{ user: KnownUser; cutoff: PendingCutoff | undefined }> {
  const { id: repositoryId, tenantId } = home;
  const { user, changed, generation, endedTokens } = await updateUser(tx, byUserId, { repositoryId, id, ...change });
  const cutoff = endedTokens
    ? await recordCutoff(tx, home, { kind: 'user.changed', userId: id, ended: { belowGeneration: generation } })
    : undefined;
  const target = { repositoryId, userId: id };
  const details = {
    changed: changed.map((member) => (member === 'passwordHash' ? 'password' : member)),
    ...(cutoff ? { cutoffId: cutoff.id } : {}),
  };
  await audit(tx, actor, { action: 'user.updated', repositoryId, targetKind: 'user', targetId: String(id), details });
  if (cutoff && change.enabled === false) await announce(tx, tenantId, 'user.disabled', { ...target, ...announced(cutoff) });
  if (cutoff && change.passwordHash) await announce(tx, tenantId, 'user.password.changed', { ...target, ...announced(cutoff) });
  if (change.enabled && changed.includes('enabled')) await announce(tx, tenantId, 'user.enabled', target);
  return { user, cutoff };
}

/** The people of a tenant's repositories, as the tenant's members and machines manage them. */
export class Users {
  readonly #database: Database;
  readonly #peppers: KeyRing;
  readonly #authorityUrls: AddressTemplate;
  readonly #limits: TenantLimits;

  constructor(database: Database, peppers: KeyRing, authorityUrls: AddressTemplate, limits = new TenantLimits()) {
    this.#database = database;
    this.#peppers = peppers;
    this.#authorityUrls = authorityUrls;
    this.#limits = limits;
  }

  async list(actor: Actor, slug: string, page: UsersQuery): Promise<Page<UserView>> {
    authorize(actor, 'repositories:read');
    return this.#database.read({ tenantId: actor.tenantId }, async (tx) => {
      const repository = await enter(tx, slug);
      const { items, next } = await listUsers(tx, { ...page, repositoryId: repository.id });
      return { items: items.map(present), next };
    });
  }

  async get(actor: Actor, slug: string, id: number): Promise<UserView> {
    authorize(actor, 'repositories:read');
    return this.#database.read({ tenantId: actor.tenantId }, async (tx) => {
      const user = await findUser(tx, { repositoryId: (await enter(tx, slug)).id, id });
      if (!user) throw new Problem('not-found', 'There is no such user in this repository.');
      return present(user);
    });
  }

  /** @throws Problem `already-exists` when the login name or address is taken; PasswordRefused. */
  async create(actor: Actor, slug: string, { password, ...person }: CreateUserBody): Promise<UserView> {
    authorize(actor, 'users:write');
    const passwordHash = password === undefined ? null : await hashPassword(password);
    return carryOut(this.#database, actor, async (tx) => {
      const repository = await enter(tx, slug);
      if (password !== undefined) refusePassword(repository, password, person);
      return present(await createPerson(tx, actor, repository, { ...person, passwordHash }, wellKnown.admin));
    });
  }

  /**
   * Changes a user. When it resolves after a new password or a disabling, no node accepts a token or session of the user
   * that is older; the answer says so with a cut-off.
   *
   * @throws PasswordRefused; Problem `already-exists` when the address is taken.
   */
  async update(
    actor: Actor,
    slug: string,
    id: number,
    { password, ...change }: UpdateUserBody,
  ): Promise<UserView & { cutoff?: CutoffView }> {
    authorize(actor, 'users:write');
    const passwordHash = password === undefined ? undefined : await hashPassword(password);
    const { cutoff, ...view } = await carryOutCutoff(this.#database, actor, async (tx) => {
      const repository = await enter(tx, slug);
      const known = password === undefined ? undefined : await findUser(tx, { repositoryId: repository.id, id });
      if (password !== undefined && known) refusePassword(repository, password, { ...known, ...change });
      const { user, cutoff } = await changePerson(tx, actor, repository, { id, ...change, passwordHash }, wellKnown.admin);
      return { ...present(user), repositoryId: repository.id, cutoff };
    });
    return cutoff ? { ...view, cutoff } : view;
  }

  /**
   * Puts a user into the trash of its repository, from where an administrator there gives it back. When it resolves, no node
   * accepts a token, session or API key of the user; the answer says so with a cut-off.
   *
   * @throws Problem `not-found`; `forbidden` for a technical user; `conflict` while a client acts as the user.
   */
  async delete(actor: Actor, slug: string, id: number): Promise<{ cutoff: CutoffView }> {
    authorize(actor, 'users:write');
    const { repositoryId, cutoffs } = await carryOut(this.#database, actor, async (tx) => {
      const { id: repositoryId, tenantId } = await enter(tx, slug);
      if (!(await findUser(tx, { repositoryId, id }))) throw new Problem('not-found', 'There is no such user in this repository.');
      const caller = { tenantId, repositoryId, userId: wellKnown.admin, permissions: new Set(repositoryPermissions) };
      return { repositoryId, cutoffs: (await deleteWithPeople(tx, actor, caller, { id })).cutoffs };
    });
    const scope = { tenantId: actor.tenantId, repositoryId };
    const [cutoff] = await Promise.all(cutoffs.map((each) => confirmCutoff(this.#database, scope, each)));
    if (!cutoff) throw new Error(`Deleting user ${id} ended nothing`);
    return { cutoff };
  }

  /**
   * A one-time link with which the person sets a password, for seven days. It is in this answer only. A person with an address
   * also gets one of their own by mail, and whoever uses that has proved to read what is sent there.
   *
   * @throws Problem `not-found`; `too-many-requests` for a mail more than the tenant may send.
   */
  async invite(actor: Actor, slug: string, id: number): Promise<{ link: string }> {
    authorize(actor, 'users:write');
    return carryOut(
      this.#database,
      actor,
      async (tx) => {
        const inviter = await holdInviter(tx, actor, 'users:write');
        const { repository, user } = await enterWithPerson(tx, slug, id);
        if (user.email) await this.#limits.countMail(actor.tenantId, user.email);
        const token = await createInvitation(tx, this.#peppers, {
          repositoryId: repository.id,
          tenantId: repository.tenantId,
          userId: id,
          role: null,
          ...inviter,
          email: user.email,
          loginName: user.loginName,
          name: user.name,
        });
        await audit(tx, actor, { action: 'user.invited', repositoryId: repository.id, targetKind: 'user', targetId: String(id) });
        return { link: `${this.#authorityUrls.of(slug)}/invitation/${token}` };
      },
      { answerIsSecret: true },
    );
  }
}

/** `enter` with a person of the repository. @throws Problem `not-found` also for a technical user. */
export async function enterWithPerson(tx: EntityManager, slug: string, id: number): Promise<{ repository: Repository; user: KnownUser }> {
  const repository = await enter(tx, slug);
  const user = await findUser(tx, { repositoryId: repository.id, id });
  if (!user || user.technical) throw new Problem('not-found', 'There is no such user in this repository.');
  return { repository, user };
}

function present(user: KnownUser): UserView {
  const { id, loginName, email, emailVerified, name, enabled, hasPassword, createdAt } = user;
  return { id, loginName, email, emailVerified, name, enabled, hasPassword, createdAt: createdAt.toISOString() };
}
