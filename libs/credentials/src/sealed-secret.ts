import { createPublicKey } from 'node:crypto';
import { Problem, type EncryptionKey, type NewSecretView } from '@latchkey/contracts';
import { calculateJwkThumbprint, CompactEncrypt } from 'jose';

/** How a content key is encrypted for a key of this type (RFC 7518 §4). */
const algorithmOf: Record<EncryptionKey['kty'], string> = { RSA: 'RSA-OAEP-256', EC: 'ECDH-ES+A256KW', OKP: 'ECDH-ES+A256KW' };

/** RSA: smaller ones can be broken, larger ones cost whoever regenerates. */
const modulusBits = { least: 2048, most: 4096 };
const exponents = { least: 65_537n, most: 2n ** 32n };

/** A secret, and whose it is, so that whoever opens it can tell that it belongs to the event that it came with. */
export interface SecretToSeal {
  clientId: string;
  secretId: string;
  secret: string;
}

/**
 * Encrypts a secret to a public key as a compact JWE (RFC 7516 §7.1): only the holder of the private key can open it. The
 * plaintext is JSON.
 */
export async function sealSecret(key: EncryptionKey, secret: SecretToSeal): Promise<string> {
  const { clientId, secretId, secret: value } = secret;
  const plaintext = new TextEncoder().encode(JSON.stringify({ clientId, secretId, secret: value }));
  const header = { alg: algorithmOf[key.kty], enc: 'A256GCM', kid: key.kid ?? (await thumbprintOf(key)), cty: 'json' };
  return new CompactEncrypt(plaintext).setProtectedHeader(header).encrypt(createPublicKey({ key: publicPart(key), format: 'jwk' }));
}

/** Seals a secret that was just made to the keys of those who are to have it. */
export function sealingOf(clientId: string, { id: secretId, value: secret }: NewSecretView): (key: EncryptionKey) => Promise<string> {
  return (key) => sealSecret(key, { clientId, secretId, secret });
}

/** SHA-256 thumbprint of a key (RFC 7638), by which people compare it. */
export async function thumbprintOf(key: EncryptionKey): Promise<string> {
  return calculateJwkThumbprint(publicPart(key));
}

/**
 * Takes a key for good, reduced to what it consists of.
 *
 * @throws Problem `invalid-request` for one that is too weak, too large, or none at all, such as a point beside its curve.
 */
export async function acceptEncryptionKey(key: EncryptionKey): Promise<EncryptionKey> {
  const accepted = { ...publicPart(key), ...(key.kid === undefined ? {} : { kid: key.kid }) } as EncryptionKey;
  const fault = await faultOf(accepted);
  if (fault === undefined) return accepted;
  throw new Problem('invalid-request', 'Nothing can be encrypted to this key.', { errors: [{ pointer: '/encryptionKey', detail: fault }] });
}

async function faultOf(key: EncryptionKey): Promise<string | undefined> {
  try {
    const { modulusLength = 0, publicExponent = 0n } = createPublicKey({ key: publicPart(key), format: 'jwk' }).asymmetricKeyDetails ?? {};
    if (key.kty === 'RSA' && (modulusLength < modulusBits.least || modulusLength > modulusBits.most))
      return `must have ${modulusBits.least} to ${modulusBits.most} bits`;
    if (key.kty === 'RSA' && (publicExponent < exponents.least || publicExponent > exponents.most || publicExponent % 2n === 0n))
      return 'must have an odd exponent from 65537 to 2^32';
    // What a library only finds out when it uses the key, such as a point of low order, must not come up in a regeneration.
    await sealSecret(key, { clientId: '', secretId: '', secret: '' });
    return undefined;
  } catch {
    return 'is not a key of its type';
  }
}

/** What a public key consists of (RFC 7518 §6, RFC 8037 §2), and nothing else that a JWK may hold. */
function publicPart(key: EncryptionKey) {
  if (key.kty === 'RSA') return { kty: key.kty, n: key.n, e: key.e };
  if (key.kty === 'EC') return { kty: key.kty, crv: key.crv, x: key.x, y: key.y };
  return { kty: key.kty, crv: key.crv, x: key.x };
}
