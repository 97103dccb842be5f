import {
  tenantPermissions,
  type CreatedApiKeyView,
  type CreatedInvitationView,
  type CreatedTenantCredentialView,
  type CreatedWebhookView,
  type DeliveryView,
  type ProvisionedRepositoryView,
  type RegeneratedSecretView,
  type TenantPermission,
  type UserView,
} from '@latchkey/contracts';
import { describeApi } from './openapi.js';
import { eachWithZero } from './testing/each-with-zero.js';
import { startApi, type RunningApi, type TestMember } from './testing/running-api.js';

let api: RunningApi;
let acme: ProvisionedRepositoryView;
let user: UserView;
let webhook: CreatedWebhookView;
let delivery: DeliveryView;
let apiKey: CreatedApiKeyView;
let credential: CreatedTenantCredentialView;
let invitation: CreatedInvitationView;
let member: TestMember;
let cutoffId: string;
let routes: Route[];
let sessionId: string;

interface Route {
  method: string;
  path: string;
  /** It lies below one repository. */
  ofRepository: boolean;
  takesBody: boolean;
  /** What its query may name. */
  queries: string[];
}

beforeAll(async () => {
  api = await startApi();
  acme = (await (
    await api.tenant.call('POST', '/v1/repositories', { slug: 'acme', name: 'Acme', environment: 'production' })
  ).json()) as ProvisionedRepositoryView;
  user = (await (await api.tenant.call('POST', '/v1/repositories/acme/users', { loginName: 'anna' })).json()) as UserView;
  const keys = `/v1/repositories/acme/users/${user.id}/api-keys`;
  apiKey = (await (await api.tenant.call('POST', keys, { name: 'Key' })).json()) as CreatedApiKeyView;
  const hook = { url: 'https://example.com/hook' };
  webhook = (await (await api.tenant.call('POST', '/v1/repositories/acme/webhooks', hook)).json()) as CreatedWebhookView;
  delivery = (await (await api.tenant.call('POST', `/v1/repositories/acme/webhooks/${webhook.id}/test`)).json()) as DeliveryView;
  const google = { id: 'google', kind: 'google', clientId: 'mine', clientSecret: 'mine' };
  await api.tenant.call('POST', '/v1/repositories/acme/identity-providers', google);
  const pipeline = { name: 'Pipeline', permissions: ['repositories:read'] };
  credential = (await (await api.tenant.call('POST', '/v1/credentials', pipeline)).json()) as CreatedTenantCredentialView;
  invitation = (await (await api.tenant.call('POST', '/v1/invitations', { role: 'viewer' })).json()) as CreatedInvitationView;
  member = await api.addMember('viewer');
  const regenerate = `/v1/repositories/acme/clients/${acme.toolClient.clientId}/secrets/regenerate`;
  cutoffId = ((await (await api.tenant.call('POST', regenerate, {})).json()) as RegeneratedSecretView).cutoff.id;
  sessionId = await api.addSession(String(user.id));
  routes = allRoutes();
});
afterAll(() => api.close());

/** Every route that the API describes: what is not described here does not exist. */
function allRoutes(): Route[] {
  const { paths } = describeApi(api.app, api.config);
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      method: method.toUpperCase(),
      path,
      ofRepository: path.startsWith('/v1/repositories/{slug}'),
      takesBody: (operation as { requestBody?: unknown }).requestBody !== undefined,
      queries: ((operation as { parameters?: { in: string; name: string }[] }).parameters ?? []).flatMap((parameter) =>
        parameter.in === 'query' ? [parameter.name] : [],
      ),
    })),
  );
}

const named = (route: Route) => `${route.method} ${route.path}`;

