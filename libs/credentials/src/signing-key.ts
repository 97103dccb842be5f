import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPair,
  generateKeyPairSync,
  type KeyObject,
  type webcrypto,
} from 'node:crypto';
import { promisify } from 'node:util';
import { prepared, Repository, SigningKey, type Database, type EntityManager } from '@latchkey/database';
import type { KeyRing } from './key-ring.js';
import type { KnownRepository } from './repository-directory.js';

/** A private key as a JWK (RFC 7517), with its id, algorithm and use. */
export type PrivateJwk = webcrypto.JsonWebKey & { kid: string; alg: string; use: 'sig' };

export type SigningAlgorithm = 'ES256' | 'RS256';

/** A key pair, its private half encrypted. */
export type SealedKey = Pick<SigningKey, 'publicJwk' | 'privateKey' | 'encryptionKeyId'>;

const generate = promisify(generateKeyPair);

/**
 * Makes a key pair. ES256 takes 0.05 ms, less than the way to another thread and back; RS256 (2048 bits) takes 260 ms of a core,
 * beside the event loop.
 */
export async function generateSealedKey(encryption: KeyRing, algorithm: SigningAlgorithm): Promise<SealedKey> {
  const { privateKey, publicKey } =
    algorithm === 'ES256' ? generateKeyPairSync('ec', { namedCurve: 'P-256' }) : await generate('rsa', { modulusLength: 2048 });
  const jwk = publicKey.export({ format: 'jwk' }) as webcrypto.JsonWebKey;
  const { keyId, sealed } = encryption.seal(privateKey.export({ format: 'der', type: 'pkcs8' }));
  return { publicJwk: { ...jwk, kid: thumbprint(jwk), alg: algorithm, use: 'sig' }, privateKey: sealed, encryptionKeyId: keyId };
}

/** RFC 7638 §3: the members that a key consists of, in the order of their names. */
function thumbprint({ kty, crv, x, y, e, n }: webcrypto.JsonWebKey): string {
  const members = kty === 'EC' ? { crv, kty, x, y } : { e, kty, n };
  return createHash('sha256').update(JSON.stringify(members)).digest('base64url');
}

/**
 * Stores a key of a repository. It is published from the commit on.
 *
 * An RS256 key is one of those that the worker has prepared; only when none is left is it made here.
 *
 * @param options.afterSeconds when it begins to sign.
 */
export async function createSigningKey(
  tx: EntityManager,
  encryption: KeyRing,
  repository: { tenantId: string; id: string },
  { algorithm = 'ES256', afterSeconds = 0 }: { algorithm?: SigningAlgorithm; afterSeconds?: number } = {},
): Promise<SigningKey> {
  const made = (algorithm === 'RS256' ? await takePrepared(tx, algorithm) : undefined) ?? (await generateSealedKey(encryption, algorithm));
  return insertSigningKey(tx, repository, made, { algorithm, afterSeconds });
}

/** Stores a key that was made before. @param options.afterSeconds when it begins to sign. */
async function insertSigningKey(
  tx: EntityManager,
  repository: { tenantId: string; id: string },
  { publicJwk, privateKey, encryptionKeyId }: SealedKey,
  { algorithm, afterSeconds }: { algorithm: SigningAlgorithm; afterSeconds: number },
): Promise<SigningKey> {
  const owner = [repository.id, repository.tenantId];
  // Its times come from the clock of the database, which is the one that they are compared with.
  const [row] = await prepared<Pick<SigningKey, 'createdAt' | 'signsAt'>>(
    tx,
    `INSERT INTO signing_keys (repository_id, tenant_id, kid, algorithm, public_jwk, private_key, encryption_key_id, created_at, signs_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, now(), now() + make_interval(secs => $8)) RETURNING created_at AS "createdAt", signs_at AS "signsAt"`,
    [...owner, publicJwk.kid, algorithm, publicJwk, privateKey, encryptionKeyId, afterSeconds],
  );
  if (!row) throw new Error('the key was not stored');
  const [repositoryId, tenantId] = [repository.id, repository.tenantId];
  return { repositoryId, tenantId, kid: publicJwk.kid, algorithm, publicJwk, privateKey, encryptionKeyId, retiredAt: null, ...row };
}

async function takePrepared(tx: EntityManager, algorithm: SigningAlgorithm): Promise<SealedKey | undefined> {
  const [taken] = await tx.query<SealedKey[]>(
    `SELECT public_jwk AS "publicJwk", private_key AS "privateKey", encryption_key_id AS "encryptionKeyId" FROM take_prepared_key($1)`,
    [algorithm],
  );
  return taken;
}

/** The private keys of a repository. */
export interface PrivateKeys {
  /** The one that signs now comes first, then those that will, then those that did. */
  jwks: PrivateJwk[];
  /** How long it stays so, if nothing is changed: until another key begins to sign. */
  forMillis: number;
}

