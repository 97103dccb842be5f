import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, type webcrypto } from 'node:crypto';
import { calculateJwkThumbprint } from 'jose';
import { SigningKey, type Database, type EntityManager } from '@latchkey/database';
import type { KeyRing } from './key-ring.js';
import type { KnownRepository } from './repository-directory.js';

/** A private key as a JWK (RFC 7517), with its id, algorithm and use. */
export type PrivateJwk = webcrypto.JsonWebKey & { kid: string; alg: string; use: 'sig' };

/** Public keys that a process remembers at most. */
const remembered = 100_000;

/**
 * Makes an ES256 key for a repository and stores it encrypted. It is published and signs from the commit on.
 *
 * ES256 because making it takes 0.15 ms, so that provisioning can do it while the caller waits.
 */
export async function createSigningKey(
  tx: EntityManager,
  encryption: KeyRing,
  repository: { tenantId: string; id: string },
): Promise<void> {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = publicKey.export({ format: 'jwk' }) as webcrypto.JsonWebKey;
  const kid = await calculateJwkThumbprint(jwk as Parameters<typeof calculateJwkThumbprint>[0]);
  const { keyId, sealed } = encryption.seal(privateKey.export({ format: 'der', type: 'pkcs8' }));
  await tx.insert(SigningKey, {
    repositoryId: repository.id,
    kid,
    tenantId: repository.tenantId,
    algorithm: 'ES256',
    publicJwk: { ...jwk, kid, alg: 'ES256', use: 'sig' } as object,
    privateKey: sealed,
    encryptionKeyId: keyId,
  });
}

/** The signing keys of all repositories, as an app that signs or verifies needs them. */
export class SigningKeys {
  readonly #database: Database;
  readonly #public = new Map<string, KeyObject>();

  constructor(database: Database) {
    this.#database = database;
  }

  /**
   * The public key that a repository's token names, or nothing if the repository has none of that id. A key never changes,
   * so it is remembered; an id that is not there is looked up again each time.
   */
  async publicKey(repository: KnownRepository, kid: string): Promise<KeyObject | undefined> {
    const name = `${repository.id} ${kid}`;
    const known = this.#public.get(name);
    if (known) return known;
    const row = await this.#database.read({ repositoryId: repository.id }, (tx) =>
      tx.findOneBy(SigningKey, { repositoryId: repository.id, kid }),
    );
    if (!row) return undefined;
    const key = createPublicKey({ key: row.publicJwk as never, format: 'jwk' });
    if (this.#public.size >= remembered) this.#public.delete(this.#public.keys().next().value as string);
    this.#public.set(name, key);
    return key;
  }

  /** Every key of a repository with its private half, the one that signs first. */
  async privateJwks(repository: KnownRepository, encryption: KeyRing): Promise<PrivateJwk[]> {
    const rows = await this.#database.read({ repositoryId: repository.id }, (tx) =>
      tx.find(SigningKey, {
        where: { repositoryId: repository.id },
        order: { retiredAt: { direction: 'ASC', nulls: 'FIRST' }, createdAt: 'DESC' },
      }),
    );
    return rows.map((row) => {
      const key = createPrivateKey({ key: encryption.open(row.encryptionKeyId, row.privateKey), format: 'der', type: 'pkcs8' });
      return { ...(key.export({ format: 'jwk' }) as webcrypto.JsonWebKey), kid: row.kid, alg: row.algorithm, use: 'sig' };
    });
  }
}