/** The route's address with the first tenant's things in it. */
const fill = (route: Route) =>
  route.path
    .replace('{slug}', acme.slug)
    .replace('/credentials/{clientId}', `/credentials/${credential.clientId}`)
    .replace('{memberId}', member.id)
    .replace('{invitationId}', invitation.id)
    .replace('{clientKeyId}', acme.toolClient.secret.id)
    .replace('{clientId}', acme.toolClient.clientId)
    .replace('{secretId}', acme.toolClient.secret.id)
    .replace('{keyId}', apiKey.id)
    .replace('{providerId}', 'google')
    .replace('{factor}', 'totp')
    .replace('{webhookId}', webhook.id)
    .replace('{cutoffId}', cutoffId)
    .replace('{deliveryId}', delivery.id)
    .replace('{sessionId}', sessionId)
    .replace('{id}', String(user.id));

/** A body that each route would take from its owner. A route that is not here fails the tests below. */
const goodBodies: Record<string, unknown> = {
  'POST /v1/repositories': { slug: 'another', name: 'Another', environment: 'production' },
  'PATCH /v1/repositories/{slug}': { name: 'Mine' },
  'PUT /v1/repositories/{slug}/logo': {
    image: 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  },
  'POST /v1/repositories/{slug}/keys/rotate': { afterSeconds: 60 },
  'POST /v1/repositories/{slug}/clients': { kind: 'tool', name: 'Mine' },
  'PATCH /v1/repositories/{slug}/clients/{clientId}': { name: 'Mine' },
  'POST /v1/repositories/{slug}/clients/{clientId}/secrets': {},
  'POST /v1/repositories/{slug}/clients/{clientId}/keys': {
    jwk: { kty: 'EC', crv: 'P-256', x: 'MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4', y: '4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM' },
  },
  'POST /v1/repositories/{slug}/clients/{clientId}/secrets/regenerate': {},
  'POST /v1/repositories/{slug}/users/{id}/api-keys': { name: 'Mine' },
  'POST /v1/repositories/{slug}/users': { loginName: 'mallory' },
  'PATCH /v1/repositories/{slug}/users/{id}': { enabled: false },
  'PUT /v1/repositories/{slug}/domain': { domain: 'login.acme.com' },
  'POST /v1/repositories/{slug}/identity-providers': {
    id: 'github',
    kind: 'github',
    clientId: 'mine',
    clientSecret: 'mine',
  },
  'PATCH /v1/repositories/{slug}/identity-providers/{providerId}': { name: 'Mine' },
  'POST /v1/repositories/{slug}/webhooks': { url: 'https://example.com/other' },
  'PATCH /v1/repositories/{slug}/webhooks/{webhookId}': { url: 'https://evil.example.com/' },
  'POST /v1/repositories/{slug}/webhooks/{webhookId}/rotate': {},
  'PATCH /v1/tenant': { name: 'Mine' },
  'POST /v1/tenant/transfer': { memberId: '01a1fc9c-1b07-71c2-b765-617512bba927' },
  'POST /v1/me/tenants': { name: 'Mine' },
  'PATCH /v1/members/{memberId}': { role: 'admin' },
  'POST /v1/invitations': { role: 'viewer' },
  'POST /v1/credentials': { name: 'Mine', permissions: ['tenant:read'] },
  'POST /v1/credentials/{clientId}/regenerate': {},
};

/** Which permission opens a route, by the first that fits. */
const permissionsOf: [RegExp, TenantPermission][] = [
  [/^GET \/v1\/repositories\/\{slug\}\/users\/\{id\}\/sessions$/, 'users:write'],
  [/^GET \/v1\/(?:repositories|cutoffs|usage)/, 'repositories:read'],
  [/api-keys|\/clients/, 'clients:write'],
  [/\/users/, 'users:write'],
  [/webhooks/, 'webhooks:write'],
  [/\/v1\/repositories/, 'repositories:write'],
  [/^GET \/v1\/members\/\{memberId\}\/(?:factors|sessions)$/, 'members:write'],
  [/^GET \/v1\/(?:members|invitations)/, 'members:read'],
  [/\/v1\/(?:members|invitations|tenant\/transfer)/, 'members:write'],
  [/^GET \/v1\/(?:tenant|credentials)$/, 'tenant:read'],
  [/\/v1\/tenant/, 'tenant:write'],
  [/\/v1\/credentials/, 'credentials:write'],
  [/^GET \/v1\/audit$/, 'audit:read'],
];

