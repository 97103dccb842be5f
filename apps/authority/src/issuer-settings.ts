import { createPrivateKey, type KeyObject } from 'node:crypto';
import type { KnownRepository, PrivateJwk } from '@latchkey/credentials';
import { IdentityProvider, Repository } from '@latchkey/database';
import type { Authority } from './authority.js';

/** What an issuer is made of, as one version of the repository's settings says. */
export interface IssuerSettings {
  row: Repository;
  /** Those that people can sign in with. */
  identityProviders: Pick<IdentityProvider, 'id' | 'name'>[];
  /** The one that signs comes first. */
  keys: PrivateJwk[];
  /** Until when they stay as they are if nobody changes them, in milliseconds since the epoch: a key may be about to sign. */
  until: number;
}

export async function loadSettings({ database, keys, encryption }: Authority, repository: KnownRepository): Promise<IssuerSettings> {
  const [[row, identityProviders], { jwks, forMillis }] = await Promise.all([
    database.read({ repositoryId: repository.id }, (tx) => {
      const where = { repositoryId: repository.id, enabled: true };
      const order = { createdAt: 'ASC', id: 'ASC' } as const;
      return Promise.all([
        tx.findOneByOrFail(Repository, { id: repository.id }),
        tx.find(IdentityProvider, { select: { repositoryId: true, id: true, name: true }, where, order }),
      ]);
    }),
    keys.privateKeys(repository, encryption),
  ]);
  return { row, identityProviders, keys: jwks, until: Date.now() + forMillis };
}

/** How tokens are signed with one key: the first part of every JWS by it (RFC 7515 §3.1), and the key. */
export interface Signer {
  header: string;
  key: KeyObject;
}

const signers = new WeakMap<IssuerSettings, Signer | null>();

/** The key that signs access tokens now, ready for use; nothing if it is not one for ES256. */
export function signerOf(settings: IssuerSettings): Signer | undefined {
  const known = signers.get(settings);
  if (known !== undefined) return known ?? undefined;
  const [jwk] = settings.keys;
  const signer = jwk?.alg === 'ES256' ? { header: headerOf(jwk), key: createPrivateKey({ key: jwk, format: 'jwk' }) } : null;
  signers.set(settings, signer);
  return signer ?? undefined;
}

function headerOf({ alg, kid }: PrivateJwk): string {
  return Buffer.from(JSON.stringify({ alg, typ: 'at+jwt', kid })).toString('base64url');
}
