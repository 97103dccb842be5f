import { setTimeout as wait } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { wellKnown } from '@latchkey/content';
import { dataOf, errorOf } from './testing/answers.js';
import { RunningApp, type ProvisionedForTest } from './testing/running-app.js';

/** What a plan allows, and who is told how often it called. */
let app: RunningApp;
let acme: ProvisionedForTest;
let tool: string;
let made = 0;

beforeAll(async () => {
  app = await RunningApp.start();
});
afterAll(() => app.stop());
beforeEach(beginAnew);

async function beginAnew(): Promise<void> {
  acme = await app.provision(`acme-${(made += 1)}`, ['https://app.example.com/callback']);
  tool = await app.token(acme);
}

const rows = async <T>(sql: string, ...values: unknown[]) => (await app.test.owner.query(sql, values)).rows as T[];
const limit = (limits: object) =>
  rows(
    `UPDATE repositories SET settings = settings || jsonb_build_object('limits', $2::jsonb) WHERE id = $1`,
    acme.id,
    JSON.stringify(limits),
  );
const send = (method: string, path: string, body?: object, token: string | undefined = tool) =>
  app.call(acme, path, { method, token, ...(body ? { body: JSON.stringify(body) } : {}) });
const make = (type: string, name: string) =>
  type === 'Folder'
    ? send('POST', '/Root/Content', { __ContentType: type, Name: name })
    : send('POST', '/Root/IMS/Public', { __ContentType: type, [type === 'User' ? 'LoginName' : 'Name']: name });
const dashboard = async (token = tool) => (await send('GET', `/('Root')/GetDashboardData?$select=Plan`, undefined, token)).json();

describe('the limits of a plan', () => {
  it.each([
    ['users', 'User'],
    ['groups', 'Group'],
    ['contents', 'Folder'],
  ])('of %s cannot be passed, by many at once either, and nothing half-written is left', async (name, type) => {
    await limit({ [name]: 3 });
    const answers = await Promise.all(Array.from({ length: 8 }, (_, index) => make(type, `n${index}`)));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(3);
    const refused = answers.filter(({ status }) => status === 409);
    expect(refused).toHaveLength(5);
    expect(await errorOf(refused[0] as Response)).toMatchObject({
      code: 'QuotaExceeded',
      message: { value: expect.stringContaining(`allows 3 ${name}`) as string },
    });
    const held = await rows<{ nodes: number; users: number; counted: number }>(
      `SELECT (SELECT count(*)::integer FROM content_nodes n WHERE n.repository_id = $1 AND n.id >= 1000) AS nodes,
        (SELECT count(*)::integer FROM repository_users u WHERE u.repository_id = $1 AND NOT u.technical) AS users,
        (SELECT ${name} FROM content_counters c WHERE c.repository_id = $1) AS counted`,
      acme.id,
    );
    expect(held).toEqual([{ nodes: 3, users: type === 'User' ? 3 : 0, counted: 3 }]);
  });

  it('of clients cannot be passed over OData either', async () => {
    await limit({ clients: 3 });
    const add = () => send('POST', `/('Root')/CreateClient`, { name: 'Mine', type: 'ExternalClient', userName: '' });
    expect((await add()).status).toBe(200);
    expect(await errorOf(await add())).toMatchObject({
      code: 'QuotaExceeded',
      message: { value: expect.stringContaining('3 clients') as string },
    });
  });

  it('leave room again for what was deleted for good, and hold back nothing of another kind', async () => {
    await limit({ users: 1, contents: 1 });
    const first = await dataOf(await make('User', 'anna'));
    expect((await make('User', 'berta')).status).toBe(409);
    expect((await make('Folder', 'f')).status).toBe(201);
    expect((await make('Group', 'g')).status).toBe(201);
    const path = `/content(${String(first['Id'])})`;
    // What is in the trash is held still.
    expect((await send('DELETE', path)).status).toBe(200);
    expect((await make('User', 'berta')).status).toBe(409);
    expect((await send('DELETE', path)).status).toBe(200);
    expect((await make('User', 'berta')).status).toBe(201);
  });

  it('are those of the plan, unless the operator set others', async () => {
    expect(await dashboard()).toMatchObject({
      subscription: { plan: { name: 'business', limitations: { user: 10_000, content: 1_000_000 } } },
    });
    await rows(`UPDATE repositories SET settings = settings || '{"plan": "developer", "limits": {"users": null}}' WHERE id = $1`, acme.id);
    expect(await dashboard()).toMatchObject({
      subscription: { plan: { name: 'developer', limitations: { user: null, group: 10, content: 1_000, storageBytes: 734_003_200 } } },
    });
  });
});