/** What everybody may who is somebody, or the caller about themself. */
const withoutPermission = /^GET \/v1\/(?:console|canary|slug-availability|me$)/;

/** What only a person does, never a credential. */
const inPerson = /\/v1\/me\/|^DELETE \/v1\/tenant$/;

/** What an address needs besides. */
const queries: Record<string, string> = { 'DELETE /v1/tenant': '?confirm=Acme' };

async function problemOf(response: Response) {
  expect(response.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
  return (await response.json()) as { type: string; status: number; title: string; detail: string; requestId: string };
}

describe('every route', () => {
  it('has a good body in this file if it takes one', () => {
    expect(
      routes
        .filter((route) => route.takesBody)
        .map(named)
        .toSorted(),
    ).toEqual(Object.keys(goodBodies).toSorted());
  });

  it('refuses a caller without a token, with a token that is not one, and with a token that was changed', async () => {
    const changed = `${api.tenant.token.slice(0, -8)}AAAAAAAA`;
    for (const route of routes.filter(({ path }) => path !== '/v1/console')) {
      for (const authorization of ['', 'Bearer', 'Bearer nonsense', `Bearer ${changed}`, `Basic ${btoa('a:b')}`]) {
        const response = await api.tenant.call(route.method, fill(route), goodBodies[named(route)], { authorization });
        expect([named(route), authorization.slice(0, 10), response.status]).toEqual([named(route), authorization.slice(0, 10), 401]);
        expect((await problemOf(response)).type).toMatch(/\/unauthenticated$/);
      }
    }
  });

  it('takes its permission: a credential that has every other one is refused, and told which it is', async () => {
    const { items } = (await (await api.tenant.call('GET', '/v1/repositories')).json()) as { items: unknown[] };
    const lacking = new Map(
      await Promise.all(
        tenantPermissions.map(async (permission) => {
          const body = { name: 'Nearly', permissions: tenantPermissions.filter((each) => each !== permission) };
          const made = (await (await api.tenant.call('POST', '/v1/credentials', body)).json()) as CreatedTenantCredentialView;
          return [permission, await api.withCredential({ clientId: made.clientId, secretId: made.secret.id })] as const;
        }),
      ),
    );
    for (const route of routes.filter((each) => !withoutPermission.test(named(each)) && !inPerson.test(named(each)))) {
      const permission = permissionsOf.find(([fits]) => fits.test(named(route)))?.[1] ?? 'tenant:read';
      const response = await lacking.get(permission)!.call(route.method, fill(route), goodBodies[named(route)]);
      expect([named(route), response.status, (await problemOf(response)).detail]).toEqual([
        named(route),
        403,
        `This takes the permission ${permission}, which your role or credential does not have.`,
      ]);
    }
    expect(await (await api.tenant.call('GET', '/v1/repositories')).json()).toMatchObject({ items });
  });

  it('that is for a person is refused to a credential that may do everything', async () => {
    const personal = routes.filter((each) => inPerson.test(named(each)));
    expect(personal.length).toBeGreaterThan(3);
    for (const route of personal) {
      const response = await api.tenant.call(route.method, `${fill(route)}${queries[named(route)] ?? ''}`, goodBodies[named(route)]);
      expect([named(route), response.status]).toEqual([named(route), 403]);
    }
  });

  it('below a repository is nothing to another tenant: 404, the same as for a repository that does not exist', async () => {
    for (const route of routes.filter(({ ofRepository }) => ofRepository)) {
      const foreign = await api.stranger.call(route.method, fill(route), goodBodies[named(route)]);
      const absent = await api.stranger.call(route.method, fill(route).replace('/acme', '/nowhere'), goodBodies[named(route)]);
      expect([named(route), foreign.status, absent.status]).toEqual([named(route), 404, 404]);
      const [a, b] = [await problemOf(foreign), await problemOf(absent)];
      expect(a.detail.replaceAll('acme', 'nowhere')).toBe(b.detail);
    }
    const list = await api.stranger.call('GET', '/v1/repositories');
    expect(await list.json()).toEqual({ items: [], next: null });
    const own = await api.tenant.call('GET', '/v1/repositories/acme');
    expect(await own.json()).toMatchObject({ name: 'Acme', status: 'active' });
  });

  it('about one thing of a tenant is nothing to another tenant: 404, the same as for a thing that does not exist', async () => {
    const things = routes.filter(({ path, ofRepository }) => !ofRepository && path.includes('{') && path !== '/v1/repositories/{slug}');
    expect(things.length).toBeGreaterThan(0);
    for (const route of things) {
      const absent = (path: string) =>
        path.replace(member.id, invitation.id.replace(/.{4}$/, '0000')).replace(credential.clientId, 'tenant_nobody');
      const foreign = await api.stranger.call(route.method, fill(route), goodBodies[named(route)]);
      const nothing = await api.stranger.call(route.method, absent(fill(route)), goodBodies[named(route)]);
      expect([named(route), foreign.status, nothing.status]).toEqual([named(route), 404, 404]);
      const [a, b] = [await problemOf(foreign), await problemOf(nothing)];
      expect(a.detail.replace(credential.clientId, 'tenant_nobody')).toBe(b.detail);
    }
    for (const path of ['/v1/members', '/v1/invitations', '/v1/credentials', '/v1/audit?limit=200']) {
      const text = await (await api.stranger.call('GET', path)).text();
      for (const own of [member.id, invitation.id, credential.clientId, acme.id]) expect(text).not.toContain(own);
    }
  });

  it('refuses a zero in its address, in what it is asked for and in each text of its body', async () => {
    const refused = async (route: Route, path: string, body?: unknown) => {
      const response = await api.tenant.call(route.method, path, body);
      expect([named(route), path, body, Math.floor(response.status / 100)]).toEqual([named(route), path, body, 4]);
      await problemOf(response);
    };
    for (const route of routes) {
      const parts = route.path.match(/\{\w+\}/g) ?? [];
      for (const part of parts)
        await refused(route, fill({ ...route, path: route.path.replace(part, `${part}%00`) }), goodBodies[named(route)]);
      if (route.method === 'GET') for (const name of route.queries) await refused(route, `${fill(route)}?${name}=a%00`);
      for (const body of eachWithZero(goodBodies[named(route)])) await refused(route, fill(route), body);
    }
  });

  it('answers a malformed body with 4xx and a problem, never with 5xx', async () => {
    const bodies = [
      '{',
      '',
      'null',
      '[]',
      '"text"',
      '1e999',
      'true',
      '{"a":',
      '{"__proto__":{"admin":true}}',
      '\u0000',
      '{"name":"\\u0000"}',
      '{"name":"\\ud800"}',
      JSON.stringify({ name: 'x'.repeat(200_000) }),
      '['.repeat(50_000),
      '{"a":'.repeat(5_000),
      '<xml/>',
      'a=b&c=d',
      JSON.stringify({
        slug: { $gt: '' },
        name: ['x'],
        environment: 7,
        kind: {},
        redirectUris: 'x',
        overlapSeconds: '0',
        loginName: null,
        password: [],
      }),
      JSON.stringify({ kind: 'tool', name: 'Mine', userId: 2 ** 40 }),
      JSON.stringify({ slug: "x'; DROP TABLE repositories; --", name: '../../etc/passwd', environment: 'production' }),
    ];
    for (const route of routes.filter(({ takesBody }) => takesBody)) {
      for (const body of bodies) {
        const response = await api.tenant.call(route.method, fill(route), body);
        expect([named(route), body.slice(0, 30), Math.floor(response.status / 100)]).toEqual([named(route), body.slice(0, 30), 4]);
        await problemOf(response);
      }
      for (const headers of [
        { 'content-type': 'text/plain' },
        { 'content-type': 'application/json; charset=nonsense' },
        { 'content-encoding': 'gzip' },
      ] as Record<string, string>[]) {
        const response = await api.tenant.call(route.method, fill(route), '{"colour":1', headers);
        expect([named(route), JSON.stringify(headers), Math.floor(response.status / 100)]).toEqual([
          named(route),
          JSON.stringify(headers),
          4,
        ]);
        await problemOf(response);
      }
    }
  });

  it('answers a malformed address with 4xx and a problem, never with 5xx', async () => {
    const oddities = ['%00', '%ff', '..%2f..', "'", '%', 'x'.repeat(5_000), '💥', '-1', '0', '99999999999999999999', '%0d%0aSet-Cookie:x'];
    for (const route of routes.filter(({ path }) => path.includes('{'))) {
      for (const parameter of route.path.match(/\{\w+\}/g) ?? []) {
        for (const oddity of oddities) {
          const address = fill({ ...route, path: route.path.replace(parameter, oddity) });
          const response = await api.tenant.call(route.method, address, goodBodies[named(route)]);
          expect([route.method, address.slice(0, 80), Math.floor(response.status / 100)]).toEqual([route.method, address.slice(0, 80), 4]);
          await problemOf(response);
        }
      }
    }
    for (const query of ['limit=0', 'limit=x', 'limit=99999', 'after=nonsense', "after='", 'colour=red', 'limit=1&limit=2']) {
      const response = await api.tenant.call('GET', `/v1/repositories?${query}`);
      expect([query, response.status]).toEqual([query, 400]);
      await problemOf(response);
    }
  });

  it('is never kept by a cache and names the request', async () => {
    const [response, respelled] = [await api.tenant.call('GET', '/v1/tenant'), await api.tenant.call('GET', '/%761/tenant')];
    for (const { headers } of [response, respelled]) expect(headers.get('cache-control')).toBe('no-store');
    expect(response.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
  });
});

describe('a client ID', () => {
  it('cannot be changed or regenerated by anyone', async () => {
    const address = `/v1/repositories/acme/clients/${acme.toolClient.clientId}`;
    for (const body of [{ clientId: 'tool_mine' }, { id: 'tool_mine' }, { client_id: 'tool_mine' }]) {
      expect((await problemOf(await api.tenant.call('PATCH', address, body))).status).toBe(400);
    }
    expect((await problemOf(await api.tenant.call('POST', `${address}/regenerate`, {}))).status).toBe(404);
    expect(await (await api.tenant.call('GET', address)).json()).toMatchObject({ clientId: acme.toolClient.clientId });
  });
});

describe('the repositories of a tenant', () => {
  it('are paged by cursor: every one comes once, in the order they were made', async () => {
    for (const slug of ['page-a', 'page-b', 'page-c'])
      await api.stranger.call('POST', '/v1/repositories', { slug, name: slug, environment: 'integration' });
    const seen: string[] = [];
    let after = '';
    do {
      const page = (await (await api.stranger.call('GET', `/v1/repositories?limit=2${after}`)).json()) as {
        items: { slug: string }[];
        next: string | null;
      };
      seen.push(...page.items.map(({ slug }) => slug));
      after = page.next === null ? '' : `&after=${page.next}`;
    } while (after);
    expect(seen).toEqual(['page-a', 'page-b', 'page-c']);
  });

  it('show no secret after the answer that made it', async () => {
    const { secret } = acme.toolClient;
    for (const path of [
      '/v1/repositories',
      '/v1/repositories/acme',
      '/v1/repositories/acme/clients',
      `/v1/repositories/acme/clients/${acme.toolClient.clientId}/secrets`,
      '/v1/audit?limit=200',
    ]) {
      expect(await (await api.tenant.call('GET', path)).text()).not.toContain(secret.value.slice(11, 40));
    }
  });

  it('use every slug once, also after their deletion', async () => {
    await api.tenant.call('POST', '/v1/repositories', { slug: 'gone', name: 'Gone', environment: 'production' });
    expect((await api.tenant.call('DELETE', '/v1/repositories/gone')).status).toBe(200);
    for (const caller of [api.tenant, api.stranger]) {
      const again = await caller.call('POST', '/v1/repositories', { slug: 'gone', name: 'Gone', environment: 'production' });
      expect((await problemOf(again)).type).toMatch(/\/slug-taken$/);
    }
  });
});
