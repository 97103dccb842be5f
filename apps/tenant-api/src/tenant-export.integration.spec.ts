import { wellKnown } from '@latchkey/content';
import type { CreatedApiKeyView, CreatedTenantCredentialView, ProvisionedRepositoryView } from '@latchkey/contracts';
import { startApi, type RunningApi, type TestTenant } from './testing/running-api.js';

const isoMoment = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const logo = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const jwk = {
  kty: 'EC',
  crv: 'P-256',
  x: 'MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4',
  y: '4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM',
};
const totpSecret = 'sealed-secret-of-an-authenticator';
const providerSecret = 'what-google-gave-us';
let apiKey: string;
let api: RunningApi;
let shop: ProvisionedRepositoryView;

beforeAll(async () => {
  api = await startApi();
  const make = async (tenant: TestTenant, slug: string) =>
    (await (
      await tenant.call('POST', '/v1/repositories', { slug, name: slug, environment: 'production' })
    ).json()) as ProvisionedRepositoryView;
  shop = await make(api.tenant, 'shop');
  await make(api.stranger, 'foreign');
  await api.tenant.call('POST', '/v1/repositories/shop/users', { loginName: 'anna', password: 'a long pass phrase of the owner' });
  await api.tenant.call('POST', '/v1/repositories/shop/webhooks', { url: 'https://example.com/hook' });
  const change = async (method: string, path: string, body: object) =>
    expect([path, (await api.tenant.call(method, `/v1/repositories/shop/${path}`, body)).ok]).toEqual([path, true]);
  const key = await api.tenant.call('POST', `/v1/repositories/shop/users/${wellKnown.publicAdmin}/api-keys`, { name: 'blog' });
  apiKey = ((await key.json()) as CreatedApiKeyView).value.slice(11, 40);
  await change('POST', 'identity-providers', { id: 'google', kind: 'google', clientId: 'abc', clientSecret: providerSecret });
  await api.test.owner.query(
    `WITH anna AS (SELECT repository_id, tenant_id, id FROM repository_users WHERE repository_id = $1 AND login_name = 'anna'),
     link AS (INSERT INTO identity_links (repository_id, tenant_id, user_id, provider_id, subject) SELECT *, 'google', 'anna-at-google' FROM anna),
     totp AS (INSERT INTO totp_secrets (repository_id, tenant_id, user_id, secret, encryption_key_id, last_step) SELECT *, $2, 'k1', 0 FROM anna)
     INSERT INTO passkeys (repository_id, tenant_id, user_id, id, credential_id, rp_id, public_key, sign_count, synced, name)
     SELECT *, gen_random_uuid(), '\\x01', 'localhost', '\\x02', 0, true, 'Phone' FROM anna`,
    [shop.id, Buffer.from(totpSecret)],
  );
  await change('PUT', 'logo', { image: logo });
  await change('POST', `clients/${shop.toolClient.clientId}/keys`, { jwk });
  await change('PUT', 'domain', { domain: 'login.example.com' });
  await api.tenant.call('PATCH', '/v1/tenant', { webhook: { url: 'https://example.com/all' } });
});
afterAll(() => api.close());

