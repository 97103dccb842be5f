import { Problem, type Role } from '@latchkey/contracts';
import { audit, type Call } from '@latchkey/access';
import { createUser, holdPerson, updateUser, wellKnown, type KnownUser } from '@latchkey/content';
import { findLink, hashPassword, orderLink, randomText, useLink, type KeyRing, type KnownRepository } from '@latchkey/credentials';
import {
  enterTenant,
  Invitation,
  IsNull,
  Member,
  newId,
  RepositoryUser,
  Tenant,
  violatedConstraint,
  type Database,
  type EntityManager,
  type MailedLink,
} from '@latchkey/database';
import { sendMail } from '@latchkey/jobs';
import type { Inviter } from './inviters.js';
import { refusePasswordAt } from './password-policy.js';

/** 43 characters of 62 hold 256 bits. */
const tokenLength = 43;
const lifeDays = 7;

/** What an open invitation offers. */
export interface OpenInvitation {
  /** The account whose password is to be set; a new one if absent. */
  user: { loginName: string; name: string; email: string | null } | null;
  /** What whoever accepts becomes in the inviting tenant, and what that is called. */
  role: Role | null;
  tenant: string | null;
  /** Where the link was sent, if it came by mail. */
  mailedTo: string | null;
}

/** What a person fills in. Login name, name and address only count where the invitation names no account. */
export interface Acceptance {
  loginName: string;
  name: string;
  email: string | null;
  password: string;
}

/** With the right of whoever makes it the invitation ends. */
export interface NewInvitation extends Inviter {
  repositoryId: string;
  tenantId: string;
  userId: number | null;
  role: Role | null;
  id?: string;
  /** Where a link of its own is mailed. */
  email?: string | null;
  /** Of the account, for the mail. */
  loginName?: string;
  name?: string;
}

/**
 * Makes a one-time link's token. Whoever presents it within seven days takes up the account, or a new one, and the
 * membership in `tenantId` if a role is named. Only a hash is kept.
 *
 * Where an address is named, another link to the same invitation is mailed there. Nobody else ever sees that one, so whoever
 * comes by it reads what is sent to the address; the token that this returns proves nothing of the kind.
 */
export async function createInvitation(tx: EntityManager, peppers: KeyRing, invitation: NewInvitation): Promise<string> {
  const { loginName = null, name, ...columns } = invitation;
  const token = randomText(tokenLength);
  const expiresAt = new Date(Date.now() + lifeDays * 86_400_000);
  const id = invitation.id ?? newId();
  await tx.insert(Invitation, { ...columns, id, hash: peppers.mac(token), expiresAt });
  if (invitation.email) {
    const { repositoryId, tenantId, email: address } = invitation;
    const linkId = await orderLink(tx, peppers, { repositoryId, tenantId, purpose: 'invitation', address, invitationId: id });
    const to = { name: name ?? '', address };
    await sendMail(tx, tenantId, 'person.invited', { to, language: 'en', repositoryId, loginName, linkId });
  }
  return token;
}

/** Invitations as they look from the issuer at which they are taken up. */
export class Invitations {
  readonly #database: Database;
  readonly #peppers: KeyRing;

  constructor(database: Database, peppers: KeyRing) {
    this.#database = database;
    this.#peppers = peppers;
  }

