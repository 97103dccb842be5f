import { createHash, randomUUID } from 'node:crypto';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT, UnsecuredJWT, type JWK } from 'jose';
import { DpopProofs } from './dpop.js';

const token = 'eyJhbGciOiJFUzI1NiJ9.e30.signature';
const url = 'https://api.example.com/acme/odata.svc/Root';
const ath = createHash('sha256').update(token).digest('base64url');

let pair: Awaited<ReturnType<typeof generateKeyPair>>;
let jwk: JWK;
let thumbprint: string;

beforeAll(async () => {
  pair = await generateKeyPair('ES256');
  jwk = await exportJWK(pair.publicKey);
  thumbprint = await calculateJwkThumbprint(jwk);
});

const claims = () => ({ htm: 'GET', htu: url, ath, iat: Math.floor(Date.now() / 1000), jti: randomUUID() as string });
const proofOf = (change: Record<string, unknown> = {}, header: Record<string, unknown> = {}, key = pair.privateKey) =>
  new SignJWT({ ...claims(), ...change }).setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk, ...header }).sign(key);
const verify = (jwt: unknown, at = url, proofs = new DpopProofs()) => proofs.verify(token, thumbprint, { jwt, method: 'GET', url: at });

describe('a DPoP proof (RFC 9449 §4.3)', () => {
  it('is taken when it is of this key, for this request and this token', async () => {
    await expect(verify(await proofOf())).resolves.toBeUndefined();
  });

  it('names the address without query and fragment, however it is written', async () => {
    await expect(
      verify(await proofOf({ htu: 'HTTPS://API.example.com:443/acme/odata.svc/Root' }), `${url}?$top=1`),
    ).resolves.toBeUndefined();
  });

  const refused: [string, string, () => Promise<unknown>][] = [
    ['that is missing', 'one DPoP proof', async () => undefined],
    ['that came twice', 'one DPoP proof', async () => [await proofOf(), await proofOf()]],
    ['for another method', 'another method', () => proofOf({ htm: 'POST' })],
    ['for another address', 'another address', () => proofOf({ htu: 'https://api.example.com/other/odata.svc/Root' })],
    ['for no address', 'another address', () => proofOf({ htu: 'nonsense' })],
    ['for another token', 'another token', () => proofOf({ ath: 'x' })],
    ['without its token', 'another token', () => proofOf({ ath: undefined })],
    ['of two minutes ago', 'of this minute', () => proofOf({ iat: Math.floor(Date.now() / 1000) - 120 })],
    ['of two minutes ahead', 'of this minute', () => proofOf({ iat: Math.floor(Date.now() / 1000) + 120 })],
    ['without an id', 'usable id', () => proofOf({ jti: undefined })],
    ['of another type', 'not valid', () => proofOf({}, { typ: 'JWT' })],
    ['whose key is not the one that signed it', 'not valid', async () => proofOf({}, {}, (await generateKeyPair('ES256')).privateKey)],
    [
      'with a private key in it',
      'not valid',
      async () => proofOf({}, { jwk: await exportJWK((await generateKeyPair('ES256', { extractable: true })).privateKey) }),
    ],
    ['with something that is no key', 'not valid', () => proofOf({}, { jwk: { kty: 'EC' } })],
    ['that is not signed', 'not valid', async () => new UnsecuredJWT(claims()).encode()],
    ['that is no JWT', 'not valid', async () => 'nonsense'],
  ];
  it.each(refused)('%s is refused', async (_, reason, make) => {
    await expect(verify(await make())).rejects.toThrow(reason);
  });

  it('of another key is refused', async () => {
    const other = await generateKeyPair('ES256');
    await expect(verify(await proofOf({}, { jwk: await exportJWK(other.publicKey) }, other.privateKey))).rejects.toThrow('another key');
  });

  it('is taken once, also when it arrives twice at once', async () => {
    const proofs = new DpopProofs();
    const proof = await proofOf();
    const results = await Promise.allSettled([verify(proof, url, proofs), verify(proof, url, proofs), verify(proof, url, proofs)]);
    expect(results.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected', 'rejected']);
  });
});
