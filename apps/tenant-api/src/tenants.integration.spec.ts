import {
  permissionsOfRole,
  type CreatedInvitationView,
  type CreatedTenantCredentialView,
  type MeView,
  type OwnTenantView,
  type RepositoryView,
} from '@latchkey/contracts';
import { memberActor } from '@latchkey/access';
import { connectForChecks, newId } from '@latchkey/database';
import { RepositoryDirectory } from '@latchkey/credentials';
import { OwnTenants } from '@latchkey/tenancy';
import { startApi, type RunningApi, type TestMember, type TestTenant } from './testing/running-api.js';

let api: RunningApi;
let member: TestMember;

beforeAll(async () => {
  api = await startApi();
  member = await api.addMember('viewer');
});
afterAll(() => api.close());

const own = async () => ((await (await member.inPerson('GET', '/v1/me/tenants')).json()) as { items: OwnTenantView[] }).items;

describe('a person with several tenants', () => {
  it('makes another, owns it, and acts in the one that is named, with the role they have there', async () => {
    const made = await member.inPerson('POST', '/v1/me/tenants', { name: 'Second' }, { 'idempotency-key': 'once' });
    expect(made.status).toBe(201);
    const second = (await made.json()) as OwnTenantView;
    expect(second).toMatchObject({ name: 'Second', role: 'owner' });
    const again = await member.inPerson('POST', '/v1/me/tenants', { name: 'Second' }, { 'idempotency-key': 'once' });
    expect(await again.json()).toEqual(second);
    expect((await own()).map(({ name, role }) => [name, role])).toEqual([
      ['First tenant', 'viewer'],
      ['Second', 'owner'],
    ]);
    const there = { 'latchkey-tenant': second.id };
    const body = { slug: 'of-second', name: 'Theirs', environment: 'production' };
    expect((await member.inPerson('POST', '/v1/repositories', body)).status).toBe(403);
    expect((await member.inPerson('POST', '/v1/repositories', body, there)).status).toBe(201);
    const seen = async (headers = {}) =>
      ((await (await member.inPerson('GET', '/v1/repositories', undefined, headers)).json()) as { items: RepositoryView[] }).items.map(
        ({ slug }) => slug,
      );
    expect([await seen(), await seen(there)]).toEqual([[], ['of-second']]);
    expect((await (await member.inPerson('GET', '/v1/me', undefined, there)).json()) as MeView).toMatchObject({
      tenantId: second.id,
      member: { role: 'owner' },
    });
  });

  it('cannot name a tenant that they are no member of', async () => {
    expect((await member.inPerson('GET', '/v1/me', undefined, { 'latchkey-tenant': api.stranger.tenantId })).status).toBe(403);
    expect((await member.inPerson('GET', '/v1/me', undefined, { 'latchkey-tenant': 'nonsense' })).status).toBe(403);
  });

  it('does so in person: neither a machine nor a member credential sees or makes tenants', async () => {
    for (const caller of [api.tenant, member])
      for (const method of ['GET', 'POST'] as const)
        expect((await caller.call(method, '/v1/me/tenants', method === 'POST' ? { name: 'Mine' } : undefined)).status).toBe(403);
  });

  it('has no more than twenty, however many are asked for at once, and is told again of the one that was made last', async () => {
    const maker = await api.addMember('viewer');
    const make = (key: string) => maker.inPerson('POST', '/v1/me/tenants', { name: 'Many' }, { 'idempotency-key': key });
    const keys = Array.from({ length: 25 }, (_, i) => `many-${i}`);
    const made = await Promise.all(keys.map(make));
    const refused = { type: expect.stringContaining('quota-exceeded') as string };
    expect(made.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([
      ...keys.slice(0, 19).map(() => 201),
      ...keys.slice(19).map(() => 409),
    ]);
    const items = ((await (await maker.inPerson('GET', '/v1/me/tenants')).json()) as { items: OwnTenantView[] }).items;
    expect(items).toHaveLength(20);
    for (const [i, answer] of made.entries()) {
      const again = await make(keys[i] ?? '');
      expect([again.status, await again.json()]).toEqual([
        answer.status,
        answer.status === 201 ? await answer.json() : expect.objectContaining(refused),
      ]);
    }
  });

  it('leaves one, and is nobody there', async () => {
    const [, second] = await own();
    const there = { 'latchkey-tenant': second?.id ?? '' };
    expect((await member.inPerson('DELETE', `/v1/members/${second?.memberId}`, undefined, there)).status).toBe(409);
    const [first] = await own();
    expect((await member.inPerson('DELETE', `/v1/members/${first?.memberId}`)).status).toBe(200);
    expect((await member.inPerson('GET', '/v1/me', undefined, { 'latchkey-tenant': first?.id ?? '' })).status).toBe(403);
    expect((await member.inPerson('GET', '/v1/me')).status).toBe(200);
  });

  it('makes none where only the operator does', async () => {
    const pool = connectForChecks({ url: api.test.url });
    const tenants = new OwnTenants({ database: api.test.database, directory: new RepositoryDirectory(pool), open: false });
    const person = { loginName: 'p', name: 'p', email: null };
    const actor = memberActor({ tenantId: api.tenant.tenantId, id: newId(), role: 'owner', person }, [], { requestId: newId() });
    await expect(tenants.create(actor, { name: 'Mine' })).rejects.toMatchObject({ type: 'forbidden' });
    await pool.end();
  });
});

describe('what people call something', () => {
  it.each([
    ['only blanks', ' \u00a0\u3000'],
    ['nothing that is seen', '\u200b\u2060\u3164'],
    ['a turn of direction', 'Acme \u202egpj.exe'],
    ['an isolate', '\u2067Acme'],
    ['a second line', 'Acme\u2028Your account was locked'],
    ['a control character', 'Acme\u0007'],
  ])('is refused with %s', async (_, name) => {
    expect((await api.tenant.call('PATCH', '/v1/tenant', { name })).status).toBe(400);
  });

  it('may be of any script, with joiners where they belong', async () => {
    for (const name of ['می\u200cخواهم', 'שלום', '👩‍👩‍👧', 'Ünïted', '株式会社']) {
      const { name: kept } = (await (await api.tenant.call('PATCH', '/v1/tenant', { name })).json()) as { name: string };
      expect(kept).toBe(name);
    }
  });
});

describe('an open invitation', () => {
  it('is withdrawn with the secret that it was made with', async () => {
    const invite = async ({ call }: Pick<TestTenant, 'call'>) =>
      ((await (await call('POST', '/v1/invitations', { role: 'viewer' })).json()) as CreatedInvitationView).id;
    const open = async () => ((await (await api.tenant.call('GET', '/v1/invitations')).json()) as { items: { id: string }[] }).items;
    const body = { name: 'inviter', permissions: [...permissionsOfRole.viewer, 'members:write'] };
    const made = (await (await api.tenant.call('POST', '/v1/credentials', body)).json()) as CreatedTenantCredentialView;
    const member = await api.addMember('super-admin');
    const others = await invite(member);
    const ids = [await invite(await api.withCredential({ clientId: made.clientId, secretId: made.secret.id })), others];
    expect((await open()).map(({ id }) => id)).toEqual(expect.arrayContaining(ids));
    expect((await api.tenant.call('POST', `/v1/credentials/${made.clientId}/regenerate`, {})).status).toBe(200);
    expect((await open()).filter(({ id }) => ids.includes(id)).map(({ id }) => id)).toEqual([others]);
    expect((await member.inPerson('DELETE', '/v1/me/credential')).status).toBe(200);
    expect((await open()).filter(({ id }) => ids.includes(id))).toEqual([]);
  });
});
