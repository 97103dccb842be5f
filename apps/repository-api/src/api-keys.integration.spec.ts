import { endApiKeys, type KeysToEnd } from '@latchkey/credentials';
import { machineActor } from '@latchkey/access';
import { tenantPermissions, type CreatedApiKeyView } from '@latchkey/contracts';
import { costOf } from '@latchkey/database/testing';
import { dataOf } from './testing/answers.js';
import { RunningApp, type ProvisionedForTest } from './testing/running-app.js';

let app: RunningApp;
let acme: ProvisionedForTest;
let other: ProvisionedForTest;
let anna: number;
let key: CreatedApiKeyView;

beforeAll(async () => {
  app = await RunningApp.start();
  acme = await app.provision('acme');
  other = await app.provision('other');
  anna = await app.person(acme, 'anna', true);
});
afterAll(() => app.stop());
beforeEach(async () => {
  key = await app.apiKey(acme, anna);
});

const me = (headers: Record<string, string>, query = '', repository = acme) =>
  app.call(repository, `/('Root')/GetCurrentUser${query}`, { headers });
const end = (which: Omit<KeysToEnd, 'tenantId' | 'repositoryId'>) => {
  const scope = { tenantId: acme.tenantId, repositoryId: acme.id };
  return app.database.transaction(scope, (tx) =>
    endApiKeys(tx, machineActor(acme.tenantId, 'test', tenantPermissions, { requestId: 'r' }), { ...scope, ...which }),
  );
};

describe('an API key', () => {
  it('lets a third party act as its user, in the header or in the URL', async () => {
    expect(key.value).toMatch(/^lk_live_ak_/);
    for (const response of [await me({ apikey: key.value }), await me({}, `?apikey=${key.value}`), await me({}, `?ApiKey=${key.value}`)]) {
      expect(await dataOf(response)).toMatchObject({ Id: anna });
      expect(response.headers.get('cache-control')).toBe('no-store');
      expect(response.headers.get('referrer-policy')).toBe('no-referrer');
    }
  });

  it('in the URL comes before one in the header, and a bearer token before both', async () => {
    expect((await me({ apikey: 'bad' }, `?apikey=${key.value}`)).status).toBe(200);
    expect((await me({ apikey: key.value }, '?apikey=bad')).status).toBe(401);
    expect((await me({ authorization: 'Bearer bad' }, `?apikey=${key.value}`)).status).toBe(401);
  });

  it('is dead for the request that follows its deletion', async () => {
    await end({ userId: anna, keyId: key.id });
    expect((await me({ apikey: key.value })).status).toBe(401);
  });

  it('dies with all of its user, or all of the repository', async () => {
    const second = await app.apiKey(acme, anna);
    await end({ userId: anna });
    for (const { value } of [key, second]) expect((await me({ apikey: value })).status).toBe(401);
    const third = await app.apiKey(acme, anna);
    await end({});
    expect((await me({ apikey: third.value })).status).toBe(401);
    expect(await end({})).toBeUndefined();
  });

  it('dies with many others by as many statements as alone, and each is in the audit trail and told to a webhook', async () => {
    await app.test.owner.query(
      `INSERT INTO webhooks (tenant_id, id, url, signing_secret, encryption_key_id) VALUES ($1, gen_random_uuid(), 'https://example.com', '', 'k1')`,
      [acme.tenantId],
    );
    await end({});
    await app.apiKey(acme, anna);
    const alone = await costOf(() => end({}));
    const ids = [];
    for (let n = 0; n < 12; n += 1) ids.push((await app.apiKey(acme, anna)).id);
    expect(await costOf(() => end({}))).toEqual(alone);
    const { rows } = await app.test.owner.query<{ audited: string[]; told: string[]; jobs: number }>(
      `SELECT ARRAY(SELECT target_id FROM audit_events WHERE action = 'api-key.deleted' AND target_id = ANY($1)) AS audited,
         array_agg(d.payload -> 'data' ->> 'apiKeyId') AS told,
         (SELECT count(*)::int FROM outbox o WHERE o.name = 'webhook.deliver' AND o.data ->> 'deliveryId' = ANY(array_agg(d.id::text))) AS jobs
       FROM webhook_deliveries d WHERE d.event = 'api-key.deleted' AND d.payload -> 'data' ->> 'apiKeyId' = ANY($1)`,
      [ids],
    );
    const [found] = rows;
    expect({ audited: found?.audited.toSorted(), told: found?.told.toSorted(), jobs: found?.jobs }).toEqual({
      audited: ids,
      told: ids,
      jobs: 12,
    });
  });

  it('past its date is refused, though nothing has swept it', async () => {
    await app.test.owner.query('UPDATE api_keys SET expires_at = now() WHERE id = $1', [key.id]);
    expect((await me({ apikey: key.value })).status).toBe(401);
  });

  it('of a disabled user is refused, unlike where it came from', async () => {
    const bert = await app.person(acme, 'bert', true);
    const his = await app.apiKey(acme, bert);
    expect((await me({ apikey: his.value })).status).toBe(200);
    await app.test.owner.query('UPDATE repository_users SET enabled = false WHERE repository_id = $1 AND id = $2', [acme.id, bert]);
    expect((await me({ apikey: his.value })).status).toBe(401);
  });

  it('of one repository opens nothing at another', async () => {
    expect((await me({ apikey: key.value }, '', other)).status).toBe(401);
  });

  it('of a suspended repository is refused', async () => {
    const paused = await app.provision('paused');
    const its = await app.apiKey(paused, 12);
    await app.test.owner.query('UPDATE repositories SET suspended_at = now() WHERE id = $1', [paused.id]);
    expect((await me({ apikey: its.value }, '', paused)).status).toBe(401);
  });

  it('may do only what its permissions say, whatever its user may', async () => {
    const reader = await app.apiKey(acme, anna, ['content:read']);
    const make = (value: string) =>
      app.call(acme, '/Root/Content', {
        method: 'POST',
        headers: { apikey: value },
        body: JSON.stringify({ __ContentType: 'Folder', Name: `by-${value.slice(-4)}` }),
      });
    expect((await make(reader.value)).status).toBe(403);
    expect((await make(key.value)).status).toBe(201);
  });

  it('is stored only as a hash', async () => {
    const { rows } = await app.test.owner.query<{ row: string }>('SELECT to_jsonb(k)::text AS row FROM api_keys k');
    for (const { row } of rows) expect(row).not.toContain(key.value.slice(11, 40));
  });

  it('tells when and from where it was used last', async () => {
    await me({ apikey: key.value, 'latchkey-consumer': 'nightly import' });
    const deadline = Date.now() + 20_000;
    let rows: { consumer: string; uses: string }[] = [];
    while (rows.length === 0 && Date.now() < deadline) {
      rows = (
        await app.test.owner.query<{ consumer: string; uses: string }>(
          'SELECT consumer, uses FROM credential_uses WHERE credential_id = $1',
          [key.id],
        )
      ).rows;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(rows).toEqual([{ consumer: 'nightly import', uses: '1' }]);
  });
});
