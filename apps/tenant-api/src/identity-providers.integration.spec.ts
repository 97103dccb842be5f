import type { IdentityProviderView } from '@latchkey/contracts';
import { startApi, type RunningApi } from './testing/running-api.js';

let api: RunningApi;
const path = '/v1/repositories/acme/identity-providers';

beforeAll(async () => {
  api = await startApi();
  await api.tenant.call('POST', '/v1/repositories', { slug: 'acme', name: 'Acme', environment: 'production' });
});
afterAll(() => api.close());

const openId = {
  id: 'work',
  kind: 'oidc',
  name: 'Work',
  issuer: 'https://login.example.com',
  clientId: 'acme',
  clientSecret: 'planted-secret',
};

describe('an identity provider', () => {
  it('is known by an id of the tenant, so that its redirect URI is known beforehand, and never shows its secret', async () => {
    const made = await api.tenant.call('POST', path, openId);
    expect(made.status).toBe(201);
    const text = await made.text();
    expect(JSON.parse(text)).toMatchObject({
      id: 'work',
      hasClientSecret: true,
      allowSignUp: false,
      enabled: true,
      linkedUsers: 0,
      redirectUri: 'http://localhost:4100/acme/federation/callback/work',
    });
    const answers = [text];
    for (const [method, address, body] of [
      ['GET', path, undefined],
      ['GET', `${path}/work`, undefined],
      ['PATCH', `${path}/work`, { clientSecret: 'planted-secret', emailDomains: ['Example.COM'] }],
      ['GET', '/v1/audit?limit=200', undefined],
    ] as const)
      answers.push(await (await api.tenant.call(method, address, body)).text());
    for (const answer of answers) expect(answer).not.toContain('planted-secret');
    const read = (await (await api.tenant.call('GET', `${path}/work`)).json()) as IdentityProviderView;
    expect(read.emailDomains).toEqual(['example.com']);
  });

  it('is made once under its id; its issuer and id cannot be changed', async () => {
    expect((await api.tenant.call('POST', path, openId)).status).toBe(409);
    for (const change of [{ issuer: 'https://evil.example.com' }, { id: 'other' }, { kind: 'github' }])
      expect((await api.tenant.call('PATCH', `${path}/work`, change)).status).toBe(400);
  });

  it.each([
    ['an OpenID provider without an issuer', { ...openId, issuer: undefined }],
    ['an OpenID provider without a name', { ...openId, name: undefined }],
    ['an issuer with a query', { ...openId, issuer: 'https://login.example.com/?tenant=1' }],
    ['an issuer with user info', { ...openId, issuer: 'https://a:b@login.example.com' }],
    ['an issuer that is a file', { ...openId, issuer: 'file:///etc/passwd' }],
    ['an id that is no part of a path', { ...openId, id: '../admin' }],
    ['Google at another address', { id: 'google', kind: 'google', issuer: 'https://evil.example.com', clientId: 'a', clientSecret: 'b' }],
    ['GitHub without a secret', { id: 'github', kind: 'github', clientId: 'a' }],
    ['a domain that is none', { ...openId, emailDomains: ['*'] }],
  ])('cannot be %s', async (_what, body) => {
    expect((await api.tenant.call('POST', path, { ...body, id: 'id' in body && body.id !== 'work' ? body.id : 'new' })).status).toBe(400);
  });

  it('is one of twenty at most', async () => {
    const make = (index: number) => api.tenant.call('POST', path, { id: `p${index}`, kind: 'github', clientId: 'a', clientSecret: 'b' });
    for (let index = 1; index < 20; index++) expect((await make(index)).status).toBe(201);
    expect((await make(20)).status).toBe(409);
    const page = (await (await api.tenant.call('GET', `${path}?limit=15`)).json()) as { items: IdentityProviderView[]; next: string };
    const rest = (await (await api.tenant.call('GET', `${path}?limit=15&after=${page.next}`)).json()) as typeof page;
    expect(new Set([...page.items, ...rest.items].map(({ id }) => id)).size).toBe(20);
    expect(rest.next).toBeNull();
  });
});
