import type { RotatedKeyView, RotateKeyBody, SigningKeyView } from '@latchkey/contracts';
import { audit, authorize, enter, systemActor, type Actor } from '@latchkey/access';
import { newId, Repository, SigningKey, type Database, type EntityManager } from '@latchkey/database';
import { carryOutCutoff, recordCutoff } from './cutoff.js';
import type { KeyRing } from './key-ring.js';
import { createSigningKey, generateSealedKey, replaceSigningKey } from './signing-key.js';

/** The signing keys of a tenant's repositories, as its members and machines manage them. */
export class RepositoryKeys {
  readonly #database: Database;
  readonly #encryption: KeyRing;

  constructor(database: Database, encryption: KeyRing) {
    this.#database = database;
    this.#encryption = encryption;
  }

  /** Every key that is published, the latest first. */
  async list(actor: Actor, slug: string): Promise<SigningKeyView[]> {
    authorize(actor, 'repositories:read');
    return this.#database.read({ tenantId: actor.tenantId }, async (tx) => {
      const repository = await enter(tx, slug);
      const rows = await tx.find(SigningKey, { where: { repositoryId: repository.id }, order: { signsAt: 'DESC', kid: 'ASC' } });
      return rows.map((row) => present(row, new Date()));
    });
  }

  /**
   * Makes a new key, which is published at once and signs after `afterSeconds`. What the earlier one signed goes on being
   * verified until that is removed.
   *
   * A key that others may know is given up with `compromised`: when the call resolves, every earlier key is gone, no node
   * accepts what any of them signed, whoever signed it, and all access tokens of the repository have ended.
   */
  async rotate(actor: Actor, slug: string, { afterSeconds, compromised }: RotateKeyBody): Promise<RotatedKeyView> {
    authorize(actor, 'repositories:write');
    return carryOutCutoff(this.#database, actor, async (tx) => {
      const repository = await enter(tx, slug, { lock: true });
      const { key, cutoff } = compromised
        ? await this.#giveUp(tx, repository)
        : { key: await replaceSigningKey(tx, this.#encryption, repository, { afterSeconds }), cutoff: null };
      await raiseSettingsVersion(tx, repository);
      const details = compromised ? { compromised, cutoffId: cutoff?.id } : { afterSeconds };
      const target = { repositoryId: repository.id, targetKind: 'signing-key', targetId: key.kid };
      await audit(tx, actor, { action: 'signing-key.rotated', ...target, details });
      return { key: present(key, new Date()), repositoryId: repository.id, cutoff };
    });
  }

  async #giveUp(tx: EntityManager, repository: Repository) {
    const generation = repository.generation + 1;
    await tx.delete(SigningKey, { repositoryId: repository.id });
    await tx.update(Repository, { tenantId: repository.tenantId, id: repository.id }, { generation });
    const { signingAlgorithm: algorithm } = repository.settings;
    const key = await createSigningKey(tx, this.#encryption, repository, { algorithm });
    const cutoff = await recordCutoff(tx, repository, { kind: 'signing-key.compromised', ended: { belowGeneration: generation } });
    return { key, cutoff };
  }
}

/** Tells every node, by the answer to its next check, that the keys are others. */
async function raiseSettingsVersion(tx: EntityManager, { tenantId, id, settingsVersion }: Repository): Promise<void> {
  await tx.update(Repository, { tenantId, id }, { settingsVersion: settingsVersion + 1 });
}

function present({ kid, algorithm, createdAt, signsAt, retiredAt }: SigningKey, now: Date): SigningKeyView {
  return {
    kid,
    algorithm: algorithm === 'RS256' ? 'RS256' : 'ES256',
    status: retiredAt && retiredAt <= now ? 'retired' : signsAt > now ? 'published' : 'signing',
    createdAt: createdAt.toISOString(),
    signsAt: signsAt.toISOString(),
    retiredAt: retiredAt?.toISOString() ?? null,
  };
}

export interface KeyPolicy {
  /** After how long a key makes way for another; 0 leaves it until somebody asks. */
  rotateAfterSeconds: number;
  /** How long a new key is published before it signs: longer than anybody remembers the keys of a repository. */
  publishSeconds: number;
  /** How long a retired key is published: longer than anything that it signed is looked at. */
  keepSeconds: number;
  /** RSA keys that lie ready. */
  prepared: number;
}

/** Repositories or rows that one transaction looks after, so that none holds locks for long. */
const batchSize = 50;
const maxBatches = 200;

/** What was done in one run. */
export interface TendedKeys {
  rotated: number;
  removed: number;
  prepared: number;
  encryptedAnew: number;
}

/**
 * Looks after the signing keys of all repositories: replaces those that are old enough, removes those that were retired long
 * ago, keeps keys ready that take long to make, and encrypts under the newest key-encryption key what still lies under
 * another. Safe to repeat and to be cut short; two at once take turns.
 */
export async function tendSigningKeys(
  database: Database,
  encryption: KeyRing,
  policy: KeyPolicy,
  signal?: AbortSignal,
): Promise<TendedKeys> {
  const each = async (step: () => Promise<number>, limit = maxBatches) => {
    let done = 0;
    for (let batch = 0; batch < limit; batch++) {
      const count = signal?.aborted ? 0 : await step();
      if (count === 0) break;
      done += count;
    }
    return done;
  };
  return {
    rotated: policy.rotateAfterSeconds > 0 ? await each(() => rotateOld(database, encryption, policy)) : 0,
    removed: await each(() => removeRetired(database, policy)),
    encryptedAnew: await each(() => encryptAnew(database, encryption)),
    prepared: await each(() => prepare(database, encryption, policy), policy.prepared),
  };
}

