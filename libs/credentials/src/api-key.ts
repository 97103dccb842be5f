import {
  Problem,
  type ApiKeyView,
  type CreateApiKeyBody,
  type CreatedApiKeyView,
  type CutoffView,
  type Environment,
} from '@latchkey/contracts';
import { audit, auditEach, authorize, carryOut, enter, type Actor } from '@latchkey/access';
import { ApiKey, isId, IsNull, newId, RepositoryUser, type Database, type EntityManager, type Repository } from '@latchkey/database';
import { announce, announceEach } from '@latchkey/jobs';
import { CredentialRefused } from './credential-refused.js';
import type { Answer, CredentialCheck } from './check.js';
import { announced, carryOutCutoff, recordCutoff, type PendingCutoff } from './cutoff.js';
import type { KeyRing } from './key-ring.js';
import { PlainSecret } from './plain-secret.js';
import type { KnownRepository } from './repository-directory.js';

const yearMillis = 365 * 86_400_000;

/** Live keys that one user may have. */
const maxLiveKeys = 100;

/** An API key that was alive when the check was made. */
export interface VerifiedApiKey {
  keyId: string;
  userId: number;
  loginName: string;
  permissions: string[];
}

/** Whose keys are meant. */
interface Owner {
  tenantId: string;
  repositoryId: string;
  userId: number;
}

/**
 * Verifies an API key by the keyed hash of its whole value, under each of the peppers. One gathered statement. A malformed key, or one of the other environment, is refused without a look-up.
 *
 * @throws CredentialRefused for anything but a live key of this repository whose user is enabled.
 * @throws the driver's error when the primary cannot be asked.
 */
export async function verifyApiKey(
  check: CredentialCheck,
  peppers: KeyRing,
  repository: KnownRepository,
  presented: string,
): Promise<VerifiedApiKey> {
  const secret = PlainSecret.parse(presented, repository.environment, 'ak');
  if (!secret) throw new CredentialRefused('it is not an API key');
  const asked = peppers.ids.map((id) => check.ask({ repositoryId: repository.id, keyHash: peppers.mac(secret.reveal(), id) }));
  const answers = await Promise.all(asked);
  const answer: Answer | undefined = answers.find((each) => each?.apiKey) ?? answers[0];
  if (!answer?.repository.alive) throw new CredentialRefused('the repository is not active');
  const { apiKey, subject } = answer;
  if (!apiKey) throw new CredentialRefused('there is no such API key');
  if (!apiKey.alive) throw new CredentialRefused('the API key has ended');
  if (!subject?.enabled) throw new CredentialRefused('the user is disabled or gone');
  return { keyId: apiKey.id, userId: subject.id, loginName: subject.loginName, permissions: apiKey.permissions };
}

/** Makes a key of a user. The value is in the result and nowhere else. The caller of this has authorised the act. */
export async function insertApiKey(
  tx: EntityManager,
  peppers: KeyRing,
  actor: Actor,
  { environment, ...owner }: Owner & { environment: Environment },
  { name, permissions, expiresAt }: CreateApiKeyBody,
): Promise<CreatedApiKeyView> {
  const end = expiresAt === undefined ? new Date(Date.now() + yearMillis) : new Date(expiresAt);
  if (end.getTime() <= Date.now()) {
    throw new Problem('invalid-request', 'The key would be dead on arrival.', {
      errors: [{ pointer: '/expiresAt', detail: 'must be in the future' }],
    });
  }
  // The user's row orders those who make keys at once, so that the limit holds.
  const user = await tx.findOne(RepositoryUser, {
    where: { repositoryId: owner.repositoryId, id: owner.userId, deletedAt: IsNull(), trashedAt: IsNull() },
    lock: { mode: 'pessimistic_write' },
  });
  if (!user) throw new Problem('not-found', 'There is no such user in this repository.');
  if ((await liveKeys(tx, owner)).length >= maxLiveKeys) {
    throw new Problem('secret-limit', `A user may have ${maxLiveKeys} live API keys, and this one has. Delete one first.`);
  }
  const secret = PlainSecret.generate(environment, 'ak');
  const row = { id: newId(), hint: secret.hint, name, permissions, createdAt: new Date(), expiresAt: end, endedAt: null };
  await tx.insert(ApiKey, { ...row, ...owner, hash: peppers.mac(secret.reveal()), pepperId: peppers.currentId });
  const { repositoryId, userId } = owner;
  await audit(tx, actor, { action: 'api-key.created', repositoryId, targetKind: 'api-key', targetId: row.id, details: { userId } });
  await announce(tx, owner.tenantId, 'api-key.created', { repositoryId, apiKeyId: row.id, userId });
  return { ...present({ ...row, ...owner, lastUsedAt: null }), value: secret.reveal() };
}

