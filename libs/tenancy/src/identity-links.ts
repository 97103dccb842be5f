import { randomBytes } from 'node:crypto';
import { createUserBody, Problem } from '@latchkey/contracts';
import { audit, type Call } from '@latchkey/access';
import { createUser, wellKnown } from '@latchkey/content';
import { nameKey, type KnownRepository, type SignedIn } from '@latchkey/credentials';
import { IdentityLink, RepositoryUser, type Database, type EntityManager } from '@latchkey/database';
import { announce } from '@latchkey/jobs';

/** A user who may sign in with others. */
export interface LinkedUser extends SignedIn {
  enabled: boolean;
}

/** Who somebody is at a provider. */
export interface OutsideSubject {
  providerId: string;
  subject: string;
}

/** Which users of a repository are whom at its identity providers. */
export class IdentityLinks {
  readonly #database: Database;
  readonly #repository: KnownRepository;

  constructor(database: Database, repository: KnownRepository) {
    this.#database = database;
    this.#repository = repository;
  }

  /** The user who is linked to this subject. */
  async find(providerId: string, subject: string): Promise<LinkedUser | undefined> {
    const { id: repositoryId } = this.#repository;
    return this.#database.read({ repositoryId }, async (tx) => {
      const link = await tx.findOneBy(IdentityLink, { repositoryId, providerId, subject });
      const user = link && (await tx.findOneBy(RepositoryUser, { repositoryId, id: link.userId }));
      return user ? present(user) : undefined;
    });
  }

  /** The user with this address. */
  async findByEmail(email: string): Promise<LinkedUser | undefined> {
    const { id: repositoryId } = this.#repository;
    const user = await this.#database.read({ repositoryId }, (tx) =>
      tx
        .createQueryBuilder(RepositoryUser, 'u')
        .where('u.repositoryId = :repositoryId AND u.emailKey = :key AND NOT u.technical', { repositoryId, key: nameKey(email) })
        .getOne(),
    );
    return user ? present(user) : undefined;
  }

  /**
   * Connects a user, who has proved to be one, with whom they have proved to be at a provider. Somebody else there is not that
   * user any more.
   */
  async connect({ providerId, subject }: OutsideSubject, userId: number, call: Call): Promise<void> {
    await this.#database.transaction({ tenantId: this.#repository.tenantId, repositoryId: this.#repository.id }, async (tx) => {
      await tx.delete(IdentityLink, { repositoryId: this.#repository.id, providerId, userId });
      await this.#link(tx, { providerId, subject }, userId);
      await this.#note(tx, 'user.linked', userId, { providerId }, call);
    });
  }

  /**
   * Makes a user of somebody who came for the first time. Their user name is their address, where that can be one.
   *
   * @returns nothing when somebody else got the address, or was linked, at the same moment.
   */
  async signUp(
    outside: OutsideSubject,
    { email, name, loginName }: { email: string; name: string | undefined; loginName: string | undefined },
    call: Call,
  ): Promise<LinkedUser | undefined> {
    const wishes = [email, loginName, `${(loginName ?? email).split('@')[0] ?? ''}-${randomBytes(3).toString('hex')}`];
    for (const wish of wishes) {
      const checked = createUserBody.safeParse({ loginName: wish, email, name: name ?? wish });
      const person = checked.success ? checked.data : createUserBody.safeParse({ loginName: wish, email }).data;
      if (!person) continue;
      const { taken, user } = await this.#create(outside, { loginName: person.loginName, email, name: person.name }, call);
      if (user || taken !== '/loginName') return user;
    }
    return undefined;
  }

  async #create(
    outside: OutsideSubject,
    person: { loginName: string; email: string; name: string | undefined },
    call: Call,
  ): Promise<{ user?: LinkedUser; taken?: string | undefined }> {
    const { tenantId, id: repositoryId } = this.#repository;
    try {
      const { name, ...rest } = person;
      const user = await this.#database.transaction({ tenantId, repositoryId }, async (tx) => {
        const made = await createUser(tx, wellKnown.admin, {
          tenantId,
          repositoryId,
          ...rest,
          emailVerified: true,
          ...(name ? { name } : {}),
        });
        await this.#link(tx, outside, made.id);
        await this.#note(tx, 'user.signed-up', made.id, { providerId: outside.providerId }, call);
        await announce(tx, tenantId, 'user.created', { repositoryId, userId: made.id });
        return made;
      });
      return { user: { userId: user.id, generation: 1, enabled: true } };
    } catch (error) {
      if (error instanceof Problem && error.type === 'already-exists') return { taken: error.errors?.[0]?.pointer };
      throw error;
    }
  }

  async #link(tx: EntityManager, { providerId, subject }: OutsideSubject, userId: number): Promise<void> {
    const { tenantId, id: repositoryId } = this.#repository;
    const rows = await tx.query<unknown[]>(
      `INSERT INTO identity_links (repository_id, provider_id, subject, tenant_id, user_id) VALUES ($1, $2, $3, $4, $5)
       ON CONFLICT DO NOTHING RETURNING subject`,
      [repositoryId, providerId, subject, tenantId, userId],
    );
    if (rows.length === 0) throw new Problem('already-exists', 'Somebody was connected at the same moment.');
  }

  async #note(tx: EntityManager, action: string, userId: number, details: Record<string, unknown>, call: Call): Promise<void> {
    const { tenantId, id: repositoryId } = this.#repository;
    const deed = { action, repositoryId, targetKind: 'user', targetId: String(userId), details };
    await audit(tx, { kind: 'user', tenantId, id: String(userId), call }, deed);
  }
}

const present = ({ id, generation, enabled, technical }: RepositoryUser): LinkedUser => ({
  userId: id,
  generation,
  enabled: enabled && !technical,
});
