import { findUser, raiseUserGeneration, updateUser, type KnownUser } from '@latchkey/content';
import {
  announced,
  checkPassword,
  confirmCutoff,
  findByName,
  findLink,
  hashPassword,
  orderLink,
  recordCutoff,
  useLink,
  type KeyRing,
  type KnownRepository,
  type PendingCutoff,
} from '@latchkey/credentials';
import { Problem } from '@latchkey/contracts';
import { RepositoryUser, type Database, type EntityManager } from '@latchkey/database';
import { announce, sendMail } from '@latchkey/jobs';
import { carryOutOwn, type OwnAct } from './own-act.js';
import { refusePasswordAt } from './password-policy.js';

/** Mails with a link that one account gets within an hour, for each purpose. */
const linksPerHour = 3;

/** Whose account a link is about. */
export interface LinkedAccount {
  userId: number;
  loginName: string;
  name: string;
  /** Where the link was sent. */
  address: string;
}

/** What people do to their own accounts at the authority of a repository. */
export class OwnAccounts {
  readonly #database: Database;
  readonly #peppers: KeyRing;

  constructor(database: Database, peppers: KeyRing) {
    this.#database = database;
    this.#peppers = peppers;
  }

  /** The person, or nothing when there is none who may sign in. */
  async find(repository: KnownRepository, userId: number): Promise<KnownUser | undefined> {
    return this.#database.read({ repositoryId: repository.id }, async (tx) => {
      const user = await findUser(tx, { repositoryId: repository.id, id: userId });
      return user?.enabled && !user.technical ? user : undefined;
    });
  }

  /**
   * Mails whoever is meant a link with which they set a new password. Says nothing about whether there is such an account,
   * whether it has a password and an address, or whether it has had its links of this hour.
   */
  async forgotPassword(repository: KnownRepository, typed: string, act: OwnAct): Promise<void> {
    const user = await findByName(this.#database, repository, typed);
    // Who has none, as those who sign in by federation, cannot have forgotten it: that would be a way round the federation.
    if (!user?.email || !user.enabled || user.technical || user.passwordHash === null) return;
    await this.#order(repository, user.id, act, 'new-password', undefined);
  }

  /** The account that a link for a new password opens, or nothing when it opens none (any more). */
  async ofPasswordLink(repository: KnownRepository, token: string): Promise<LinkedAccount | undefined> {
    return this.#ofLink(repository, 'new-password', token);
  }

  /**
   * Sets a new password by a link, once. Everything older ends: sessions, grants and their tokens, other links.
   *
   * @throws Problem `not-found` when the link opens nothing (any more); PasswordRefused.
   */
  async setPassword(repository: KnownRepository, token: string, password: string, act: OwnAct): Promise<{ userId: number }> {
    const known = await this.ofPasswordLink(repository, token);
    if (!known) throw gone();
    const { userId } = known;
    const passwordHash = await hashPassword(password);
    const cutoff = await carryOutOwn(this.#database, repository, { userId, call: act.call }, async (tx) => {
      const link = await findLink(tx, this.#peppers, repository.id, 'new-password', token, { lock: true });
      if (!link) throw gone();
      await refusePasswordAt(tx, repository.id, password, { ...known, email: link.address });
      const { user, cutoff } = await replacePassword(tx, repository, { id: userId, passwordHash, emailVerified: true }, act);
      await useLink(tx, link);
      return { answer: cutoff, deed: { verb: 'password-changed', details: { by: 'link', email: user.email, cutoffId: cutoff.id } } };
    });
    await this.#confirm(repository, cutoff);
    return { userId };
  }

  /**
   * Changes the password for whoever knows the present one. Everything older ends but the session that did it.
   *
   * @param session the uid of that session.
   * @returns false when the present password is wrong.
   * @throws PasswordRefused.
   */
  async changePassword(
    repository: KnownRepository,
    { userId, session }: { userId: number; session: string },
    { present, next }: { present: string; next: string },
    act: OwnAct,
  ): Promise<boolean> {
    const row = await this.#database.read({ repositoryId: repository.id }, async (tx) => {
      const row = await tx.findOneBy(RepositoryUser, { repositoryId: repository.id, id: userId });
      if (row) await refusePasswordAt(tx, repository.id, next, row);
      return row;
    });
    const known = await checkPassword(row, present);
    if ('refused' in known) return false;
    const passwordHash = await hashPassword(next);
    const cutoff = await carryOutOwn(this.#database, repository, { userId, call: act.call }, async (tx) => {
      const { generation, cutoff } = await replacePassword(tx, repository, { id: userId, passwordHash }, act, session);
      // Somebody else has changed it since: then that counts, and this session is over with the rest.
      if (generation !== known.generation + 1) throw new Problem('conflict', 'The account was changed at the same time.');
      await tx.query(
        `UPDATE oidc_records SET user_generation = $4
         WHERE repository_id = $1 AND kind = 'Session' AND user_id = $2 AND uid = $3 AND user_generation = $4 - 1`,
        [repository.id, userId, session, generation],
      );
      return { answer: cutoff, deed: { verb: 'password-changed', details: { by: 'password', cutoffId: cutoff.id } } };
    });
    await this.#confirm(repository, cutoff);
    return true;
  }

  /** What people call the person. */
  async rename(repository: KnownRepository, userId: number, name: string, { call }: OwnAct): Promise<void> {
    await carryOutOwn(this.#database, repository, { userId, call }, async (tx) => {
      const { changed } = await updateUser(tx, userId, { repositoryId: repository.id, id: userId, name });
      return { answer: undefined, ...(changed.length > 0 ? { deed: { verb: 'renamed' } } : {}) };
    });
  }

  /**
   * Mails a link to an address; once it is opened, the address is the person's and verified. Until then the present one stays.
   *
   * @param address the present one if absent.
   * @returns false when the account has had its links of this hour.
   */
  async askToVerify(repository: KnownRepository, userId: number, address: string | undefined, act: OwnAct): Promise<boolean> {
    return this.#order(repository, userId, act, 'verify-email', address);
  }

  async ofAddressLink(repository: KnownRepository, token: string): Promise<LinkedAccount | undefined> {
    return this.#ofLink(repository, 'verify-email', token);
  }

  /**
   * Makes the address to which a link was sent the person's, verified. The address that was theirs is told.
   *
   * @throws Problem `not-found` when the link opens nothing (any more); `already-exists` when another user has the address by now.
   */
  async verifyAddress(repository: KnownRepository, token: string, act: OwnAct): Promise<void> {
    const known = await this.ofAddressLink(repository, token);
    if (!known) throw gone();
    const { userId } = known;
    await carryOutOwn(this.#database, repository, { userId, call: act.call }, async (tx) => {
      const link = await findLink(tx, this.#peppers, repository.id, 'verify-email', token, { lock: true });
      const before = await findUser(tx, { repositoryId: repository.id, id: userId });
      if (!link || !before) throw gone();
      const { changed } = await updateUser(tx, userId, {
        repositoryId: repository.id,
        id: userId,
        email: link.address,
        emailVerified: true,
      });
      await useLink(tx, link);
      if (changed.includes('email') && before.email) {
        const told = { ...toPerson(repository, before, act, before.email), ...happened(act) };
        await sendMail(tx, repository.tenantId, 'person.email-changed', told);
      }
      return { answer: undefined, deed: { verb: 'email-verified', details: { changed: changed.includes('email') } } };
    });
  }

  /** Ends every session and token of a person, the session that asks for it too, by a cut-off. API keys go on working. */
  async signOutEverywhere(repository: KnownRepository, userId: number, { call }: OwnAct): Promise<void> {
    const cutoff = await carryOutOwn(this.#database, repository, { userId, call }, async (tx) => {
      const cutoff = await signOut(tx, repository, userId);
      return { answer: cutoff, deed: { verb: 'signed-out-everywhere', details: { cutoffId: cutoff.id } } };
    });
    await this.#confirm(repository, cutoff);
  }

  /** Tells a person that they signed in where they had not before. */
  async tellOfNewDevice(repository: KnownRepository, userId: number, device: string, act: OwnAct): Promise<void> {
    await this.#database.transaction({ tenantId: repository.tenantId, repositoryId: repository.id }, async (tx) => {
      const user = await findUser(tx, { repositoryId: repository.id, id: userId });
      if (!user?.email) return;
      const told = { ...toPerson(repository, user, act, user.email), ...happened(act), device };
      await sendMail(tx, repository.tenantId, 'person.new-device', told);
    });
  }

  async #ofLink(repository: KnownRepository, purpose: 'new-password' | 'verify-email', token: string): Promise<LinkedAccount | undefined> {
    return this.#database.read({ repositoryId: repository.id }, async (tx) => {
      const link = await findLink(tx, this.#peppers, repository.id, purpose, token);
      const user = link?.userId && (await findUser(tx, { repositoryId: repository.id, id: link.userId }));
      return link && user ? { userId: user.id, loginName: user.loginName, name: user.name, address: link.address } : undefined;
    });
  }

  async #order(
    repository: KnownRepository,
    userId: number,
    act: OwnAct,
    purpose: 'new-password' | 'verify-email',
    to: string | undefined,
  ): Promise<boolean> {
    const owner = { tenantId: repository.tenantId, repositoryId: repository.id };
    return this.#database.transaction(owner, async (tx) => {
      const where = { repositoryId: repository.id, id: userId };
      // Held, so that requests that come at once are counted one after the other, on whatever node they come.
      const user = await tx.findOne(RepositoryUser, { where, lock: { mode: 'pessimistic_write' } });
      const address = to ?? user?.email;
      if (!user?.enabled || !address) return false;
      const [row] = await tx.query<{ count: number }[]>(
        `SELECT count(*)::integer AS count FROM mailed_links
         WHERE repository_id = $1 AND user_id = $2 AND purpose = $3 AND created_at > now() - interval '1 hour'`,
        [repository.id, userId, purpose],
      );
      if ((row?.count ?? 0) >= linksPerHour) return false;
      const linkId = await orderLink(tx, this.#peppers, { ...owner, purpose, address, user });
      await sendMail(tx, repository.tenantId, `person.${purpose}`, { ...toPerson(repository, user, act, address), linkId });
      return true;
    });
  }

  async #confirm(repository: KnownRepository, cutoff: PendingCutoff): Promise<void> {
    await confirmCutoff(this.#database, { tenantId: repository.tenantId, repositoryId: repository.id }, cutoff);
  }
}

