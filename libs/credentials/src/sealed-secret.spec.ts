import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { compactDecrypt, decodeProtectedHeader } from 'jose';
import type { EncryptionKey, Problem } from '@latchkey/contracts';
import { acceptEncryptionKey, sealSecret, thumbprintOf } from './sealed-secret.js';

/** The public half as a tenant would send it, and the private one as the tenant would keep it. */
function pair(made: { publicKey: KeyObject; privateKey: KeyObject }): { key: EncryptionKey; privateKey: KeyObject } {
  return { key: made.publicKey.export({ format: 'jwk' }) as never, privateKey: made.privateKey };
}
const rsa = (modulusLength: number, publicExponent = 65_537) => pair(generateKeyPairSync('rsa', { modulusLength, publicExponent }));
const ec = (namedCurve: string) => pair(generateKeyPairSync('ec', { namedCurve }));
const x25519 = () => pair(generateKeyPairSync('x25519'));

const secret = { clientId: 'tool_1', secretId: '0198c2f0-0000-7000-8000-000000000002', secret: 'lk_live_cs_value' };
const refused = (detail: string) =>
  expect.objectContaining({ type: 'invalid-request', errors: [{ pointer: '/encryptionKey', detail }] }) as Problem;

describe('a sealed secret', () => {
  it.each([
    ['RSA of 2048 bits', () => rsa(2048), 'RSA-OAEP-256'],
    ['RSA of 4096 bits', () => rsa(4096), 'RSA-OAEP-256'],
    ['P-256', () => ec('P-256'), 'ECDH-ES+A256KW'],
    ['P-384', () => ec('P-384'), 'ECDH-ES+A256KW'],
    ['P-521', () => ec('P-521'), 'ECDH-ES+A256KW'],
    ['X25519', x25519, 'ECDH-ES+A256KW'],
  ])('is opened by the private key and by no other: %s', async (_, make, alg) => {
    const { key, privateKey } = make();
    const sealed = await sealSecret(await acceptEncryptionKey(key), secret);
    expect(sealed).not.toContain(Buffer.from(secret.secret).toString('base64url'));
    expect(decodeProtectedHeader(sealed)).toMatchObject({ alg, enc: 'A256GCM', kid: await thumbprintOf(key) });
    const { plaintext } = await compactDecrypt(sealed, privateKey);
    expect(JSON.parse(new TextDecoder().decode(plaintext))).toEqual(secret);
    await expect(compactDecrypt(sealed, make().privateKey)).rejects.toThrow();
  });

  it('is another one every time, and names the key as its owner does', async () => {
    const key = { ...x25519().key, kid: 'store-2026' };
    const [one, other] = [await sealSecret(key, secret), await sealSecret(key, secret)];
    expect(one).not.toBe(other);
    expect(decodeProtectedHeader(one)).toMatchObject({ kid: 'store-2026' });
  });
});

describe('a key that secrets are to be sealed to', () => {
  const rsaKey = rsa(2048).key as Extract<EncryptionKey, { kty: 'RSA' }>;
  const ecKey = ec('P-256').key as Extract<EncryptionKey, { kty: 'EC' }>;
  const zeroes = Buffer.alloc(32).toString('base64url');

  it('is taken without what is not a part of it', async () => {
    const more = { ...rsaKey, kid: 'k', use: 'enc' as const, key_ops: ['encrypt'], ext: true, d: 'private' };
    expect(await acceptEncryptionKey(more)).toEqual({ kty: 'RSA', n: rsaKey.n, e: rsaKey.e, kid: 'k' });
  });

  it.each([
    ['an RSA key of 1024 bits', rsa(1024).key, 'must have 2048 to 4096 bits'],
    ['an RSA key of 4104 bits', rsa(4104).key, 'must have 2048 to 4096 bits'],
    ['an exponent of 1, which encrypts nothing', { ...rsaKey, e: 'AQ' }, 'must have an odd exponent from 65537 to 2^32'],
    ['an exponent of 3', { ...rsaKey, e: 'Aw' }, 'must have an odd exponent from 65537 to 2^32'],
    ['an even exponent', { ...rsaKey, e: 'AQAC' }, 'must have an odd exponent from 65537 to 2^32'],
    ['an exponent without end', { ...rsaKey, e: '_'.repeat(86) }, 'must have an odd exponent from 65537 to 2^32'],
    ['a point beside its curve', { ...ecKey, y: ecKey.x }, 'is not a key of its type'],
    ['a point of another curve', { ...ecKey, crv: 'P-384' as const }, 'is not a key of its type'],
    ['the point of order 1', { kty: 'OKP' as const, crv: 'X25519' as const, x: zeroes }, 'is not a key of its type'],
    ['a point that is too short', { kty: 'OKP' as const, crv: 'X25519' as const, x: 'AAAA' }, 'is not a key of its type'],
    ['nothing', { kty: 'RSA' as const, n: '', e: '' }, 'must have 2048 to 4096 bits'],
  ])('is refused when it is %s', async (_, key, detail) => {
    await expect(acceptEncryptionKey(key)).rejects.toEqual(refused(detail));
  });
});
