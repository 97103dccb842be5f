import { setTimeout as wait } from 'node:timers/promises';
import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';
import * as client from 'openid-client';
import { rotateKeyBody } from '@latchkey/contracts';
import { RepositoryKeys } from '@latchkey/credentials';
import { Customer } from './testing/customer.js';
import { startAuthority, type RunningAuthority } from './testing/running-authority.js';

/* What clients see of a repository's signing keys while those change. */

let running: RunningAuthority;
let customer: Customer;
let keys: RepositoryKeys;

beforeAll(async () => {
  running = await startAuthority();
  keys = new RepositoryKeys(running.database, running.options.encryption);
});
afterAll(() => running.close());
beforeEach(async () => {
  customer = await Customer.open(running);
});

const toolToken = async () => (await client.clientCredentialsGrant(await customer.discoverTool())).access_token;
const kidOf = (token: string) => decodeProtectedHeader(token).kid;
const published = async () => {
  const response = await fetch(`${customer.issuer}/.well-known/jwks`);
  return ((await response.json()) as { keys: { kid: string; alg: string; d?: string; p?: string }[] }).keys;
};
const rotate = (body = {}) => keys.rotate(customer.tenant.machine, customer.slug, rotateKeyBody.parse(body));
const later = (seconds: number) =>
  running.test.owner.query(
    `UPDATE signing_keys SET signs_at = signs_at - make_interval(secs => $2), retired_at = retired_at - make_interval(secs => $2)
     WHERE repository_id = $1`,
    [customer.repository.id, seconds],
  );

describe('a rotation', () => {
  it('never breaks a client that remembers the keys: the new one is published first, and the earlier one goes on being verified', async () => {
    const before = await toolToken();
    const remembered = createRemoteJWKSet(new URL(`${customer.issuer}/.well-known/jwks`), { cooldownDuration: Infinity });
    const { key } = await rotate({ afterSeconds: 3600 });
    expect((await published()).map(({ kid }) => kid)).toEqual([kidOf(before), key.kid]);
    expect(kidOf(await toolToken())).toBe(kidOf(before));
    await jwtVerify(before, remembered);

    // All but a second of the hour passes. The issuer that is built now is not built anew by any change of settings, only by its time.
    await later(3_599);
    await running.test.owner.query('UPDATE repositories SET settings_version = settings_version + 1 WHERE id = $1', [
      customer.repository.id,
    ]);
    for (let tries = 0; tries < 300 && kidOf(await toolToken()) !== key.kid; tries++) await wait(100);
    expect(kidOf(await toolToken())).toBe(key.kid);
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(key.signsAt) - 3_599_000);
    await jwtVerify(await toolToken(), remembered);
    const tool = await customer.discoverTool();
    expect(await client.tokenIntrospection(tool, before)).toMatchObject({ active: true });
  });

  it('publishes no private half', async () => {
    await rotate();
    for (const key of await published()) expect([key.d, key.p]).toEqual([undefined, undefined]);
  });

  it('of a compromised key ends what it signed, at once, and everything works with the new one', async () => {
    const repository = await running.authority.directory.find(customer.slug);
    if (!repository) throw new Error('gone');
    const before = await toolToken();
    await running.authority.verifier.verify(repository, before);
    const { key } = await rotate({ compromised: true });
    await expect(running.authority.verifier.verify(repository, before)).rejects.toThrow();
    expect(await published()).toMatchObject([{ kid: key.kid }]);
    const after = await toolToken();
    expect(kidOf(after)).toBe(key.kid);
    await running.authority.verifier.verify(repository, after);
  });
});

describe('RS256', () => {
  it('is a setting: discovery, ID tokens and access tokens say the same, and what was signed before is still verified', async () => {
    const before = await toolToken();
    await customer.repositories.update(customer.tenant.machine, customer.slug, { signingAlgorithm: 'RS256' });
    const app = await customer.discover();
    expect(app.serverMetadata().id_token_signing_alg_values_supported).toEqual(['RS256']);
    const tokens = await customer.signIn(app);
    expect(decodeProtectedHeader(tokens.id_token ?? '').alg).toBe('RS256');
    expect(decodeProtectedHeader(tokens.access_token).alg).toBe('RS256');
    expect(await client.fetchUserInfo(app, tokens.access_token, tokens.claims()?.sub ?? '')).toMatchObject({ name: 'anna' });
    expect(await client.tokenIntrospection(await customer.discoverTool(), before)).toMatchObject({ active: true });

    await customer.repositories.update(customer.tenant.machine, customer.slug, { signingAlgorithm: 'ES256' });
    expect(decodeProtectedHeader(await toolToken()).alg).toBe('ES256');
    await later(1);
    expect((await published()).map(({ alg }) => alg)).toEqual(['ES256', 'RS256', 'ES256']);
  });
});