/** The live keys of a user, the latest first, without their values. The caller has authorised the act. */
export async function listApiKeys(tx: EntityManager, owner: Owner): Promise<ApiKeyView[]> {
  return (await liveKeys(tx, owner)).map(present);
}

/** A live key of the repository by its value, its masked value or its id. */
export async function findApiKey(
  tx: EntityManager,
  peppers: KeyRing,
  repositoryId: string,
  named: string,
): Promise<{ id: string; userId: number } | undefined> {
  const hashes = peppers.ids.map((id) => peppers.mac(named, id));
  const rows: { id: string; userId: number }[] = await tx.query(
    `SELECT id, user_id AS "userId" FROM api_keys WHERE repository_id = $1 AND ended_at IS NULL AND expires_at > now()
       AND (hash = ANY($2) OR id = $3 OR hint = $4) ORDER BY created_at DESC LIMIT 2`,
    [repositoryId, hashes, isId(named) ? named : null, named],
  );
  // Two keys may look alike when masked; then the value or the id must say which.
  return rows.length === 1 ? rows[0] : undefined;
}

/** Which keys to end: one of a user by its id, all of a user, or all of the repository. */
export interface KeysToEnd {
  tenantId: string;
  repositoryId: string;
  userId?: number;
  keyId?: string;
}

/**
 * Ends keys, with the cut-off and its audit trail. The caller has authorised the act and confirms the cut-off after the
 * commit. As many statements for all keys of a repository as for one, up to five hundred.
 *
 * @returns nothing when there was no such live key.
 */
export async function endApiKeys(
  tx: EntityManager,
  actor: Actor,
  { tenantId, repositoryId, userId, keyId }: KeysToEnd,
): Promise<PendingCutoff | undefined> {
  if (keyId !== undefined && !isId(keyId)) return undefined;
  const [ended]: [{ id: string }[], number] = await tx.query(
    `UPDATE api_keys SET ended_at = now() WHERE repository_id = $1 AND ended_at IS NULL
       AND ($2::integer IS NULL OR user_id = $2) AND ($3::uuid IS NULL OR id = $3) RETURNING id`,
    [repositoryId, userId ?? null, keyId ?? null],
  );
  if (ended.length === 0) return undefined;
  const cutoff = await recordCutoff(
    tx,
    { id: repositoryId, tenantId },
    { kind: 'api-key.deleted', userId, ended: { apiKeyIds: ended.map(({ id }) => id) } },
  );
  const deed = { action: 'api-key.deleted', repositoryId, targetKind: 'api-key', details: { cutoffId: cutoff.id } };
  const deeds = ended.map(({ id }) => ({ ...deed, targetId: id }));
  await auditEach(tx, actor, deeds);
  const events = ended.map(({ id }) => ({ repositoryId, apiKeyId: id, ...announced(cutoff) }));
  await announceEach(tx, tenantId, 'api-key.deleted', events);
  return cutoff;
}

/** The API keys of the users of a tenant's repositories. */
export class ApiKeys {
  readonly #database: Database;
  readonly #peppers: KeyRing;