async function rotateOld(database: Database, encryption: KeyRing, { rotateAfterSeconds, publishSeconds }: KeyPolicy): Promise<number> {
  return database.transaction('system', async (tx) => {
    const repositories = await lockRepositories(
      tx,
      `SELECT k.repository_id FROM signing_keys k JOIN repositories r ON r.id = k.repository_id
       WHERE k.retired_at IS NULL AND k.signs_at < now() - make_interval(secs => $1) AND r.deleted_at IS NULL LIMIT ${batchSize}`,
      rotateAfterSeconds,
    );
    for (const repository of repositories) {
      const key = await replaceSigningKey(tx, encryption, repository, { afterSeconds: publishSeconds });
      await noteChange(tx, repository, 'signing-key.rotated', key.kid, { afterSeconds: publishSeconds });
    }
    return repositories.length;
  });
}

async function removeRetired(database: Database, { keepSeconds }: KeyPolicy): Promise<number> {
  return database.transaction('system', async (tx) => {
    const retired = 'k.retired_at IS NOT NULL AND k.retired_at < now() - make_interval(secs => $1)';
    const repositories = await lockRepositories(
      tx,
      `SELECT k.repository_id FROM signing_keys k WHERE ${retired} LIMIT ${batchSize}`,
      keepSeconds,
    );
    for (const repository of repositories) {
      const [rows] = await tx.query<[{ kid: string }[], number]>(
        `DELETE FROM signing_keys k WHERE ${retired} AND k.repository_id = $2 RETURNING k.kid`,
        [keepSeconds, repository.id],
      );
      for (const { kid } of rows) await noteChange(tx, repository, 'signing-key.removed', kid);
    }
    return repositories.length;
  });
}

/** Holds the rows of those that nobody else holds; the others have their turn in the next run. */
async function lockRepositories(tx: EntityManager, ids: string, seconds: number): Promise<Repository[]> {
  return tx
    .createQueryBuilder(Repository, 'r')
    .where(`r.id IN (${ids.replaceAll('$1', ':seconds')})`, { seconds })
    .setLock('pessimistic_write')
    .setOnLocked('skip_locked')
    .getMany();
}

async function noteChange(tx: EntityManager, repository: Repository, action: string, kid: string, details = {}): Promise<void> {
  await raiseSettingsVersion(tx, repository);
  const target = { repositoryId: repository.id, targetKind: 'signing-key', targetId: kid };
  await audit(tx, systemActor(repository.tenantId, 'worker'), { action, ...target, details });
}

/** One at a time, since each takes a good part of a second. */
async function prepare(database: Database, encryption: KeyRing, { prepared }: KeyPolicy): Promise<number> {
  const count = () =>
    database.read('system', async (tx) => {
      const [row] = await tx.query<{ count: number }[]>(`SELECT count(*)::integer AS count FROM prepared_keys WHERE algorithm = 'RS256'`);
      return row?.count ?? 0;
    });
  if ((await count()) >= prepared) return 0;
  const key = await generateSealedKey(encryption, 'RS256');
  await database.transaction('system', (tx) =>
    tx.query('INSERT INTO prepared_keys (id, algorithm, public_jwk, private_key, encryption_key_id) VALUES ($1, $2, $3, $4, $5)', [
      newId(),
      'RS256',
      key.publicJwk,
      key.privateKey,
      key.encryptionKeyId,
    ]),
  );
  return 1;
}

/** Whatever is encrypted at rest: the table, the value, and the id of the key that it lies under. */
export const sealedColumns = [
  { table: 'signing_keys', value: 'private_key', keyId: 'encryption_key_id' },
  { table: 'prepared_keys', value: 'private_key', keyId: 'encryption_key_id' },
  { table: 'webhooks', value: 'signing_secret', keyId: 'encryption_key_id' },
  { table: 'webhooks', value: 'previous_signing_secret', keyId: 'previous_encryption_key_id' },
  { table: 'totp_secrets', value: 'secret', keyId: 'encryption_key_id' },
  { table: 'identity_providers', value: 'client_secret', keyId: 'encryption_key_id' },
];

/** One batch of what lies under an earlier key-encryption key. */
async function encryptAnew(database: Database, encryption: KeyRing): Promise<number> {
  const earlier = encryption.ids.slice(1);
  if (earlier.length === 0) return 0;
  let done = 0;
  for (const { table, value, keyId } of sealedColumns) {
    done += await database.transaction('system', async (tx) => {
      const rows = await tx.query<{ row: string; value: Buffer; keyId: string }[]>(
        `SELECT ctid::text AS row, ${value} AS value, ${keyId} AS "keyId" FROM ${table}
         WHERE ${keyId} = ANY($1) AND octet_length(${value}) > 0 LIMIT ${batchSize} FOR UPDATE SKIP LOCKED`,
        [earlier],
      );
      for (const row of rows) {
        const { keyId: newKeyId, sealed } = encryption.seal(encryption.open(row.keyId, row.value));
        // The row is held, so it is where it was.
        await tx.query(`UPDATE ${table} SET ${value} = $1, ${keyId} = $2 WHERE ctid = $3::tid`, [sealed, newKeyId, row.row]);
      }
      return rows.length;
    });
  }
  return done;
}