describe('GetDashboardData', () => {
  it('tells what the repository holds, and administrators who has called how often', async () => {
    await make('User', 'anna');
    await make('Folder', 'f');
    await make('Spaceship', 's');
    const key = await app.apiKey(acme, wellKnown.publicAdmin);
    await app.call(acme, `/('Root')?apikey=${key.value}`);
    const anna = await app.token(acme, { clientId: acme.appClientId, userId: 1000 });
    expect(await dashboard(anna)).not.toHaveProperty('calls');
    interface Shown {
      usage: object;
      calls: { credentialId: string; userId: number; calls: number; refused: number }[];
    }
    let shown = (await dashboard()) as Shown;
    for (let turn = 0; turn < 100 && shown.calls.length < 3; turn += 1) {
      await wait(50);
      shown = (await dashboard()) as Shown;
    }
    expect(shown.usage).toEqual({ user: 1, group: 0, content: 1, storageBytes: 0 });
    const callsOf = (id: string) => shown.calls.find(({ credentialId }) => credentialId === id);
    expect(callsOf(key.id)).toEqual({ credentialId: key.id, userId: wellKnown.publicAdmin, calls: 1, refused: 0 });
    expect(callsOf(acme.appClientId)).toMatchObject({ userId: 1000, calls: 1 });
    expect(callsOf(acme.toolClientId)).toMatchObject({ userId: wellKnown.publicAdmin, refused: 1 });
    expect((await app.call(acme, `/('Root')/GetDashboardData`)).status).toBe(403);
  });
});

describe('counts of calls', () => {
  it('become days when the day is over, and lose nothing', async () => {
    await rows(
      `SELECT record_calls(ARRAY[$1, $1, $1]::uuid[], ARRAY[now() - interval '50 hours', now() - interval '50 hours', now()], ARRAY['c', 'c', 'c'],
        ARRAY[1, 1, 1], ARRAY[5, 2, 3]::bigint[], ARRAY[1, 0, 0]::bigint[])`,
      acme.id,
    );
    for (const turn of [1, 2]) {
      await app.database.transaction('system', (tx) => tx.query('SELECT roll_up_calls(1000)'));
      const kept = await rows(
        `SELECT period, calls::integer, refused::integer FROM call_counts WHERE repository_id = $1 AND credential_id = 'c' ORDER BY starts_at`,
        acme.id,
      );
      expect([turn, kept]).toEqual([
        turn,
        [
          { period: 'day', calls: 7, refused: 1 },
          { period: 'hour', calls: 3, refused: 0 },
        ],
      ]);
    }
  });
});

describe('the rate limit', () => {
  it('is each credential’s own, is told in every answer, and says when to come back', async () => {
    await limit({ requestsPerMinute: 3 });
    const other = await app.apiKey(acme, wellKnown.publicAdmin);
    const answers = [];
    for (let turn = 0; turn < 4; turn += 1) answers.push(await send('GET', `/('Root')`));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 429]);
    expect(answers[0]?.headers.get('ratelimit-policy')).toBe('"credential";q=3;w=60');
    expect(answers[0]?.headers.get('ratelimit')).toMatch(/^"credential";r=2;t=\d+$/);
    const refused = answers[3] as Response;
    expect(refused.headers.get('ratelimit')).toMatch(/r=0;/);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await errorOf(refused)).toMatchObject({ code: 'TooManyRequests', message: { lang: 'en-us' } });
    expect((await app.call(acme, `/('Root')`, { headers: { apikey: other.value } })).status).toBe(200);
    expect((await app.call(acme, `/('Root')/GetCurrentUser`)).status).toBe(200);
  });

  it('is not there where the plan has none', async () => {
    await limit({ requestsPerMinute: null });
    const answer = await send('GET', `/('Root')`);
    expect([answer.status, answer.headers.get('ratelimit')]).toEqual([200, null]);
  });
});

const redisUrl = process.env['REDIS_URL'];
if (!redisUrl) console.log('The count of calls in Redis was not tested: set REDIS_URL to a Redis server.');

(redisUrl ? describe : describe.skip)('nodes that share a Redis', () => {
  it('count the calls of a credential together, and each by itself while Redis is away', async () => {
    const first = await RunningApp.start({ test: app.test, redisUrl: redisUrl ?? '' });
    const second = await RunningApp.start({ test: app.test, redisUrl: redisUrl ?? '' });
    const cut = await RunningApp.start({ test: app.test, redisUrl: 'redis://127.0.0.1:9' });
    const read = async (nodes: RunningApp[]) => {
      await beginAnew();
      await limit({ requestsPerMinute: 3 });
      const shown: [number, string | undefined][] = [];
      for (const node of nodes) {
        const answer = await node.call(acme, '/Root/Content', { token: tool });
        shown.push([answer.status, /r=(\d+)/.exec(answer.headers.get('ratelimit') ?? '')?.[1]]);
      }
      return shown;
    };
    const together = [...(['2', '1', '0'] as const).map((left) => [200, left]), [429, '0'], [429, '0']];
    const inTurn = [first, second, first, second, first];
    let counted = await read(inTurn);
    // A node that does not hear from Redis within 250 ms, as when this process stands still, counts that call by itself.
    for (let again = 0; again < 3 && !isDeepStrictEqual(counted, together); again += 1) counted = await read(inTurn);
    expect(counted).toEqual(together);
    expect(await read([cut, cut])).toEqual([
      [200, '2'],
      [200, '1'],
    ]);
    for (const node of [first, second, cut]) await node.stopAlone();
  });
});
