import { Problem } from '@latchkey/contracts';
import {
  assertionOptions,
  hashRecoveryCode,
  isRecoveryCode,
  newRecoveryCodes,
  parseAssertion,
  registrationOptions,
  totpStep,
  verifyAssertion,
  verifyRegistration,
  type KeyRing,
  type KnownRepository,
  type RelyingParty,
  type SignedIn,
} from '@latchkey/credentials';
import {
  FactorGuesses,
  isId,
  newId,
  OidcRecord,
  Passkey,
  RecoveryCode,
  RepositoryUser,
  TotpSecret,
  violatedConstraint,
  type Database,
  type EntityManager,
} from '@latchkey/database';
import { sendMail, type FactorDeed } from '@latchkey/jobs';
import { happened, toPerson } from './own-account.js';
import { carryOutOwn, type OwnAct } from './own-act.js';

/** Wrong codes before the first wait. */
const freeGuesses = 5;
/** The first wait; every further wrong code doubles it. */
const firstWaitSeconds = 30;
/** At one guess an hour, of which three are right, a million codes last a person's life. */
const longestWaitSeconds = 3_600;
const maxPasskeys = 20;

/** What a user can prove to be themselves with besides the password. Holds no secret. */
export interface FactorsOfUser {
  totp: { createdAt: Date } | null;
  recoveryCodesLeft: number;
  passkeys: KnownPasskey[];
}

/** A passkey as its owner may see it. */
export type KnownPasskey = Pick<Passkey, 'id' | 'name' | 'rpId' | 'synced' | 'createdAt' | 'lastUsedAt'>;

/** What became of a code. `wait`: too many were wrong, and nothing is looked at for so many seconds. */
export type CheckedCode =
  | { outcome: 'right'; kind: 'totp' | 'recovery-code' }
  | { outcome: 'wrong'; waitSeconds: number }
  | { outcome: 'wait'; waitSeconds: number };

/** Who has answered a passkey's challenge, and how well the device knows them. */
export interface ProvedPasskey extends SignedIn {
  userVerified: boolean;
  synced: boolean;
}

/** What a user got who added a factor. */
export interface AddedFactor {
  /** Shown once; absent when the user has codes already. */
  recoveryCodes?: string[];
}

/** The second factors of the users of a repository: added, proved and removed by the users themselves. */
export class SecondFactors {
  readonly #database: Database;
  readonly #peppers: KeyRing;
  readonly #encryption: KeyRing;

  constructor({ database, peppers, encryption }: { database: Database; peppers: KeyRing; encryption: KeyRing }) {
    this.#database = database;
    this.#peppers = peppers;
    this.#encryption = encryption;
  }

  async of(repository: KnownRepository, userId: number): Promise<FactorsOfUser> {
    return this.#database.read({ repositoryId: repository.id }, (tx) => factorsOf(tx, { repositoryId: repository.id, userId }));
  }

  /**
   * Whoever has a session, by the generation that it is bound to: when that is raised after the session was looked at, nothing
   * can be changed with it any more.
   */
  async ofSession(repository: KnownRepository, userId: number, session: string): Promise<SignedIn> {
    const where = { repositoryId: repository.id, kind: 'Session', uid: session, userId };
    const row = await this.#database.read({ repositoryId: repository.id }, (tx) => tx.findOneBy(OidcRecord, where));
    return { userId, generation: row?.userGeneration ?? 0 };
  }

