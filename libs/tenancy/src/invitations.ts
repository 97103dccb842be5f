import { Problem, type Role } from '@latchkey/contracts';
import { audit, type Call } from '@latchkey/access';
import { createUser, updateUser, wellKnown } from '@latchkey/content';
import { hashPassword, randomText, type KeyRing, type KnownRepository } from '@latchkey/credentials';
import { enterTenant, Invitation, Member, newId, RepositoryUser, type Database, type EntityManager } from '@latchkey/database';

/** 43 characters of 62 hold 256 bits. */
const tokenLength = 43;
const lifeDays = 7;

/** What an open invitation offers. */
export interface OpenInvitation {
  /** The account whose password is to be set; a new one if absent. */
  user: { loginName: string; name: string; email: string | null } | null;
  /** What whoever accepts becomes in the inviting tenant. */
  role: Role | null;
}

/** What a person fills in. Login name, name and address only count where the invitation names no account. */
export interface Acceptance {
  loginName: string;
  name: string;
  email: string | null;
  password: string;
}

/**
 * Makes a one-time link's token. Whoever presents it within seven days takes up the account, or a new one, and the
 * membership in `tenantId` if a role is named. Only a hash is kept.
 */
export async function createInvitation(
  tx: EntityManager,
  peppers: KeyRing,
  invitation: { repositoryId: string; tenantId: string; userId: number | null; role: Role | null; id?: string; email?: string | null },
): Promise<string> {
  const token = randomText(tokenLength);
  const expiresAt = new Date(Date.now() + lifeDays * 86_400_000);
  await tx.insert(Invitation, { ...invitation, hash: peppers.mac(token), expiresAt });
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
      const invitation = await this.#open(tx, repository, token);
      if (!invitation) return undefined;
      const user =
        invitation.userId === null ? null : await tx.findOneBy(RepositoryUser, { repositoryId: repository.id, id: invitation.userId });
      return { user, role: invitation.role };
    });
  }

  /**
   * Takes an invitation up, once.
   *
   * @param call the request that does it, for the audit trail.
   * @throws Problem `not-found` when it is not open (any more), `already-exists` when the login name or address is taken.
   */
  async accept(repository: KnownRepository, token: string, { password, ...person }: Acceptance, call: Call): Promise<void> {
    // Before the transaction: hashing takes long, and the row is locked meanwhile.
    const passwordHash = await hashPassword(password);
    // The invitation's row and the membership belong to the inviting tenant, the account to the repository's.
    await this.#database.transaction({ repositoryId: repository.id }, async (tx) => {
      const invitation = await this.#open(tx, repository, token, { lock: true });
      if (!invitation) throw new Problem('not-found', 'The invitation was used or has run out. Ask for another.');
      const owner = { tenantId: repository.tenantId, repositoryId: repository.id };
      const user =
        invitation.userId === null
          ? await createUser(tx, wellKnown.admin, { ...owner, ...person, passwordHash })
          : (await updateUser(tx, wellKnown.admin, { repositoryId: repository.id, id: invitation.userId, passwordHash })).user;
      const memberId = invitation.role ? newId() : undefined;
      if (invitation.role && memberId) {
        const { tenantId, role } = invitation;
        await tx.insert(Member, { tenantId, id: memberId, repositoryId: repository.id, userId: user.id, role });
      }
      await tx.update(Invitation, { repositoryId: repository.id, hash: invitation.hash }, { usedAt: new Date() });
      await recordAcceptance(tx, invitation, { memberId, userId: String(user.id), call });
    });
  }

  async #open(tx: EntityManager, repository: KnownRepository, token: string, { lock = false } = {}): Promise<Invitation | null> {
    const query = tx
      .createQueryBuilder(Invitation, 'i')
      .where('i.repositoryId = :repositoryId AND i.hash = :hash AND i.usedAt IS NULL AND i.expiresAt > now()', {
        repositoryId: repository.id,
        hash: this.#peppers.mac(token),
      });
    return (lock ? query.setLock('pessimistic_write') : query).getOne();
  }
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