interface PublicKeys {
  settingsVersion: number;
  keys: Map<string, KeyObject>;
}

/** Repositories whose public keys a process remembers at most. */
const remembered = 50_000;

/** The signing keys of all repositories, as an app that signs or verifies needs them. */
export class SigningKeys {
  readonly #database: Database;
  readonly #public = new Map<string, PublicKeys>();

  constructor(database: Database) {
    this.#database = database;
  }

  /**
   * The public key that a repository's token names, or nothing if the repository has none of that id. A key never changes,
   * so it is remembered, and whoever uses it asks `stillPublished` afterwards; an id that is not there is looked up again
   * each time.
   */
  async publicKey(repository: KnownRepository, kid: string): Promise<KeyObject | undefined> {
    const known = this.#public.get(repository.id)?.keys.get(kid);
    return known ?? (await this.#load(repository)).keys.get(kid);
  }

  /**
   * Whether the repository has the key, now that a check has said which version its settings have: taking a key away raises
   * it, in the same transaction. So a key that was taken away verifies nothing on any node, and nobody has to be told.
   */
  async stillPublished(repository: KnownRepository, kid: string, settingsVersion: number): Promise<boolean> {
    const known = this.#public.get(repository.id);
    const keys = known && known.settingsVersion >= settingsVersion ? known.keys : (await this.#load(repository)).keys;
    return keys.has(kid);
  }

  /** One statement, so that keys and version are of the same moment. */
  async #load(repository: KnownRepository): Promise<PublicKeys> {
    const rows = await this.#database.read({ repositoryId: repository.id }, (tx) =>
      tx.query<{ settingsVersion: number; publicJwk: (webcrypto.JsonWebKey & { kid: string }) | null }[]>(
        `SELECT r.settings_version AS "settingsVersion", k.public_jwk AS "publicJwk"
         FROM repositories r LEFT JOIN signing_keys k ON k.repository_id = r.id WHERE r.id = $1`,
        [repository.id],
      ),
    );
    const keys = rows.flatMap(({ publicJwk }) => (publicJwk ? [publicJwk] : []));
    const loaded = {
      settingsVersion: rows[0]?.settingsVersion ?? 0,
      keys: new Map(keys.map((key) => [key.kid, createPublicKey({ key, format: 'jwk' })])),
    };
    this.#public.delete(repository.id);
    if (this.#public.size >= remembered) this.#public.delete(this.#public.keys().next().value as string);
    this.#public.set(repository.id, loaded);
    return loaded;
  }

  /** Every key of a repository with its private half. */
  async privateKeys(repository: KnownRepository, encryption: KeyRing): Promise<PrivateKeys> {
    const { entities, raw } = await this.#database.read({ repositoryId: repository.id }, (tx) =>
      tx
        .createQueryBuilder(SigningKey, 'k')
        .addSelect(`extract(epoch FROM k.signs_at - now())::float8 * 1000`, 'in_millis')
        .where('k.repositoryId = :id', { id: repository.id })
        // Signing, published, retired; of several that could sign the latest does.
        .orderBy('(k.retired_at IS NOT NULL AND k.retired_at <= now())')
        .addOrderBy('(k.signs_at > now())')
        .addOrderBy('k.signs_at', 'DESC')
        .getRawAndEntities<{ in_millis: number }>(),
    );
    const ahead = raw.map((row) => row.in_millis).filter((millis) => millis > 0);
    return { jwks: entities.map((row) => open(row, encryption)), forMillis: Math.min(...ahead, Infinity) };
  }
}

function open(row: SigningKey, encryption: KeyRing): PrivateJwk {
  const key = createPrivateKey({ key: encryption.open(row.encryptionKeyId, row.privateKey), format: 'der', type: 'pkcs8' });
  return { ...(key.export({ format: 'jwk' }) as webcrypto.JsonWebKey), kid: row.kid, alg: row.algorithm, use: 'sig' };
}

/**
 * Gives a repository a new key in the place of the one that signs, in a transaction that holds the repository's row. The
 * earlier one signs until then and is published on, so that what it signed can still be verified; `tendSigningKeys` removes it.
 */
export async function replaceSigningKey(
  tx: EntityManager,
  encryption: KeyRing,
  repository: Repository,
  { algorithm = repository.settings.signingAlgorithm, afterSeconds }: { algorithm?: SigningAlgorithm; afterSeconds: number },
): Promise<SigningKey> {
  // One that was to follow and has not signed yet makes way for this one.
  await tx.query(`UPDATE signing_keys SET retired_at = now() WHERE repository_id = $1 AND signs_at > now()`, [repository.id]);
  await tx.query(
    `UPDATE signing_keys SET retired_at = now() + make_interval(secs => $2)
     WHERE repository_id = $1 AND signs_at <= now() AND (retired_at IS NULL OR retired_at > now())`,
    [repository.id, afterSeconds],
  );
  return createSigningKey(tx, encryption, repository, { algorithm, afterSeconds });
}