describe('the export of a tenant', () => {
  it('has all that is theirs, nothing of anyone else, and no secret, hash or key', async () => {
    // More content than one batch.
    await api.test.owner.query(
      `INSERT INTO content_nodes (repository_id, id, tenant_id, parent_id, name, path, type, permission_path, created_by, modified_by)
       SELECT repository_id, 100000 + n, tenant_id, id, 'n' || n, path || '/n' || n, 'Folder', permission_path, 1, 1
       FROM content_nodes, generate_series(1, 1200) AS n WHERE repository_id = $1 AND path = '/Root/Content'`,
      [shop.id],
    );
    const response = await api.tenant.call('GET', '/v1/tenant/export');
    expect(response.headers.get('content-type')).toBe('application/x-ndjson; charset=utf-8');
    const text = await response.text();
    const things = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { kind: string; id?: unknown; [field: string]: unknown });
    const ofKind = (kind: string) => things.filter((thing) => thing.kind === kind);
    expect(ofKind('tenant').map(({ id }) => id)).toEqual([api.tenant.tenantId]);
    expect(ofKind('repository').map(({ slug }) => slug)).toEqual(['shop']);
    expect(ofKind('client').map(({ clientId }) => clientId)).toContain(shop.toolClient.clientId);
    expect(ofKind('user').map(({ loginName }) => loginName)).toContain('anna');
    expect(ofKind('webhook')).toMatchObject([
      { repositoryId: null, url: 'https://example.com/all' },
      { repositoryId: shop.id, url: 'https://example.com/hook' },
    ]);
    const [own] = ofKind('credential');
    expect(own).toMatchObject({ clientKind: 'tenant' });
    const repositoryId = shop.id;
    expect(ofKind('apiKey')).toMatchObject([
      { repositoryId, name: 'blog', userId: wellKnown.publicAdmin, hint: expect.any(String) as string },
    ]);
    expect(ofKind('identityProvider')).toMatchObject([{ repositoryId, id: 'google', clientId: 'abc' }]);
    expect(ofKind('user').find(({ loginName }) => loginName === 'anna')).toMatchObject({
      identities: [{ providerId: 'google', subject: 'anna-at-google', createdAt: expect.stringMatching(isoMoment) as string }],
      totpSince: expect.stringMatching(isoMoment) as string,
      passkeys: [{ id: expect.any(String) as string, name: 'Phone', createdAt: expect.stringMatching(isoMoment) as string }],
    });
    expect(ofKind('publicKey')).toMatchObject([
      { repositoryId, clientId: shop.toolClient.clientId, publicJwk: { kty: 'EC' }, endedAt: null },
    ]);
    expect(ofKind('logo')).toMatchObject([{ repositoryId, contentType: 'image/png', base64: logo }]);
    expect(ofKind('domain')).toMatchObject([{ repositoryId, domain: 'login.example.com', verifiedAt: null }]);
    expect(ofKind('group').find(({ id }) => id === wellKnown.administrators)).toMatchObject({
      repositoryId,
      memberIds: expect.arrayContaining([wellKnown.admin, wellKnown.publicAdmin]) as number[],
    });
    const all = ['See', 'Open', 'Save', 'AddNew', 'Delete'];
    expect(ofKind('permission').find(({ id }) => id === wellKnown.root)).toMatchObject({
      repositoryId,
      grants: expect.arrayContaining([{ identityId: wellKnown.administrators, hereOnly: false, permissions: all }]) as object[],
    });
    const content = ofKind('content').map(({ id }) => id);
    expect([new Set(content).size, content.length >= 1200]).toEqual([content.length, true]);
    for (const hidden of [
      shop.toolClient.secret.value.slice(11, 40),
      'argon2',
      'hash',
      'signing_secret',
      'foreign',
      api.stranger.tenantId,
      providerSecret,
      apiKey,
      totpSecret,
      Buffer.from(totpSecret).toString('hex'),
    ])
      expect([hidden, text.includes(hidden)]).toEqual([hidden, false]);
  });

  it('is for those who may change the tenant, and in its audit trail', async () => {
    const admin = await api.addMember('admin');
    expect((await admin.call('GET', '/v1/tenant/export')).status).toBe(403);
    const trail = await (await api.tenant.call('GET', '/v1/audit?action=tenant.exported')).json();
    expect(trail).toMatchObject({ items: [{ action: 'tenant.exported', target: { id: api.tenant.tenantId } }] });
  });

  it('ends, and not as if it were whole, when the credential that asked for it does', async () => {
    await api.test.owner.query(
      `UPDATE content_nodes SET fields = jsonb_build_object('Description', repeat('x', 20000)) WHERE repository_id = $1 AND id > 100000`,
      [shop.id],
    );
    const body = { name: 'exporter', permissions: ['tenant:read', 'tenant:write'] };
    const { clientId, secret } = (await (await api.tenant.call('POST', '/v1/credentials', body)).json()) as CreatedTenantCredentialView;
    const { call } = await api.withCredential({ clientId, secretId: secret.id });
    const reader = (await call('GET', '/v1/tenant/export')).body?.getReader();
    await reader?.read();
    expect((await api.tenant.call('DELETE', `/v1/credentials/${clientId}`)).status).toBe(200);
    const readOn = async () => {
      for (let chunk = await reader?.read(); chunk && !chunk.done; chunk = await reader?.read());
    };
    await expect(readOn()).rejects.toThrow('terminated');
  });

  it('is whole although the token of whoever asked for it expires meanwhile', async () => {
    const reader = (await api.tenant.call('GET', '/v1/tenant/export')).body?.getReader();
    await reader?.read();
    const { now } = Date;
    let bytes = 0;
    try {
      Date.now = () => now() + 3_600_000;
      for (let chunk = await reader?.read(); chunk && !chunk.done; chunk = await reader?.read()) bytes += chunk.value.length;
    } finally {
      Date.now = now;
    }
    expect(bytes).toBeGreaterThan(1200 * 20_000);
  });
});
