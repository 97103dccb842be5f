import { createHash, randomUUID } from 'node:crypto';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT } from 'jose';
import { startApi, type RunningApi } from './testing/running-api.js';

let api: RunningApi;

beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

describe('a token that is bound to a key (RFC 9449)', () => {
  it('is taken with a proof of that key for this very call, once, and never without', async () => {
    const { privateKey, publicKey } = await generateKeyPair('ES256');
    const jwk = await exportJWK(publicKey);
    const token = await api.boundToken(await calculateJwkThumbprint(jwk));
    const prove = (htu: string) =>
      new SignJWT({ htm: 'GET', htu, ath: createHash('sha256').update(token).digest('base64url'), jti: randomUUID() })
        .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk })
        .setIssuedAt()
        .sign(privateKey);
    const call = (scheme: string, dpop?: string) =>
      api.tenant.call('GET', '/v1/repositories?limit=1', undefined, { authorization: `${scheme} ${token}`, ...(dpop ? { dpop } : {}) });

    const dpop = await prove('http://localhost:4000/v1/repositories');
    expect((await call('DPoP', dpop)).status).toBe(200);
    const refused = [
      await call('DPoP', dpop),
      await call('DPoP', await prove('http://localhost:4000/v1/tenant')),
      await call('DPoP'),
      await call('Bearer', dpop),
    ];
    for (const response of refused)
      expect([response.status, response.headers.get('content-type')]).toEqual([401, 'application/problem+json; charset=utf-8']);
    expect(await (await call('Bearer')).json()).toMatchObject({ detail: expect.stringContaining('bound to a key') as string });
  });
});
