import { createUserBody, Problem } from '@latchkey/contracts';
import { audit, type Call } from '@latchkey/access';
import { createUser, wellKnown, type KnownUser } from '@latchkey/content';
import { findLink, hashPassword, nameKey, orderLink, randomText, useLink, type KeyRing, type KnownRepository } from '@latchkey/credentials';
import { enterTenant, Member, newId, RepositoryUser, Tenant, type Database, type EntityManager } from '@latchkey/database';
import { sendMail } from '@latchkey/jobs';
import type { OwnAct } from './own-act.js';
import { membershipsIn } from './own-deeds.js';
import { refusePasswordAt } from './password-policy.js';

/** Mails that one address gets within an hour. */
const linksPerHour = 3;

/** What whoever opened a link fills in. */
export interface NewCustomer {
  name: string;
  /** The name of the tenant. */
  company: string;
  password: string;
}

/** Whom a link was sent to. */
export interface OpenSignUp {
  address: string;
  /** There is an account with the address already, or one was made since. */
  account: { loginName: string; hasTenant: boolean } | null;
}

/**
 * People who have never been here become owners of tenants of their own. Only the address is asked for at first, and everything
 * else of whoever opened the link that was sent there. So a stranger can neither set a password for somebody else's address
 * (who would then confirm the stranger's account) nor have us mail words of theirs, and nothing is kept of people who never came.
 */
export class SignUps {
  readonly #database: Database;
  readonly #peppers: KeyRing;

  constructor(database: Database, peppers: KeyRing) {
    this.#database = database;
    this.#peppers = peppers;
  }

  /**
   * Mails a link to an address, three times an hour at most. Does the same whether or not there is an account with it: only
   * whoever opens the link is told.
   */
  async ask(console: KnownRepository, typed: string, { language }: OwnAct): Promise<void> {
    const address = nameKey(typed);
    const owner = { tenantId: console.tenantId, repositoryId: console.id };
    await this.#database.transaction(owner, async (tx) => {
      // So that requests that come at once are counted one after the other, on whatever node they come.
      await tx.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 7160522704))', [address]);
      const [row] = await tx.query<{ count: number }[]>(
        `SELECT count(*)::integer AS count FROM mailed_links
         WHERE repository_id = $1 AND purpose = 'sign-up' AND address = $2 AND created_at > now() - interval '1 hour'`,
        [console.id, address],
      );
      if ((row?.count ?? 0) >= linksPerHour) return;
      const linkId = await orderLink(tx, this.#peppers, { ...owner, purpose: 'sign-up', address });
      const to = { name: '', address };
      await sendMail(tx, console.tenantId, 'person.sign-up', { to, language, repositoryId: console.id, loginName: null, linkId });
    });
  }

  /** Whom the link was sent to; nothing when it was used, has run out or never was one for this. */
  async find(console: KnownRepository, token: string): Promise<OpenSignUp | undefined> {
    return this.#database.read({ repositoryId: console.id }, async (tx) => {
      const link = await findLink(tx, this.#peppers, console.id, 'sign-up', token);
      const known = link && (await accountOf(tx, console, link.address));
      if (!link || !known) return link && { address: link.address, account: null };
      const { loginName, id } = known;
      return { address: link.address, account: { loginName, hasTenant: (await membershipsIn(tx, console.id, id)).length > 0 } };
    });
  }

  /**
   * Makes a tenant for somebody who has an account and is a member of none: who left theirs, or deleted it.
   *
   * @throws Problem `not-found` when the link opens nothing (any more), `already-exists` when they are a member of one.
   */
  async comeBack(console: KnownRepository, token: string, company: string, { call }: OwnAct): Promise<void> {
    await this.#database.transaction({ repositoryId: console.id }, async (tx) => {
      const link = await findLink(tx, this.#peppers, console.id, 'sign-up', token, { lock: true });
      const known = link && (await accountOf(tx, console, link.address));
      if (!link || !known?.enabled) throw gone();
      if ((await membershipsIn(tx, console.id, known.id)).length > 0) throw new Problem('already-exists', 'They are a member of a tenant.');
      await useLink(tx, link);
      await makeTenant(tx, console, known.id, company, call);
    });
  }

  /**
   * Makes the account, whose address is verified, and a tenant whose owner it is; once.
   *
   * @returns the person.
   * @throws Problem `not-found` when the link opens nothing (any more), `already-exists` when the address has an account by now;
   * PasswordRefused.
   */
  async complete(console: KnownRepository, token: string, { name, company, password }: NewCustomer, { call }: OwnAct): Promise<KnownUser> {
    // Before the transaction: hashing takes long, and the row is locked meanwhile. Not for those who have no link at all.
    if (!(await this.find(console, token))) throw gone();
    const passwordHash = await hashPassword(password);
    return this.#database.transaction({ repositoryId: console.id }, async (tx) => {
      const link = await findLink(tx, this.#peppers, console.id, 'sign-up', token, { lock: true });
      if (!link) throw gone();
      const email = link.address;
      if (await accountOf(tx, console, email)) throw new Problem('already-exists', 'There is an account with this address.');
      await refusePasswordAt(tx, console.id, password, { loginName: email, name, email });
      const loginName = await freeLoginName(tx, console, email);
      const owner = { tenantId: console.tenantId, repositoryId: console.id };
      const user = await createUser(tx, wellKnown.admin, { ...owner, loginName, name, email, emailVerified: true, passwordHash });
      await useLink(tx, link);
      await makeTenant(tx, console, user.id, company, call);
      return user;
    });
  }
}

/** The last thing of its transaction, which sees only what is the new tenant's from then on. */
async function makeTenant(tx: EntityManager, console: KnownRepository, userId: number, name: string, call: Call): Promise<void> {
  const [tenantId, id] = [newId(), newId()];
  await enterTenant(tx, tenantId);
  await tx.insert(Tenant, { id: tenantId, name });
  await tx.insert(Member, { tenantId, id, repositoryId: console.id, userId, role: 'owner' });
  const deed = { action: 'tenant.created', targetKind: 'tenant', targetId: tenantId, details: { by: 'sign-up' } };
  await audit(tx, { kind: 'member', tenantId, id, call }, deed);
}

async function accountOf(tx: EntityManager, console: KnownRepository, address: string): Promise<RepositoryUser | null> {
  return tx
    .createQueryBuilder(RepositoryUser, 'u')
    .where('u.repositoryId = :repositoryId AND u.emailKey = :address', { repositoryId: console.id, address })
    .getOne();
}

/** What stands before the @, with something behind it if somebody has that name. Never the address, which may be another's one day. */
async function freeLoginName(tx: EntityManager, console: KnownRepository, address: string): Promise<string> {
  const [before = ''] = address.split('@');
  const name = createUserBody.shape.loginName.safeParse(before).success ? before : 'person';
  const query = tx.createQueryBuilder(RepositoryUser, 'u').where('u.repositoryId = :repositoryId AND u.loginKey = :name', {
    repositoryId: console.id,
    name,
  });
  return (await query.getExists()) ? `${name}-${randomText(6).toLowerCase()}` : name;
}

const gone = () => new Problem('not-found', 'The link was used or has run out. Ask for another.');