  /** Whether the tenants of which this user of the console is a member demand a second factor. */
  async memberMustHave(consoleId: string, userId: number): Promise<boolean> {
    return this.#database.read({ repositoryId: consoleId }, async (tx) => {
      const [row] = await tx.query<{ enforced: boolean }[]>('SELECT members_enforce_mfa($1, $2) AS enforced', [consoleId, userId]);
      return row?.enforced === true;
    });
  }

  /**
   * Adds an authenticator app, when the code proves that it has the secret. That code is used up.
   *
   * @returns nothing when the code is wrong.
   * @throws Problem `conflict` when there is one already; `not-found` when the person's generation has been raised.
   */
  async addTotp(
    repository: KnownRepository,
    person: SignedIn,
    { secret, code }: { secret: Buffer; code: string },
    act: OwnAct,
  ): Promise<AddedFactor | undefined> {
    const step = totpStep(secret, code);
    if (step === undefined) return undefined;
    return this.#change(repository, person, act, async (tx, owner) => {
      if (await tx.existsBy(TotpSecret, whose(owner))) throw new Problem('conflict', 'There is an authenticator app already.');
      const { keyId, sealed } = this.#encryption.seal(secret);
      await tx.insert(TotpSecret, { ...owner, secret: sealed, encryptionKeyId: keyId, lastStep: String(step) });
      return { answer: await this.#firstRecoveryCodes(tx, owner), deed: 'totp-added' };
    });
  }

  /** @throws Problem `not-found` when there is none. */
  async removeTotp(repository: KnownRepository, person: SignedIn, act: OwnAct): Promise<void> {
    await this.#remove(repository, person, { entity: TotpSecret, which: {}, deed: 'totp-removed' }, act);
  }

  /** Makes ten new recovery codes; the old ones are dead. @throws Problem `conflict` when there is no factor to recover from. */
  async renewRecoveryCodes(repository: KnownRepository, person: SignedIn, act: OwnAct): Promise<string[]> {
    return this.#change(repository, person, act, async (tx, owner) => {
      if (!hasFactor(await factorsOf(tx, owner))) throw new Problem('conflict', 'There is no second factor to recover from.');
      return { answer: await this.#writeRecoveryCodes(tx, owner), deed: 'recovery-codes-renewed' };
    });
  }

  /**
   * Whether a code is the user's: of their authenticator app, each accepted once, or one of their recovery codes. Only ask
   * after a right password: wrong codes make the account wait, at any node, until one is right.
   */
  async checkCode(repository: KnownRepository, person: SignedIn, typed: string, act: OwnAct): Promise<CheckedCode> {
    return this.#change<CheckedCode>(repository, person, act, async (tx, owner) => {
      const guesses = await holdGuesses(tx, owner);
      if (guesses.waitSeconds > 0) return { answer: { outcome: 'wait', waitSeconds: guesses.waitSeconds } };
      const kind = (await this.#useTotp(tx, owner, typed))
        ? 'totp'
        : (await this.#useRecoveryCode(tx, owner, typed))
          ? 'recovery-code'
          : null;
      if (kind) {
        await tx.update(FactorGuesses, whose(owner), { failures: 0, refusedUntil: null });
        return { answer: { outcome: 'right', kind }, ...(kind === 'recovery-code' ? { deed: 'recovery-code-used' as const } : {}) };
      }
      const failures = guesses.failures + 1;
      const waitSeconds = waitAfter(failures);
      // By the clock with which it is compared.
      const refusedUntil = () => `clock_timestamp() + make_interval(secs => ${waitSeconds})`;
      await tx.update(FactorGuesses, whose(owner), { failures, refusedUntil: waitSeconds > 0 ? refusedUntil : null });
      // Whoever gets so far knows the password; its owner should.
      return { answer: { outcome: 'wrong', waitSeconds }, ...(failures === freeGuesses ? { deed: 'guessed-at' as const } : {}) };
    });
  }

  /** What a browser needs to make a passkey for a user. The caller keeps the challenge and takes it once. */
  async passkeyRegistration(repository: KnownRepository, party: RelyingParty, userId: number) {
    const owner = { repositoryId: repository.id, userId };
    const [user, known] = await this.#database.read({ repositoryId: repository.id }, async (tx) => [
      await tx.findOneByOrFail(RepositoryUser, { repositoryId: repository.id, id: userId }),
      await tx.findBy(Passkey, owner),
    ]);
    return registrationOptions(party, { ...owner, loginName: user.loginName, name: user.name }, known);
  }

  /**
   * Adds a passkey.
   *
   * @returns nothing when the browser's answer is not a valid one to this challenge.
   * @throws Problem `conflict` for one that is known, or one too many; `not-found` when the person's generation has been raised.
   */
  async addPasskey(
    repository: KnownRepository,
    party: RelyingParty,
    person: SignedIn,
    { challenge, answer, name }: { challenge: string; answer: string; name: string },
    act: OwnAct,
  ): Promise<(AddedFactor & { synced: boolean }) | undefined> {
    const made = await verifyRegistration(party, challenge, answer);
    if (!made) return undefined;
    return this.#change(repository, person, act, async (tx, owner) => {
      if ((await tx.countBy(Passkey, whose(owner))) >= maxPasskeys)
        throw new Problem('conflict', `There are ${maxPasskeys} passkeys already.`);
      const id = newId();
      const row = { ...owner, ...made, id, rpId: party.id, name, signCount: String(made.signCount) };
      await tx.insert(Passkey, row).catch((error: unknown) => {
        if (violatedConstraint(error)) throw new Problem('conflict', 'This passkey is known already.');
        throw error;
      });
      const added = await this.#firstRecoveryCodes(tx, owner);
      return { answer: { ...added, synced: made.synced }, deed: 'passkey-added', details: { passkeyId: id } };
    });
  }

  /** @throws Problem `not-found` when the user has no such passkey. */
  async removePasskey(repository: KnownRepository, person: SignedIn, id: string, act: OwnAct): Promise<void> {
    if (!isId(id)) throw new Problem('not-found', 'There is no such passkey.');
    await this.#remove(repository, person, { entity: Passkey, which: { id }, deed: 'passkey-removed' }, act);
  }

  /** What a browser needs to use a passkey: one of the user's, or, when none is named, any that it has for this host. */
  async passkeyAssertion(repository: KnownRepository, party: RelyingParty, userId?: number) {
    if (userId === undefined) return assertionOptions(party);
    const known = await this.#database.read({ repositoryId: repository.id }, (tx) =>
      tx.findBy(Passkey, { repositoryId: repository.id, userId, rpId: party.id }),
    );
    return assertionOptions(party, known);
  }

  /**
   * Whose passkey has answered a challenge. Passkeys are looked for in this repository only, and the answer must name the
   * user and the repository that the passkey was made for.
   *
   * @param options.of whose it must be; without, it is the only factor, and the device must have recognised the person.
   * @returns nothing for an answer that proves nothing. A copied passkey is one: its signature counter has fallen behind.
   */
  async provePasskey(
    repository: KnownRepository,
    party: RelyingParty,
    { challenge, answer }: { challenge: string; answer: string },
    { of }: { of?: SignedIn } = {},
  ): Promise<ProvedPasskey | undefined> {
    const assertion = parseAssertion(answer);
    if (!assertion) return undefined;
    return this.#database.transaction({ repositoryId: repository.id }, async (tx) => {
      const credentialId = Buffer.from(assertion.id, 'base64url');
      const where = { repositoryId: repository.id, credentialId, rpId: party.id, ...(of ? { userId: of.userId } : {}) };
      // Held, so that of two answers with one counter the second sees what the first has written.
      const passkey = await tx.findOne(Passkey, { where, lock: { mode: 'pessimistic_write' } });
      const user = passkey && (await tx.findOneBy(RepositoryUser, { repositoryId: repository.id, id: passkey.userId }));
      if (!passkey || !user?.enabled || user.technical || (of && of.generation !== user.generation)) return undefined;
      const stored = { ...passkey, signCount: Number(passkey.signCount) };
      const proved = await verifyAssertion(party, challenge, assertion, stored, { alone: !of });
      if (!proved) return undefined;
      await tx.update(
        Passkey,
        { repositoryId: repository.id, id: passkey.id },
        { signCount: String(proved.signCount), lastUsedAt: new Date() },
      );
      return { userId: user.id, generation: user.generation, userVerified: proved.userVerified, synced: passkey.synced };
    });
  }

  /**
   * Runs a change while nobody changes the user, and only if nothing has ended what they proved before. What they did is
   * written down and mailed to them.
   */
  async #change<T>(
    repository: KnownRepository,
    person: SignedIn,
    act: OwnAct,
    work: (tx: EntityManager, owner: Owner) => Promise<{ answer: T; deed?: FactorDeed; details?: Record<string, unknown> }>,
  ): Promise<T> {
    const { userId, generation } = person;
    return carryOutOwn(this.#database, repository, { userId, call: act.call }, async (tx) => {
      const where = { repositoryId: repository.id, id: userId, generation, enabled: true, technical: false };
      const user = await tx.findOne(RepositoryUser, { where, lock: { mode: 'pessimistic_read' } });
      if (!user) throw new Problem('not-found', 'What you proved before holds no longer. Sign in again.');
      const owner = { tenantId: repository.tenantId, repositoryId: repository.id, userId };
      const { answer, deed, details } = await work(tx, owner);
      if (deed && user.email) {
        const { recoveryCodesLeft: codesLeft } = await factorsOf(tx, owner);
        const told = { ...toPerson(repository, user, act, user.email), ...happened(act), what: deed, codesLeft };
        await sendMail(tx, repository.tenantId, 'person.factors', told);
      }
      return { answer, ...(deed && deed !== 'guessed-at' ? { deed: { verb: deed, ...(details ? { details } : {}) } } : {}) };
    });
  }

  /** Removes one factor; with the last one the recovery codes go too. */
  async #remove(
    repository: KnownRepository,
    person: SignedIn,
    { entity, which, deed }: { entity: typeof TotpSecret | typeof Passkey; which: { id?: string }; deed: FactorDeed },
    act: OwnAct,
  ): Promise<void> {
    await this.#change(repository, person, act, async (tx, owner) => {
      const { affected } = await tx.delete(entity, { ...whose(owner), ...which });
      if (!affected) throw new Problem('not-found', 'There is no such second factor.');
      if (!hasFactor(await factorsOf(tx, owner))) await tx.delete(RecoveryCode, whose(owner));
      return { answer: undefined, deed, ...(which.id ? { details: { passkeyId: which.id } } : {}) };
    });
  }

  async #firstRecoveryCodes(tx: EntityManager, owner: Owner): Promise<AddedFactor> {
    if (await tx.existsBy(RecoveryCode, whose(owner))) return {};
    return { recoveryCodes: await this.#writeRecoveryCodes(tx, owner) };
  }

  async #writeRecoveryCodes(tx: EntityManager, owner: Owner): Promise<string[]> {
    await tx.delete(RecoveryCode, whose(owner));
    const codes = newRecoveryCodes();
    const pepperId = this.#peppers.currentId;
    await tx.insert(
      RecoveryCode,
      codes.map((code) => ({ ...owner, pepperId, hash: hashRecoveryCode(this.#peppers, owner, code, pepperId) })),
    );
    return codes;
  }

  async #useTotp(tx: EntityManager, owner: Owner, typed: string): Promise<boolean> {
    const row = await tx.findOneBy(TotpSecret, whose(owner));
    const step = row && totpStep(this.#encryption.open(row.encryptionKeyId, row.secret), typed.replace(/\s/g, ''));
    // Whoever looks over a shoulder reads a code too; it is worth nothing once it, or a later one, was used.
    if (!row || step === undefined || step === null || step <= Number(row.lastStep)) return false;
    await tx.update(TotpSecret, whose(owner), { lastStep: String(step) });
    return true;
  }

  async #useRecoveryCode(tx: EntityManager, owner: Owner, typed: string): Promise<boolean> {
    if (!isRecoveryCode(typed)) return false;
    const hashes = this.#peppers.ids.map((id) => hashRecoveryCode(this.#peppers, owner, typed, id));
    const [, used] = await tx.query<[unknown, number]>(
      'UPDATE recovery_codes SET used_at = now() WHERE repository_id = $1 AND user_id = $2 AND hash = ANY($3) AND used_at IS NULL',
      [owner.repositoryId, owner.userId, hashes],
    );
    return used > 0;
  }
}

interface Owner {
  tenantId: string;
  repositoryId: string;
  userId: number;
}

const whose = ({ repositoryId, userId }: Omit<Owner, 'tenantId'>) => ({ repositoryId, userId });

/** Whether a password is not enough. Recovery codes alone stand for nothing. */
export function hasFactor({ totp, passkeys }: FactorsOfUser): boolean {
  return totp !== null || passkeys.length > 0;
}

/** The factors of one user, in the transaction at hand. */
export async function factorsOf(tx: EntityManager, owner: Omit<Owner, 'tenantId'>): Promise<FactorsOfUser> {
  const totp = await tx.findOneBy(TotpSecret, whose(owner));
  const [left] = await tx.query<{ count: number }[]>(
    'SELECT count(*)::int AS count FROM recovery_codes WHERE repository_id = $1 AND user_id = $2 AND used_at IS NULL',
    [owner.repositoryId, owner.userId],
  );
  const passkeys = await tx.find(Passkey, { where: whose(owner), order: { createdAt: 'ASC', id: 'ASC' } });
  return {
    totp: totp && { createdAt: totp.createdAt },
    recoveryCodesLeft: left?.count ?? 0,
    passkeys: passkeys.map(({ id, name, rpId, synced, createdAt, lastUsedAt }) => ({ id, name, rpId, synced, createdAt, lastUsedAt })),
  };
}

/** Makes guesses at one account take turns, so that a thousand at once are not a thousand free ones. */
async function holdGuesses(
  tx: EntityManager,
  { tenantId, repositoryId, userId }: Owner,
): Promise<{ failures: number; waitSeconds: number }> {
  const [row] = await tx.query<{ failures: number; wait: number }[]>(
    `INSERT INTO factor_guesses AS known (repository_id, user_id, tenant_id) VALUES ($1, $2, $3)
     ON CONFLICT (repository_id, user_id) DO UPDATE SET failures = known.failures
     RETURNING failures, coalesce(ceil(extract(epoch FROM refused_until - clock_timestamp())), 0)::int AS wait`,
    [repositoryId, userId, tenantId],
  );
  return { failures: row?.failures ?? 0, waitSeconds: Math.max(0, row?.wait ?? 0) };
}

function waitAfter(failures: number): number {
  return failures < freeGuesses ? 0 : Math.min(longestWaitSeconds, firstWaitSeconds * 2 ** Math.min(failures - freeGuesses, 10));
}