  /** What the token offers, or nothing when it was used, has run out or never was one of this repository. */
  async find(repository: KnownRepository, token: string): Promise<OpenInvitation | undefined> {
    return this.#database.read({ repositoryId: repository.id }, async (tx) => {
      const { invitation, link } = await this.#open(tx, repository, token);
      if (!invitation) return undefined;
      const user =
        invitation.userId === null ? null : await tx.findOneBy(RepositoryUser, { repositoryId: repository.id, id: invitation.userId });
      const { role, tenantId } = invitation;
      if (role === null) return { user, role, tenant: null, mailedTo: link?.address ?? null };
      await enterTenant(tx, tenantId);
      const { name: tenant } = await tx.findOneByOrFail(Tenant, { id: tenantId });
      return { user, role, tenant, mailedTo: link?.address ?? null };
    });
  }

  /**
   * Takes up the membership that an invitation offers for somebody who has an account and has signed in with it, once.
   *
   * @throws Problem `not-found` when it is not open (any more) or offers none; `already-exists` when they are a member there.
   */
  async join(repository: KnownRepository, token: string, userId: number, call: Call): Promise<void> {
    await this.#database.transaction({ repositoryId: repository.id }, async (tx) => {
      const { invitation, link } = await this.#open(tx, repository, token, { lock: true });
      const user = await tx.findOneBy(RepositoryUser, { repositoryId: repository.id, id: userId, enabled: true });
      if (!invitation?.role || invitation.userId !== null || !user)
        throw new Problem('not-found', 'The invitation was used or has run out.');
      const { tenantId, role } = invitation;
      const membership = { tenantId, repositoryId: repository.id, userId };
      const isMember = () => new Problem('already-exists', 'They are a member of this tenant already.');
      if (await tx.existsBy(Member, membership)) throw isMember();
      const memberId = newId();
      // Who has no password here proves who they are elsewhere.
      await tx.insert(Member, { ...membership, id: memberId, role, federated: user.passwordHash === null }).catch((error: unknown) => {
        // By another invitation, at the same moment.
        throw violatedConstraint(error) ? isMember() : error;
      });
      await tx.update(Invitation, { repositoryId: repository.id, hash: invitation.hash }, { usedAt: new Date() });
      if (link) await useLink(tx, link);
      await recordAcceptance(tx, invitation, { memberId, userId: String(userId), call });
    });
  }

  /**
   * Takes an invitation up, once.
   *
   * @param call the request that does it, for the audit trail.
   * @returns the person. Their address is verified if it is the one that this link was mailed to.
   * @throws Problem `not-found` when it is not open (any more), `already-exists` when the login name or address is taken;
   * PasswordRefused.
   */
  async accept(repository: KnownRepository, token: string, { password, ...person }: Acceptance, call: Call): Promise<KnownUser> {
    // Before the transaction: hashing takes long, and the row is locked meanwhile.
    const passwordHash = await hashPassword(password);
    // The invitation's row and the membership belong to the inviting tenant, the account to the repository's.
    return this.#database.transaction({ repositoryId: repository.id }, async (tx) => {
      // The account first: whoever takes up another invitation to it ends this one too, and would wait for us as we for them.
      const offered = await this.#open(tx, repository, token);
      if (offered.invitation?.userId) await holdPerson(tx, repository.id, offered.invitation.userId);
      const { invitation, link } = await this.#open(tx, repository, token, { lock: true });
      if (!invitation) throw new Problem('not-found', 'The invitation was used or has run out. Ask for another.');
      await refusePasswordAt(tx, repository.id, password, person);
      const user = await takeUp(tx, repository, invitation.userId, { ...person, passwordHash }, link);
      const memberId = invitation.role ? newId() : undefined;
      if (invitation.role && memberId) {
        const { tenantId, role } = invitation;
        await tx.insert(Member, { tenantId, id: memberId, repositoryId: repository.id, userId: user.id, role });
      }
      // With it every other one to the same account: nobody who has an earlier link shall set its password later.
      const which = invitation.userId === null ? { hash: invitation.hash } : { userId: invitation.userId, usedAt: IsNull() };
      await tx.update(Invitation, { repositoryId: repository.id, ...which }, { usedAt: new Date() });
      if (link) await useLink(tx, link);
      await recordAcceptance(tx, invitation, { memberId, userId: String(user.id), call });
      return user;
    });
  }

  /** By the token that was shown, or by that of a mailed link. */
  async #open(
    tx: EntityManager,
    repository: KnownRepository,
    token: string,
    { lock = false } = {},
  ): Promise<{ invitation: Invitation | null; link?: MailedLink | undefined }> {
    const link = await findLink(tx, this.#peppers, repository.id, 'invitation', token, { lock });
    const query = tx
      .createQueryBuilder(Invitation, 'i')
      .where(`i.repositoryId = :repositoryId AND ${link ? 'i.id = :id' : 'i.hash = ANY(:hashes)'}`, {
        repositoryId: repository.id,
        ...(link ? { id: link.invitationId } : { hashes: this.#peppers.ids.map((pepper) => this.#peppers.mac(token, pepper)) }),
      })
      .andWhere('i.usedAt IS NULL AND i.expiresAt > now()');
    // Whoever reads what is sent to an earlier address of the account does not get it.
    const isTheirs = `i.userId IS NULL OR EXISTS (
      SELECT FROM repository_users u WHERE u.repository_id = i.repository_id AND u.id = i.user_id AND u.email = :address)`;
    if (link) query.andWhere(`(${isTheirs})`, { address: link.address });
    return { invitation: await (lock ? query.setLock('pessimistic_write') : query).getOne(), link };
  }
}

async function takeUp(
  tx: EntityManager,
  repository: KnownRepository,
  userId: number | null,
  person: Omit<Acceptance, 'password'> & { passwordHash: string },
  link: MailedLink | undefined,
): Promise<KnownUser> {
  const proved = (email: string | null) => link !== undefined && email?.toLowerCase() === link.address.toLowerCase();
  const repositoryId = repository.id;
  if (userId === null) {
    const owner = { tenantId: repository.tenantId, repositoryId };
    return createUser(tx, wellKnown.admin, { ...owner, ...person, emailVerified: proved(person.email) });
  }
  const known = await tx.findOneByOrFail(RepositoryUser, { repositoryId, id: userId });
  const verified = proved(known.email) ? { emailVerified: true } : {};
  return (await updateUser(tx, wellKnown.admin, { repositoryId, id: userId, passwordHash: person.passwordHash, ...verified })).user;
}

/** The last thing of its transaction, which sees only what is the inviting tenant's from here on. */
async function recordAcceptance(
  tx: EntityManager,
  { id: invitationId, tenantId, repositoryId, role }: Invitation,
  { memberId, userId, call }: { memberId: string | undefined; userId: string; call: Call },
): Promise<void> {
  await enterTenant(tx, tenantId);
  const doer = memberId ? { kind: 'member' as const, id: memberId } : { kind: 'user' as const, id: userId };
  const deed = memberId ? { action: 'member.joined', details: { invitationId, role, userId } } : { action: 'user.activated', repositoryId };
  await audit(tx, { ...doer, tenantId, call }, { ...deed, targetKind: doer.kind, targetId: doer.id });
}
