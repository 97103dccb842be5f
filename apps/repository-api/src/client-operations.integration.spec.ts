import { wellKnown } from '@latchkey/content';
import { costOf } from '@latchkey/database/testing';
import { errorOf } from './testing/answers.js';
import { RunningApp, type ProvisionedForTest } from './testing/running-app.js';

/** Clients and secrets as existing administration tools call for them. */
let app: RunningApp;
let acme: ProvisionedForTest;
let annaId: number;
let adminId: number;
/** The default tool's: an administrator. */
let tool: string;

interface ShownClient {
  name: string;
  clientId: string;
  userName: string | null;
  type: string;
  secrets: { id: string; value: string; creationDate: string; validTill: string }[];
}

beforeAll(async () => {
  app = await RunningApp.start();
  acme = await app.provision('acme', ['https://app.example.com/callback']);
  annaId = await app.person(acme, 'anna');
  adminId = await app.person(acme, 'carla', true);
  await app.provision('other');
});
afterAll(() => app.stop());
beforeEach(async () => (tool = await app.token(acme)));

const suffix = '?$select=Id%2CPath&metadata=no&$inlinecount=allpages&$top=10000';
const call = (operation: string, body?: object, token: string | undefined = tool) =>
  app.call(acme, `/('Root')/${operation}${suffix}`, {
    method: body ? 'POST' : 'GET',
    token,
    ...(body ? { body: JSON.stringify(body), headers: { 'content-type': 'text/plain;charset=UTF-8' } } : {}),
  });
const clients = async (token = tool) => ((await (await call('GetClients', undefined, token)).json()) as { clients: ShownClient[] }).clients;
const done = async <T>(response: Response): Promise<T> => {
  expect(response.status).toBe(200);
  return (await response.json()) as T;
};
/** A tool client whose secret minted a token that works. */
const makeTool = async () => {
  const made = await done<ShownClient>(
    await call('CreateClient', { name: 'Sync', type: 'externalclient', userName: 'builtin\\publicadmin' }),
  );
  const secret = await done<ShownClient['secrets'][0]>(await call('CreateSecret', { clientId: made.clientId }));
  const token = await app.token({ ...acme, secretId: secret.id }, { clientId: made.clientId });
  return { clientId: made.clientId, secret, token };
};
const works = async (token: string) => (await app.call(acme, `/('Root')`, { token })).status === 200;

