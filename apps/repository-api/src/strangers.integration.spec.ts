import { wellKnown } from '@latchkey/content';
import { operationNames } from './operations.js';
import { dataOf } from './testing/answers.js';
import { RunningApp, type ProvisionedForTest } from './testing/running-app.js';

/** Every operation, called by those whom it is not for; and what was shown once is nowhere afterwards. */
let app: RunningApp;
let acme: ProvisionedForTest;
let other: ProvisionedForTest;
let annaId: number;
let groupId: number;
let tool: string;

beforeAll(async () => {
  app = await RunningApp.start();
  acme = await app.provision('acme', ['https://app.example.com/callback']);
  other = await app.provision('other', ['https://app.example.com/callback']);
  annaId = await app.person(acme, 'anna');
  tool = await app.token(acme);
  const made = await call(`/Root/IMS/Public`, { token: tool, body: { __ContentType: 'Group', Name: 'editors' } });
  groupId = Number((await dataOf(made))['Id']);
});
afterAll(() => app.stop());

interface Wish {
  method?: string;
  token?: string | undefined;
  apikey?: string;
  body?: object;
}
const call = (path: string, { method = 'POST', token, apikey, body }: Wish) =>
  app.call(acme, path, {
    method,
    token,
    headers: apikey === undefined ? {} : { apikey },
    ...(body === undefined || method === 'GET' ? {} : { body: JSON.stringify(body) }),
  });

/** Anyone may ask, and learns nothing but what everyone knows, or what they are themselves. */
const forAnyone = new Set(['GetCurrentUser', 'GetSchema', 'GetRepositoryType', 'GetClientRequestParameters']);

/** On what each is called, and with what. */
const cases: Record<string, () => { on: string; body?: object }> = {
  HasPermission: () => ({ on: `/content(${annaId})`, body: { permissions: 'See' } }),
  Actions: () => ({ on: `/content(${annaId})` }),
  GetDashboardData: () => ({ on: `/('Root')` }),
  DeleteBatch: () => ({ on: `/('Root')`, body: { paths: [groupId] } }),
  MoveBatch: () => ({ on: `/('Root')`, body: { paths: [groupId], targetPath: '/Root/IMS/BuiltIn/Portal' } }),
  CopyBatch: () => ({ on: `/('Root')`, body: { paths: [groupId], targetPath: '/Root/IMS/BuiltIn/Portal' } }),
  upload: () => ({ on: `/content(${groupId})` }),
  GetTrash: () => ({ on: `/content(${groupId})` }),
  SetPermissions: () => ({ on: `/content(${groupId})`, body: { r: [{ identity: annaId, See: 'allow' }] } }),
  GetPermissions: () => ({ on: `/content(${groupId})` }),
  Restore: () => ({ on: `/content(${groupId})` }),
  GetApiKeys: () => ({ on: `/content(${annaId})` }),
  CreateApiKey: () => ({ on: `/content(${annaId})` }),
  DeleteApiKey: () => ({ on: `/('Root')`, body: { apiKey: 'x' } }),
  DeleteApiKeys: () => ({ on: `/('Root')` }),
  GetClients: () => ({ on: `/('Root')` }),
  GetClientsForRepository: () => ({ on: `/('Root')` }),
  CreateClient: () => ({ on: `/('Root')`, body: { name: 'x', type: 'ExternalClient' } }),
  DeleteClient: () => ({ on: `/('Root')`, body: { clientId: acme.toolClientId } }),
  CreateSecret: () => ({ on: `/('Root')`, body: { clientId: acme.toolClientId } }),
  DeleteSecret: () => ({ on: `/('Root')`, body: { clientId: acme.toolClientId, secretId: acme.secretId } }),
  RegenerateSecretForRepository: () => ({ on: `/('Root')`, body: { clientId: acme.toolClientId, secretId: acme.secretId } }),
  AddMembers: () => ({ on: `/content(${groupId})`, body: { contentIds: [annaId] } }),
  RemoveMembers: () => ({ on: `/content(${groupId})`, body: { contentIds: [annaId] } }),
  GetParentGroups: () => ({ on: `/content(${annaId})` }),
  ChangePassword: () => ({ on: `/content(${annaId})`, body: { password: 'correct horse battery staple' } }),
};

