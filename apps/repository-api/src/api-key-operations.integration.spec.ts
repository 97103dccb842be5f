import { RunningApp, type ProvisionedForTest } from './testing/running-app.js';

/** The calls that existing clients and their documentation make, as they stand there. */
let app: RunningApp;
let acme: ProvisionedForTest;
let user1: number;
/** The default tool's: an administrator. */
let tool: string;
/** A person's without any right over others. */
let person: string;

interface ShownKey {
  Id: string;
  Name: string;
  Value: string;
  Permissions: string[];
  CreationDate: string;
  ExpirationDate: string;
  LastUsed: string | null;
}

beforeAll(async () => {
  app = await RunningApp.start();
  acme = await app.provision('acme', ['https://app.example.com/callback']);
  user1 = await app.person(acme, 'User1');
  await app.person(acme, 'User2');
});
afterAll(() => app.stop());
beforeEach(async () => {
  tool = await app.token(acme);
  person = await app.token(acme, { clientId: acme.appClientId, userId: user1 });
});

const user = `/Root/IMS/Public/('User1')`;
const call = (path: string, { method = 'POST', token = tool, body }: { method?: string; token?: string; body?: string } = {}) =>
  app.call(acme, path, { method, token, ...(body === undefined ? {} : { body }) });
const create = async (body = '{}', token = tool) => {
  const response = await call(`${user}/CreateApiKey`, { body, token });
  expect(response.status).toBe(200);
  return (await response.json()) as ShownKey;
};
const list = async (token = tool) =>
  ((await (await call(`${user}/GetApiKeys`, { method: 'GET', token })).json()) as { apiKeys: ShownKey[] }).apiKeys;
const works = async (value: string) => (await app.call(acme, `/('Root')/GetCurrentUser?apikey=${value}`, {})).status === 200;

describe('API keys over OData, as in the seed', () => {
  it('CreateApiKey gives the value once, for a year, and GetApiKeys masks it from then on', async () => {
    const made = await create();
    expect(made.Value).toMatch(/^lk_live_ak_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}$/);
    expect(Date.parse(made.ExpirationDate) - Date.parse(made.CreationDate)).toBeCloseTo(365 * 86_400_000, -6);
    expect(made.ExpirationDate).toMatch(/Z$/);
    expect(await works(made.Value)).toBe(true);
    const listed = (await list()).find(({ Id }) => Id === made.Id);
    expect(listed?.Value).toBe(`lk_live_ak_…${made.Value.slice(-4)}`);
  });

  it('CreateApiKey takes a name, an end and permissions, and names what is wrong with them', async () => {
    const made = await create(JSON.stringify({ name: 'Blog', expirationDate: '2099-01-01T00:00:00Z', permissions: ['content:read'] }));
    expect(made).toMatchObject({ Name: 'Blog', ExpirationDate: '2099-01-01T00:00:00.000Z', Permissions: ['content:read'] });
    for (const body of [
      '{"expirationDate":"2001-01-01T00:00:00Z"}',
      '{"expirationDate":"soon"}',
      '{"permissions":["everything"]}',
      '{"name":""}',
    ]) {
      expect([body, (await call(`${user}/CreateApiKey`, { body })).status]).toEqual([body, 400]);
    }
  });

  it.each([
    ['its value', (key: ShownKey) => key.Value],
    ['its id', (key: ShownKey) => key.Id],
    ['its masked value', (key: ShownKey) => `lk_live_ak_…${key.Value.slice(-4)}`],
  ])('DeleteApiKey by %s ends it before it answers, on the user and on the root', async (_, name) => {
    for (const target of [user, `/('Root')`]) {
      const made = await create();
      // As the documentation writes it: single quotes.
      const response = await call(`${target}/DeleteApiKey`, { body: `{ 'apiKey': '${name(made)}' }` });
      expect([response.status, await response.text()]).toEqual([204, '']);
      expect(await works(made.Value)).toBe(false);
      expect((await call(`${target}/DeleteApiKey`, { body: JSON.stringify({ apiKey: name(made) }) })).status).toBe(404);
    }
  });

  it('DeleteApiKeys of a user ends all of that user’s and nobody else’s; for administrators only', async () => {
    const [made, again] = [await create(), await create()];
    const others = (await (await call(`/Root/IMS/Public/('User2')/CreateApiKey`)).json()) as ShownKey;
    expect((await call(`${user}/DeleteApiKeys`, { token: person })).status).toBe(403);
    expect((await call(`${user}/DeleteApiKeys`)).status).toBe(204);
    expect(await Promise.all([made, again, others].map(({ Value }) => works(Value)))).toEqual([false, false, true]);
    expect(await list()).toEqual([]);
  });

  it('DeleteApiKeys of the root ends all; for administrators only', async () => {
    const made = await create();
    expect((await call(`/('Root')/DeleteApiKeys`, { token: person })).status).toBe(403);
    expect(await works(made.Value)).toBe(true);
    expect((await call(`/('Root')/DeleteApiKeys`)).status).toBe(204);
    expect(await works(made.Value)).toBe(false);
  });

  it('a user manages its own keys and sees none of another’s', async () => {
    const mine = await create('{}', person);
    expect((await list(person)).map(({ Id }) => Id)).toContain(mine.Id);
    const others = (await (await call(`/Root/IMS/Public/('User2')/CreateApiKey`)).json()) as ShownKey;
    expect((await call(`/Root/IMS/Public/('User2')/GetApiKeys`, { method: 'GET', token: person })).status).toBe(404);
    expect((await call(`/Root/IMS/Public/('User2')/CreateApiKey`, { token: person })).status).toBe(404);
    expect((await call(`/('Root')/DeleteApiKey`, { token: person, body: JSON.stringify({ apiKey: others.Value }) })).status).toBe(404);
    expect(await works(others.Value)).toBe(true);
    expect((await call(`${user}/DeleteApiKey`, { token: person, body: JSON.stringify({ apiKey: mine.Value }) })).status).toBe(204);
  });

  it('a credential without api-keys:manage manages none, whatever its user may do', async () => {
    const limited = await app.token(acme, { scope: 'content:read content:write users:read users:write' });
    for (const [method, operation] of [
      ['GET', 'GetApiKeys'],
      ['POST', 'CreateApiKey'],
      ['POST', 'DeleteApiKey'],
      ['POST', 'DeleteApiKeys'],
    ] as const) {
      expect([
        operation,
        (await call(`${user}/${operation}`, { method, token: limited, ...(method === 'POST' ? { body: '{"apiKey":"x"}' } : {}) })).status,
      ]).toEqual([operation, 403]);
    }
  });

  it('what creates and ends a key is in the audit trail, in the user’s name', async () => {
    const made = await create('{}', person);
    await call(`${user}/DeleteApiKey`, { token: person, body: JSON.stringify({ apiKey: made.Value }) });
    const { rows } = await app.test.owner.query<{ action: string; actor_kind: string; actor_id: string }>(
      'SELECT action, actor_kind, actor_id FROM audit_events WHERE target_id = $1 ORDER BY at, id',
      [made.Id],
    );
    expect(rows).toEqual([
      { action: 'api-key.created', actor_kind: 'user', actor_id: String(user1) },
      { action: 'api-key.deleted', actor_kind: 'user', actor_id: String(user1) },
    ]);
  });
});