/** Ends every session and token of a person. The caller has authorised the act, and confirms the cut-off after the commit. */
export async function signOut(tx: EntityManager, repository: { id: string; tenantId: string }, userId: number): Promise<PendingCutoff> {
  const belowGeneration = await raiseUserGeneration(tx, { repositoryId: repository.id, id: userId });
  const cutoff = await recordCutoff(tx, repository, { kind: 'user.signed-out', userId, ended: { belowGeneration } });
  await announce(tx, repository.tenantId, 'user.signed-out', { repositoryId: repository.id, userId, ...announced(cutoff) });
  return cutoff;
}

async function replacePassword(
  tx: EntityManager,
  repository: KnownRepository,
  change: { id: number; passwordHash: string; emailVerified?: boolean },
  act: OwnAct,
  keepSession?: string,
) {
  const { user, generation } = await updateUser(tx, change.id, { repositoryId: repository.id, ...change });
  const ended = { belowGeneration: generation };
  const cutoff = await recordCutoff(tx, repository, { kind: 'user.changed', userId: user.id, ended, keepSession });
  const event = { repositoryId: repository.id, userId: user.id, ...announced(cutoff) };
  await announce(tx, repository.tenantId, 'user.password.changed', event);
  if (user.email) {
    const told = { ...toPerson(repository, user, act, user.email), ...happened(act) };
    await sendMail(tx, repository.tenantId, 'person.password-changed', told);
  }
  return { user, generation, cutoff };
}

export function toPerson(
  { id: repositoryId }: KnownRepository,
  user: { name: string; loginName: string },
  { language }: OwnAct,
  address: string,
) {
  return { to: { name: user.name, address }, language, repositoryId, loginName: user.loginName };
}

export function happened({ call }: OwnAct) {
  return { at: new Date().toISOString(), address: call.address ?? null };
}

const gone = () => new Problem('not-found', 'The link was used or has run out. Ask for another.');