describe('a stranger', () => {
  it.each(operationNames().filter((name) => !forAnyone.has(name)))('gets nowhere with %s', async (name) => {
    const wish = cases[name];
    if (!wish) throw new Error(`the operation ${name} has no stranger's case`);
    const { on, body } = wish();
    const path = `${on}/${name}`;
    const stranger = await app.token(other);
    const key = await app.apiKey(other, wellKnown.publicAdmin);
    for (const credential of [{ token: stranger }, { apikey: key.value }, { token: 'x' }, { apikey: '' }]) {
      expect([credential, (await call(path, { ...credential, ...(body ? { body } : {}) })).status]).toEqual([credential, 401]);
    }
    const before = await held();
    const nobody = await call(path, body ? { body } : {});
    const nothing = await call(path, { token: await app.token(acme, { scope: 'openid' }), ...(body ? { body } : {}) });
    if (name.endsWith('Batch')) {
      for (const answer of [nobody, nothing]) expect(await dataOf(answer)).toMatchObject({ __count: 0, results: [] });
    } else {
      expect([401, 403, 404]).toContain(nobody.status);
      // A credential without any scope may still see how its own repository is doing.
      if (name !== 'GetDashboardData') expect([403, 404]).toContain(nothing.status);
    }
    expect(await held()).toEqual(before);
  });

  it('is told by no operation that there is something at an address: what is not there answers the same', async () => {
    for (const name of operationNames().filter((one) => !forAnyone.has(one))) {
      const { body } = cases[name]?.() ?? {};
      const ask = async (on: string) => {
        const answer = await call(`${on}/${name}`, {
          token: await app.token(acme, { clientId: acme.appClientId, userId: annaId }),
          ...(body ? { body } : {}),
        });
        return [name, answer.status, await answer.text()];
      };
      expect(await ask(`/content(${wellKnown.administrators})`)).toEqual(await ask('/content(424242)'));
    }
  });
});

/** Everything that an operation could have changed. */
async function held() {
  const count = (table: string) => `(SELECT count(*)::integer FROM ${table}) AS ${table}`;
  const tables = ['content_nodes', 'content_group_members', 'content_permissions', 'clients', 'secret_versions', 'cutoffs'].map(count);
  const { rows } = await app.test.owner.query<Record<string, number>>(
    `SELECT ${tables.join(', ')}, (SELECT sum(generation)::integer FROM repository_users) AS users`,
  );
  return rows;
}

describe('what is shown once', () => {
  it('is in no table and in no later answer', async () => {
    const json = async (response: Response) => (await response.json()) as { Value?: string; value?: string; id: string; clientId: string };
    const client = await json(await call(`/('Root')/CreateClient`, { token: tool, body: { name: 'x', type: 'ExternalClient' } }));
    const secret = await json(await call(`/('Root')/CreateSecret`, { token: tool, body: { clientId: client.clientId } }));
    const again = { clientId: client.clientId, secretId: secret.id };
    const regenerated = await json(await call(`/('Root')/RegenerateSecretForRepository`, { token: tool, body: again }));
    const key = await json(await call(`/content(${annaId})/CreateApiKey`, { token: tool }));
    const password = 'correct horse battery staple 1';
    expect((await call(`/content(${annaId})/ChangePassword`, { token: tool, body: { password } })).status).toBe(204);
    expect(
      (await call('/Root/IMS/Public', { token: tool, body: { __ContentType: 'User', LoginName: 'berta', Password: `${password}2` } }))
        .status,
    ).toBe(201);
    const planted = [secret.value, regenerated.value, key.Value, password].map((value) => value ?? 'missing');
    expect(planted).not.toContain('missing');

    const { rows: tables } = await app.test.owner.query<{ name: string }>(
      `SELECT tablename AS name FROM pg_tables WHERE schemaname = 'latchkey'`,
    );
    for (const { name } of tables) {
      const { rows } = await app.test.owner.query(`SELECT t.* FROM latchkey.${name} t WHERE t::text LIKE ANY($1)`, [
        planted.map((value) => `%${value}%`),
      ]);
      expect([name, rows]).toEqual([name, []]);
    }
    for (const path of [
      `/('Root')/GetClients`,
      `/content(${annaId})/GetApiKeys`,
      `/content(${annaId})`,
      '/Root/IMS/Public',
      `/('Root')/GetDashboardData`,
    ]) {
      const text = await (await call(path, { method: 'GET', token: tool })).text();
      for (const value of planted) expect(text).not.toContain(value);
    }
  });
});
