import type { ProvisionedRepositoryView, UsageView } from '@latchkey/contracts';
import { UseRecorder, type Use } from '@latchkey/credentials';
import { connectForChecks, newId } from '@latchkey/database';
import { startApi, type RunningApi } from './testing/running-api.js';

let api: RunningApi;
let shop: ProvisionedRepositoryView;

beforeAll(async () => {
  api = await startApi();
  const body = { slug: 'shop', name: 'Shop', environment: 'production' };
  shop = (await (await api.tenant.call('POST', '/v1/repositories', body)).json()) as ProvisionedRepositoryView;
});
afterAll(() => api.close());

/** Uses as a node records them, in two batches, so that a day is counted on. */
async function use(...uses: Partial<Use>[]): Promise<void> {
  const pool = connectForChecks({ url: api.test.url });
  const recorder = new UseRecorder(pool, (error) => expect(error).toBeUndefined());
  const { clientId: credentialId, secret } = shop.toolClient;
  const known = { repositoryId: shop.id, credentialId, versionId: secret.id, outcome: 'accepted' as const, consumer: 'it', address: '::1' };
  for (const each of uses) {
    recorder.record({ ...known, ...each });
    await recorder.flush();
  }
  await recorder.close();
  await pool.end();
}

const read = async (query = '', caller = api.tenant) => (await (await caller.call('GET', `/v1/usage${query}`)).json()) as UsageView;

describe('the usage of a tenant', () => {
  it('counts by day and credential: tokens, calls and those that failed, secrets that had ended, and refusals by reason', async () => {
    const keyId = newId();
    await use({}, { consumer: 'another' }, { outcome: 'replaced' }, { credentialId: keyId, versionId: keyId });
    await api.test.owner.query(
      `INSERT INTO audit_events (tenant_id, id, actor_kind, action, repository_id, target_kind, target_id, details)
       VALUES ($1, $2, 'unknown', 'token.refused', $3, 'client', $4, '{"reason": "wrong secret", "count": 7}')`,
      [api.tenant.tenantId, newId(), shop.id, shop.toolClient.clientId],
    );
    await api.test.owner.query(
      `INSERT INTO call_counts (repository_id, period, starts_at, credential_id, user_id, tenant_id, calls, refused)
       VALUES ($1, 'hour', date_trunc('hour', now(), 'UTC'), $2, 1, $3, 5, 2)`,
      [shop.id, keyId, api.tenant.tenantId],
    );
    const { from, to, items } = await read('?days=7&repository=shop');
    expect([to, (Date.parse(to) - Date.parse(from)) / 86_400_000]).toEqual([new Date().toISOString().slice(0, 10), 6]);
    const counted = Object.fromEntries(items.map(({ kind, count, reason, day }) => [kind, { count, reason, day }]));
    const day = to;
    expect(counted).toEqual({
      token: { count: 2, reason: null, day },
      call: { count: 5, reason: null, day },
      'failed-call': { count: 2, reason: null, day },
      'ended-secret': { count: 1, reason: null, day },
      refusal: { count: 7, reason: 'wrong secret', day },
    });
    expect(items.find(({ kind }) => kind === 'token')).toMatchObject({
      repository: 'shop',
      credentialId: shop.toolClient.clientId,
      credential: 'Tool',
    });
  });

  it('is nothing to another tenant, nor is its repository', async () => {
    expect((await read('', api.stranger)).items).toEqual([]);
    expect((await api.stranger.call('GET', '/v1/usage?repository=shop')).status).toBe(404);
  });

  it('is refused for a range that is no range', async () => {
    for (const days of ['0', '91', 'x', '-1', '1.5']) expect((await api.tenant.call('GET', `/v1/usage?days=${days}`)).status).toBe(400);
  });
});