  constructor(database: Database, peppers: KeyRing) {
    this.#database = database;
    this.#peppers = peppers;
  }

  async list(actor: Actor, slug: string, userId: number): Promise<ApiKeyView[]> {
    authorize(actor, 'repositories:read');
    return this.#database.read({ tenantId: actor.tenantId }, async (tx) => listApiKeys(tx, await this.#owner(tx, slug, userId)));
  }

  /** @throws Problem `secret-limit` when the user has a hundred live keys. */
  async create(actor: Actor, slug: string, userId: number, body: CreateApiKeyBody): Promise<CreatedApiKeyView> {
    authorize(actor, 'clients:write');
    return carryOut(
      this.#database,
      actor,
      async (tx) => insertApiKey(tx, this.#peppers, actor, await this.#owner(tx, slug, userId), body),
      { answerIsSecret: true },
    );
  }

  /** Ends one key, or all of the user's. When it resolves, no node accepts them. */
  async delete(actor: Actor, slug: string, userId: number, keyId?: string): Promise<{ cutoff: CutoffView | null }> {
    return this.#end(actor, slug, async (tx) => ({ ...(await this.#owner(tx, slug, userId)), keyId }));
  }

  /** Ends every key of a repository. When it resolves, no node accepts one. */
  async deleteAll(actor: Actor, slug: string): Promise<{ cutoff: CutoffView | null }> {
    return this.#end(actor, slug, async (tx) => {
      const repository = await enter(tx, slug);
      return { tenantId: repository.tenantId, repositoryId: repository.id };
    });
  }

  async #end(actor: Actor, slug: string, which: (tx: EntityManager) => Promise<KeysToEnd>): Promise<{ cutoff: CutoffView | null }> {
    authorize(actor, 'clients:write');
    return carryOutCutoff(this.#database, actor, async (tx) => {
      const keys = await which(tx);
      const pending = await endApiKeys(tx, actor, keys);
      if (!pending && keys.keyId !== undefined) throw new Problem('not-found', 'The user has no such API key.');
      // Without a live key there is nothing to cut off.
      return { repositoryId: keys.repositoryId, cutoff: pending ?? null };
    });
  }

  async #owner(tx: EntityManager, slug: string, userId: number): Promise<Owner & { environment: Environment }> {
    const repository: Repository = await enter(tx, slug);
    const exists = await tx.existsBy(RepositoryUser, { repositoryId: repository.id, id: userId });
    if (!exists) throw new Problem('not-found', 'There is no such user in this repository.');
    return { tenantId: repository.tenantId, repositoryId: repository.id, userId, environment: repository.environment };
  }
}

type ListedKey = Omit<ApiKey, 'hash' | 'pepperId'> & { lastUsedAt: Date | null };

async function liveKeys(tx: EntityManager, { repositoryId, userId }: Owner): Promise<ListedKey[]> {
  return tx.query(
    `SELECT k.id, k.hint, k.name, k.permissions, k.user_id AS "userId", k.created_at AS "createdAt", k.expires_at AS "expiresAt",
       (SELECT max(u.last_used_at) FROM credential_uses u WHERE u.repository_id = k.repository_id AND u.credential_id = k.id::text) AS "lastUsedAt"
     FROM api_keys k WHERE k.repository_id = $1 AND k.user_id = $2 AND k.ended_at IS NULL AND k.expires_at > now() ORDER BY k.created_at DESC, k.id DESC`,
    [repositoryId, userId],
  );
}

function present(key: ListedKey): ApiKeyView {
  return {
    id: key.id,
    hint: key.hint,
    name: key.name,
    permissions: key.permissions,
    userId: key.userId,
    createdAt: key.createdAt.toISOString(),
    expiresAt: key.expiresAt.toISOString(),
    lastUsedAt: key.lastUsedAt?.toISOString() ?? null,
  };
}
