import { randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT, type JWK } from 'jose';
import * as client from 'openid-client';
import { ClientKeys, fetchClientKeys } from '@latchkey/credentials';
import { Customer } from './testing/customer.js';
import { startAuthority, type RunningAuthority } from './testing/running-authority.js';

/* Tools that prove who they are with a key of their own instead of a secret (private_key_jwt), with a published client. */

let running: RunningAuthority;
let customer: Customer;
let keys: ClientKeys;
let toolId: string;

beforeAll(async () => {
  running = await startAuthority();
  customer = await Customer.open(running);
  keys = new ClientKeys(running.database);
});
afterAll(() => running.close());
beforeEach(async () => {
  toolId = (await customer.addTool()).clientId;
});

async function newKey(algorithm = 'ES256') {
  const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true });
  return { privateKey, jwk: (await exportJWK(publicKey)) as JWK & Record<string, unknown> };
}
const add = async (jwk: Record<string, unknown>, clientId = toolId) => keys.add(customer.tenant.machine, customer.slug, clientId, { jwk });
const revoke = (id: string) => keys.revoke(customer.tenant.machine, customer.slug, toolId, id);
const discover = (key: CryptoKey, kid: string) => customer.discover(toolId, client.PrivateKeyJwt({ key, kid }));
const repository = async () => {
  const found = await running.authority.directory.find(customer.slug);
  if (!found) throw new Error('gone');
  return found;
};
const isAlive = async (token: string) => {
  const known = await repository();
  return running.authority.verifier.verify(known, token).then(
    () => true,
    () => false,
  );
};