describe('client operations', () => {
  it('GetClients lists them in the known shape, with secrets masked', async () => {
    for (const operation of ['GetClients', 'getclientsforrepository']) {
      const listed = await done<{ clients: ShownClient[] }>(await call(operation));
      expect(listed).toEqual({
        clients: [
          {
            name: 'App',
            repository: 'localhost:4200/acme',
            clientId: acme.appClientId,
            userName: null,
            authority: 'localhost:4100/acme',
            type: 'ExternalSpa',
            secrets: [],
          },
          {
            name: 'Tool',
            repository: 'localhost:4200/acme',
            clientId: acme.toolClientId,
            userName: 'builtin\\publicadmin',
            authority: 'localhost:4100/acme',
            type: 'ExternalClient',
            secrets: [
              {
                id: acme.secretId,
                value: `lk_live_cs_…${acme.secretValue.slice(-4)}`,
                creationDate: expect.stringMatching(/Z$/) as string,
                validTill: '9999-12-31T23:59:59.9999999',
              },
            ],
          },
        ],
      });
      expect(JSON.stringify(listed)).not.toContain(acme.secretValue);
    }
  });

  it('CreateClient makes one without a secret, CreateSecret gives it one, whose value is told once', async () => {
    const { clientId, secret, token } = await makeTool();
    expect(secret.value).toMatch(/^lk_live_cs_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}$/);
    expect(await works(token)).toBe(true);
    const listed = (await clients()).find((client) => client.clientId === clientId);
    expect(listed).toMatchObject({
      name: 'Sync',
      userName: 'builtin\\publicadmin',
      secrets: [{ value: `lk_live_cs_…${secret.value.slice(-4)}` }],
    });
    const dated = await done<{ validTill: string }>(await call('CreateSecret', { clientId, validTill: '2099-01-01T00:00:00Z' }));
    expect(dated.validTill).toBe('2099-01-01T00:00:00.000Z');
    const spa = await done<ShownClient>(await call('CreateClient', { name: 'Web', type: 'ExternalSpa', userName: 'anna' }));
    expect(spa).toMatchObject({ type: 'ExternalSpa', userName: null, secrets: [] });
    expect((await call('CreateSecret', { clientId: spa.clientId })).status).toBe(400);
  });

  it('RegenerateSecretForRepository ends the named secret and its tokens before it answers, and no other', async () => {
    const { clientId, secret, token } = await makeTool();
    const second = await done<{ id: string }>(await call('CreateSecret', { clientId }));
    const other = await app.token({ ...acme, secretId: second.id }, { clientId });
    const fresh = await done<{ id: string; value: string }>(await call('RegenerateSecretForRepository', { clientId, secretId: secret.id }));
    expect(fresh.value).not.toBe(secret.value);
    expect([await works(token), await works(other), await works(await app.token({ ...acme, secretId: fresh.id }, { clientId }))]).toEqual([
      false,
      true,
      true,
    ]);
    // The id of one that was replaced does not say which of two is meant.
    expect((await call('RegenerateSecretForRepository', { clientId, secretId: secret.id })).status).toBe(404);
    expect((await call('DeleteSecret', { clientId, secretId: second.id })).status).toBe(204);
    expect((await call('RegenerateSecretForRepository', { clientId, secretId: secret.id })).status).toBe(200);
  });

  it('DeleteSecret and DeleteClient end secrets and tokens before they answer, with proof and audit', async () => {
    const { clientId, secret, token } = await makeTool();
    expect((await call('DeleteSecret', { clientId, secretId: secret.id })).status).toBe(204);
    expect(await works(token)).toBe(false);
    expect((await call('DeleteSecret', { clientId, secretId: secret.id })).status).toBe(204);
    const again = await makeTool();
    expect((await call('DeleteClient', { clientId: again.clientId })).status).toBe(204);
    expect(await works(again.token)).toBe(false);
    const unknown = await call('DeleteClient', { clientId: again.clientId });
    expect([unknown.status, (await errorOf(unknown)).message.value]).toEqual([404, `Unknown client id: ${again.clientId}`]);
    expect((await call('DeleteClient', { clientId: acme.toolClientId })).status).toBe(409);
    const { rows } = await app.test.owner.query<{ kind: string; told: boolean }>(
      'SELECT kind, effective_at IS NOT NULL AS told FROM cutoffs WHERE client_id = ANY($1) ORDER BY effective_at',
      [[clientId, again.clientId]],
    );
    expect(rows).toEqual([
      { kind: 'secret.revoked', told: true },
      { kind: 'client.deleted', told: true },
    ]);
    const { rows: audited } = await app.test.owner.query<{ action: string }>(
      `SELECT action FROM audit_events WHERE actor_kind = 'user' AND actor_id = $2 AND (target_id = $1 OR details ->> 'clientId' = $1) ORDER BY at, id`,
      [clientId, String(wellKnown.publicAdmin)],
    );
    expect(audited.map(({ action }) => action)).toEqual(['client.created', 'secret.created', 'secret.revoked']);
  });

  it.each([
    ['CreateClient', { name: 'x', type: 'Spaceship' }, 400],
    ['CreateClient', { name: 'x', type: 'InternalClient' }, 403],
    ['CreateClient', { name: 'x', type: 'ExternalClient', userName: 'nobody\0' }, 400],
    ['CreateClient', { name: 'x'.repeat(500), type: 'ExternalClient' }, 400],
    ['CreateClient', { name: {}, type: 'ExternalClient' }, 400],
    ['DeleteClient', {}, 400],
    ['DeleteClient', { clientId: `x' OR 1=1 --\0` }, 404],
    ['CreateSecret', { clientId: 'tool_none' }, 404],
    ['RegenerateSecretForRepository', { clientId: 'tool_none', secretId: 'x' }, 404],
    ['CreateSecret', { clientId: 'DEFAULT', validTill: 'soon' }, 400],
    ['CreateSecret', { clientId: 'DEFAULT', validTill: '2001-01-01T00:00:00Z' }, 400],
    ['RegenerateSecretForRepository', { clientId: 'DEFAULT', secretId: `'; --\0` }, 404],
    ['RegenerateSecretForRepository', { clientId: 'DEFAULT' }, 400],
  ])('%s with %p is %i', async (operation, body, status) => {
    const sent = JSON.parse(JSON.stringify(body).replace('DEFAULT', acme.toolClientId)) as object;
    expect((await call(operation, sent)).status).toBe(status);
  });

  const each = [
    ['GetClients', undefined],
    ['GetClientsForRepository', undefined],
    ['CreateClient', { name: 'x', type: 'ExternalClient' }],
    ['DeleteClient', { clientId: 'DEFAULT' }],
    ['CreateSecret', { clientId: 'DEFAULT' }],
    ['DeleteSecret', { clientId: 'DEFAULT', secretId: 'SECRET' }],
    ['RegenerateSecretForRepository', { clientId: 'DEFAULT', secretId: 'SECRET' }],
  ] as const;
  const sentOf = (body: object | undefined) =>
    body && (JSON.parse(JSON.stringify(body).replace('DEFAULT', acme.toolClientId).replace('SECRET', acme.secretId)) as object);

  it.each(each)('%s is for administrators alone, with a credential for managing clients', async (operation, body) => {
    const anna = await app.token(acme, { clientId: acme.appClientId, userId: annaId });
    const limited = await app.token(acme, { scope: 'content:read content:write users:read users:write api-keys:manage' });
    const elsewhere = await app.token(await app.provision(`elsewhere-${operation.toLowerCase()}`));
    expect((await call(operation, sentOf(body), anna)).status).toBe(403);
    expect((await call(operation, sentOf(body), limited)).headers.get('www-authenticate')).toContain('scope="clients:manage"');
    expect((await call(operation, sentOf(body), elsewhere)).status).toBe(401);
    expect((await app.call(acme, `/('Root')/${operation}`, { method: 'POST', body: JSON.stringify(sentOf(body) ?? {}) })).status).toBe(403);
    expect(await works(tool)).toBe(true);
  });

  it('nobody gets a client or a secret that may be used for more than the credential it was asked for with', async () => {
    const limited = await app.token(acme, { scope: 'clients:manage content:read' });
    for (const [operation, body] of each.filter(([name]) => /Secret/.test(name) && name !== 'DeleteClient')) {
      expect([operation, (await call(operation, sentOf(body), limited)).status]).toEqual([operation, 403]);
    }
    const refused = await call('CreateClient', { name: 'x', type: 'ExternalClient', permissions: ['users:write'] }, limited);
    expect(refused.status).toBe(403);
    const made = await done<ShownClient>(await call('CreateClient', { name: 'x', type: 'ExternalClient' }, limited));
    const { rows } = await app.test.owner.query('SELECT permissions FROM clients WHERE id = $1', [made.clientId]);
    expect(rows).toEqual([{ permissions: ['content:read', 'clients:manage'] }]);
  });

  it('GetClients takes as many statements for many tools that act as one user as for one', async () => {
    const cost = async () => {
      // What the repository's plan allows is remembered for a moment, and read before.
      await clients();
      return costOf(() => clients());
    };
    const few = await cost();
    for (let i = 0; i < 5; i++) await makeTool();
    expect(await cost()).toEqual(few);
  });

  it('a fault of the database is not told as a client that is not there', async () => {
    await app.test.owner.query('REVOKE SELECT ON clients FROM latchkey_app');
    try {
      expect((await call('DeleteClient', { clientId: acme.toolClientId })).status).toBe(500);
    } finally {
      await app.test.owner.query('GRANT SELECT ON clients TO latchkey_app');
    }
  });

  it('a client acts as its maker unless told otherwise', async () => {
    const carla = await app.token(acme, { clientId: acme.appClientId, userId: adminId });
    expect(await done<ShownClient>(await call('CreateClient', { name: 'x', type: 'ExternalClient' }, carla))).toMatchObject({
      userName: 'public\\carla',
    });
  });
});

describe('API keys', () => {
  it('cannot be made to do more than the credential they were asked for with', async () => {
    const limited = await app.token(acme, { scope: 'api-keys:manage content:read users:read' });
    const create = (body: object) =>
      app.call(acme, `/Root/IMS/BuiltIn/Portal/('PublicAdmin')/CreateApiKey`, {
        method: 'POST',
        token: limited,
        body: JSON.stringify(body),
      });
    expect((await create({ permissions: ['content:write'] })).status).toBe(403);
    expect(await (await create({})).json()).toMatchObject({ Permissions: ['content:read', 'users:read', 'api-keys:manage'] });
  });
});