const claims = () => ({
  iss: toolId,
  sub: toolId,
  aud: customer.issuer as string | string[],
  jti: randomUUID() as string,
  iat: Math.floor(Date.now() / 1000),
  exp: Math.floor(Date.now() / 1000) + 60,
});
async function present(assertion: string, more: Record<string, string> = {}) {
  const response = await fetch(`${customer.issuer}/connect/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      client_assertion: assertion,
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      ...more,
    }),
  });
  return [response.status, ((await response.json()) as { error?: string }).error];
}
const refused = [401, 'invalid_client'];

describe('a tool with a key', () => {
  it.each(['ES256', 'EdDSA', 'RS256', 'PS256'])(
    'gets a token with an assertion that it signs with %s, and with no secret',
    async (algorithm) => {
      const { privateKey, jwk } = await newKey(algorithm);
      const { kid } = await add(jwk);
      const tool = await discover(privateKey, kid);
      const { access_token: token } = await client.clientCredentialsGrant(tool);
      expect(await isAlive(token)).toBe(true);
      expect(await client.tokenIntrospection(tool, token)).toMatchObject({ active: true, client_id: toolId });
    },
  );

  it('has them ended: no assertion of one is taken and no token of it works from the answer on, and the other goes on', async () => {
    const [one, two] = [await newKey(), await newKey()];
    const [first, second] = [await add(one.jwk), await add(two.jwk)];
    const withFirst = await discover(one.privateKey, first.kid);
    const withSecond = await discover(two.privateKey, second.kid);
    const [token, other] = [
      (await client.clientCredentialsGrant(withFirst)).access_token,
      (await client.clientCredentialsGrant(withSecond)).access_token,
    ];
    const { cutoff } = await revoke(first.id);
    expect(Date.parse(cutoff.effectiveAt)).toBeLessThanOrEqual(Date.now());
    expect(await isAlive(token)).toBe(false);
    await expect(client.clientCredentialsGrant(withFirst)).rejects.toMatchObject({ error: 'invalid_client' });
    expect(await isAlive(other)).toBe(true);
    expect((await client.clientCredentialsGrant(withSecond)).access_token).toBeDefined();
    await expect(revoke(first.id)).resolves.toBeDefined();
  });

  it('has its secret beside it, and each ends alone', async () => {
    const { privateKey, jwk } = await newKey();
    const { kid } = await add(jwk);
    const [secret] = await customer.secrets.list(customer.tenant.machine, customer.slug, toolId);
    const made = await customer.secrets.create(customer.tenant.machine, customer.slug, toolId, null);
    const bySecret = await customer.discover(toolId, client.ClientSecretPost(made.value));
    const [a, b] = [await client.clientCredentialsGrant(bySecret), await client.clientCredentialsGrant(await discover(privateKey, kid))];
    for (const id of [secret?.id ?? '', made.id]) await customer.secrets.revoke(customer.tenant.machine, customer.slug, toolId, id);
    expect([await isAlive(a.access_token), await isAlive(b.access_token)]).toEqual([false, true]);
  });
});

describe('a key', () => {
  const refusals: [string, () => Promise<Record<string, unknown>>][] = [
    ['that is private', async () => ({ ...(await exportJWK((await newKey()).privateKey)) })],
    ['that is symmetric', async () => ({ kty: 'oct', k: 'c2VjcmV0' })],
    ['that is none', async () => ({ kty: 'EC', crv: 'P-256', x: 'a', y: 'b' })],
    ['that is nothing', async () => ({})],
    ['for encryption', async () => ({ ...(await newKey()).jwk, use: 'enc' })],
    ['of another curve', async () => (await newKey('ES384')).jwk],
    ['with an algorithm of another kind', async () => ({ ...(await newKey()).jwk, alg: 'RS256' })],
    ['with a symmetric algorithm', async () => ({ ...(await newKey('RS256')).jwk, alg: 'HS256' })],
    ['with an id of control characters', async () => ({ ...(await newKey()).jwk, kid: 'a\nb' })],
  ];
  it.each(refusals)('%s is refused', async (_, make) => {
    await expect(add(await make())).rejects.toMatchObject({ type: 'invalid-request' });
  });

  it('with the id of another live one is refused, and so is the twenty-first', async () => {
    await add({ ...(await newKey()).jwk, kid: 'mine' });
    await expect(add({ ...(await newKey()).jwk, kid: 'mine' })).rejects.toMatchObject({ type: 'already-exists' });
    for (let i = 1; i < 20; i++) await add((await newKey()).jwk);
    await expect(add((await newKey()).jwk)).rejects.toMatchObject({ type: 'secret-limit' });
  });
});

describe('an assertion', () => {
  let good: Awaited<ReturnType<typeof newKey>>;
  const sign = (
    change: Record<string, unknown> = {},
    header: Record<string, unknown> = {},
    key: CryptoKey | Uint8Array = good.privateKey,
  ) => new SignJWT({ ...claims(), ...change }).setProtectedHeader({ alg: 'ES256', kid: 'mine', ...header }).sign(key);

  beforeEach(async () => {
    good = await newKey();
    await add({ ...good.jwk, kid: 'mine' });
  });

  it('is taken once, also when it arrives several times at once', async () => {
    const assertion = await sign();
    const answers = await Promise.all(Array.from({ length: 6 }, () => present(assertion)));
    expect(answers.filter(([status]) => status === 200)).toHaveLength(1);
    expect((await present(assertion))[0]).toBe(401);
  });

  it('may leave the key unnamed while there is one, and not when there are two', async () => {
    expect((await present(await sign({}, { kid: undefined })))[0]).toBe(200);
    await add((await newKey()).jwk);
    expect(await present(await sign({}, { kid: undefined }))).toEqual(refused);
  });

  const forged: [string, () => Promise<string>][] = [
    ['for another repository', async () => sign({ aud: (await Customer.open(running)).issuer })],
    ['for nobody', () => sign({ aud: undefined })],
    ['of yesterday', () => sign({ exp: Math.floor(Date.now() / 1000) - 3600 })],
    ['that never ends', () => sign({ exp: undefined })],
    ['that is good for a day', () => sign({ exp: Math.floor(Date.now() / 1000) + 86_400 })],
    ['without an id', () => sign({ jti: undefined })],
    ['in the name of another', () => sign({ iss: customer.repository.toolClient.clientId })],
    [
      'of another client, with its own key',
      () => sign({ iss: customer.repository.toolClient.clientId, sub: customer.repository.toolClient.clientId }),
    ],
    ['of an app', () => sign({ iss: customer.repository.appClient.clientId, sub: customer.repository.appClient.clientId })],
    ['signed by a key that is not the client’s', async () => sign({}, {}, (await newKey()).privateKey)],
    ['that names a key that is not there', () => sign({}, { kid: 'other' })],
    ['that is not signed', async () => new UnsecuredJWT(claims()).encode()],
    // Symmetric ones: nobody has a key for them that anybody could know.
    ['signed symmetrically with the public key', async () => sign({}, { alg: 'HS256' }, Buffer.from(JSON.stringify(good.jwk)))],
    ['signed symmetrically with the client ID', async () => sign({}, { alg: 'HS256' }, Buffer.from(toolId.padEnd(32, '0')))],
    ['signed symmetrically with an empty secret', async () => sign({}, { alg: 'HS256' }, Buffer.alloc(32))],
  ];
  it.each(forged)('%s is refused', async (_, make) => {
    expect(await present(await make())).toEqual(refused);
  });

  it('signed symmetrically with the client’s real secret is refused: client_secret_jwt is off', async () => {
    const { clientId, secret } = customer.repository.toolClient;
    for (const alg of ['HS256', 'HS384', 'HS512']) {
      const assertion = await new SignJWT({ ...claims(), iss: clientId, sub: clientId })
        .setProtectedHeader({ alg })
        .sign(Buffer.from(secret.value.padEnd(64, '0')));
      expect(await present(assertion)).toEqual(refused);
    }
    const exact = await new SignJWT({ ...claims(), iss: clientId, sub: clientId })
      .setProtectedHeader({ alg: 'HS256' })
      .sign(Buffer.from(secret.value));
    expect(await present(exact)).toEqual(refused);
  });

  it('does not go with a secret, and is not garbage', async () => {
    expect((await present(await sign(), { client_id: toolId, client_secret: 'x' }))[0]).toBe(400);
    expect((await present('nonsense'))[0]).toBe(400);
    expect((await present(await sign(), { client_assertion_type: 'other' }))[0]).toBe(400);
  });
});

describe('keys at an address of the client', () => {
  let server: Server;
  let jwksUri: string;
  let published: Record<string, unknown>[] = [];
  let asked = 0;

  beforeAll(async () => {
    server = createServer((_request, response) => {
      asked++;
      response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: published }));
    });
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    jwksUri = `http://localhost:${(server.address() as AddressInfo).port}/jwks`;
  });
  afterAll(() => void server.close());
  beforeEach(async () => {
    asked = 0;
    await customer.clients.update(customer.tenant.machine, customer.slug, toolId, { jwksUri });
  });

  const forget = () => running.test.owner.query('UPDATE clients SET jwks_fetched_at = NULL WHERE id = $1', [toolId]);
  const fetchNow = (allowPrivateAddresses = true) => {
    const owner = { tenantId: customer.tenant.id, clientId: toolId };
    return repository().then(({ id: repositoryId }) =>
      fetchClientKeys(running.database, { ...owner, repositoryId }, { everySeconds: 0, allowPrivateAddresses }),
    );
  };

  it('are read when one is used that is not known yet; what is no longer there ends with its tokens', async () => {
    const [one, two] = [await newKey(), await newKey()];
    published = [
      { ...one.jwk, kid: 'one' },
      { kty: 'oct', k: 'AA' },
      { kty: 'EC', crv: 'secp256k1' },
    ];
    const withOne = await discover(one.privateKey, 'one');
    const { access_token: token } = await client.clientCredentialsGrant(withOne);
    expect([await isAlive(token), asked]).toEqual([true, 1]);
    await client.clientCredentialsGrant(withOne);
    expect(asked).toBe(1);

    published = [{ ...two.jwk, kid: 'two' }];
    await forget();
    await client.clientCredentialsGrant(await discover(two.privateKey, 'two'));
    expect(await isAlive(token)).toBe(false);
    await expect(client.clientCredentialsGrant(withOne)).rejects.toMatchObject({ error: 'invalid_client' });
  });

  it('that were revoked stay dead, though they are still published, under whatever id', async () => {
    const [one, two] = [await newKey(), await newKey()];
    published = [
      { ...one.jwk, kid: 'one' },
      { ...two.jwk, kid: 'two' },
    ];
    const withOne = await discover(one.privateKey, 'one');
    await client.clientCredentialsGrant(withOne);
    const { machine } = customer.tenant;
    const live = (await keys.list(machine, customer.slug, toolId)).find(({ kid, endedAt }) => kid === 'one' && endedAt === null);
    await revoke(live?.id ?? '');
    await forget();
    await expect(client.clientCredentialsGrant(withOne)).rejects.toMatchObject({ error: 'invalid_client' });
    published = [{ ...one.jwk, kid: 'renamed' }];
    await fetchNow();
    await expect(client.clientCredentialsGrant(await discover(one.privateKey, 'renamed'))).rejects.toMatchObject({
      error: 'invalid_client',
    });
  });

  it('that change under the same id are other keys', async () => {
    const [one, two] = [await newKey(), await newKey()];
    published = [{ ...one.jwk, kid: 'same' }];
    const { access_token: token } = await client.clientCredentialsGrant(await discover(one.privateKey, 'same'));
    published = [{ ...two.jwk, kid: 'same' }];
    await fetchNow();
    expect(await isAlive(token)).toBe(false);
    expect((await client.clientCredentialsGrant(await discover(two.privateKey, 'same'))).access_token).toBeDefined();
  });

  it('are not asked for more than every ten seconds, whatever is made up', async () => {
    published = [];
    const { privateKey } = await newKey();
    const attempts = Array.from({ length: 8 }, async (_, i) =>
      present(await new SignJWT(claims()).setProtectedHeader({ alg: 'ES256', kid: `made-up-${i}` }).sign(privateKey)),
    );
    for (const answer of await Promise.all(attempts)) expect(answer).toEqual(refused);
    expect(asked).toBe(1);
  });

  it('stay as they are when they cannot be read, and are never read from inside', async () => {
    const one = await newKey();
    published = [{ ...one.jwk, kid: 'one' }];
    const tool = await discover(one.privateKey, 'one');
    await client.clientCredentialsGrant(tool);
    await expect(fetchNow(false)).rejects.toThrow('is not allowed');
    published = 'nonsense' as never;
    await expect(fetchNow()).rejects.toThrow('no JWK set');
    expect((await client.clientCredentialsGrant(tool)).access_token).toBeDefined();
  });

  it('end when the client gets another address, or none', async () => {
    const one = await newKey();
    published = [{ ...one.jwk, kid: 'one' }];
    const { access_token: token } = await client.clientCredentialsGrant(await discover(one.privateKey, 'one'));
    const answer = await customer.clients.update(customer.tenant.machine, customer.slug, toolId, { jwksUri: null });
    expect([await isAlive(token), answer]).toEqual([
      false,
      expect.objectContaining({ jwksUri: null, cutoff: expect.anything() as object }),
    ]);
  });
});
