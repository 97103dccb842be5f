import type { DeletedTenantView, MemberView, OwnTenantView, ProvisionedRepositoryView } from '@latchkey/contracts';
import { restoreTenant } from '@latchkey/tenancy';
import { startApi, type RunningApi, type TestMember } from './testing/running-api.js';

let api: RunningApi;
let owner: TestMember;

beforeAll(async () => {
  api = await startApi();
  owner = await api.addMember('owner');
});
afterAll(() => api.close());

async function rows<T>(sql: string, ...values: unknown[]): Promise<T[]> {
  return (await api.test.owner.query<T & object>(sql, values)).rows;
}

/** A tenant of the owner's own, with somebody else in it. */
async function company(name: string, role = 'super-admin') {
  const { id } = (await (await owner.inPerson('POST', '/v1/me/tenants', { name })).json()) as OwnTenantView;
  const other = await api.addMember('viewer');
  await api.test.owner.query('UPDATE members SET tenant_id = $1, role = $2 WHERE id = $3', [id, role, other.id]);
  const there =
    (who: TestMember) =>
    (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
      who.inPerson(method, path, body, { 'latchkey-tenant': id, ...headers });
  return { id, other, asOwner: there(owner), asOther: there(other) };
}

const roleOf = async (id: string) => (await rows<{ role: string }>('SELECT role FROM members WHERE id = $1', id))[0]?.role;

describe('a tenant that is handed over', () => {
  it('has the other member as its owner from then on, and who was is a super admin', async () => {
    const { asOwner, asOther, other } = await company('Handed');
    const done = await asOwner('POST', '/v1/tenant/transfer', { memberId: other.id }, { 'idempotency-key': 'hand' });
    expect([done.status, ((await done.json()) as MemberView).role]).toEqual([200, 'owner']);
    const { items } = (await (await asOther('GET', '/v1/members')).json()) as { items: MemberView[] };
    expect(items.map(({ role }) => role).toSorted()).toEqual(['owner', 'super-admin']);
    // Sent again, it is not a second deed; and who is no owner any more hands nothing over.
    expect((await asOwner('POST', '/v1/tenant/transfer', { memberId: other.id }, { 'idempotency-key': 'hand' })).status).toBe(200);
    const former = items.find(({ id }) => id !== other.id)?.id;
    expect((await asOwner('POST', '/v1/tenant/transfer', { memberId: former })).status).toBe(403);
    expect((await asOther('POST', '/v1/tenant/transfer', { memberId: other.id })).status).toBe(409);
  });

  it('is handed over by its owner in person alone, to somebody of the tenant who can sign in', async () => {
    const { asOwner, asOther, other, id } = await company('Kept');
    const mine = ((await (await asOwner('GET', '/v1/me')).json()) as { id: string }).id;
    for (const call of [asOther, api.tenant.call, owner.call])
      expect((await call('POST', '/v1/tenant/transfer', { memberId: other.id })).status).toBe(call === api.tenant.call ? 404 : 403);
    expect((await asOwner('POST', '/v1/tenant/transfer', { memberId: owner.id })).status).toBe(404);
    await api.test.owner.query(
      `UPDATE repository_users u SET enabled = false FROM members m WHERE m.id = $1 AND u.repository_id = m.repository_id AND u.id = m.user_id`,
      [other.id],
    );
    expect((await asOwner('POST', '/v1/tenant/transfer', { memberId: other.id })).status).toBe(409);
    expect([await roleOf(mine), await roleOf(other.id), id.length]).toEqual(['owner', 'super-admin', 36]);
  });
});

describe('a tenant that is deleted', () => {
  it('is deleted by an owner in person who names it, and by nobody else', async () => {
    const { asOwner, asOther } = await company('Not gone');
    const right = '/v1/tenant?confirm=Not%20gone';
    for (const call of [asOther, owner.call, api.tenant.call, api.stranger.call]) expect((await call('DELETE', right)).status).toBe(403);
    for (const [path, status] of [
      ['/v1/tenant', 400],
      ['/v1/tenant?confirm=', 409],
      ['/v1/tenant?confirm=not%20gone', 409],
      [`/v1/tenant?confirm=${'x'.repeat(301)}`, 400],
    ] as const)
      expect([path, (await asOwner('DELETE', path)).status]).toEqual([path, status]);
    expect((await asOwner('GET', '/v1/tenant')).status).toBe(200);
  });

  it('ends everything below it at once: repositories, credentials, invitations, memberships; with a proof for each, and a mail', async () => {
    const { asOwner, asOther, id, other } = await company('Gone');
    const made: ProvisionedRepositoryView[] = [];
    for (const slug of ['gone-1', 'gone-2', 'gone-3'])
      made.push(
        (await (
          await asOwner('POST', '/v1/repositories', { slug, name: slug, environment: 'production' })
        ).json()) as ProvisionedRepositoryView,
      );
    await asOwner('DELETE', '/v1/repositories/gone-3');
    await asOwner('POST', '/v1/credentials', { name: 'Pipeline', permissions: ['tenant:read'] });
    await asOwner('POST', '/v1/invitations', { role: 'viewer' });
    await api.test.owner.query(
      `UPDATE repository_users u SET email = 'gone@example.com' FROM members m WHERE m.id = $1 AND u.repository_id = m.repository_id AND u.id = m.user_id`,
      [other.id],
    );
    const answer = await asOwner('DELETE', '/v1/tenant?confirm=Gone');
    expect(answer.status).toBe(200);
    const deleted = (await answer.json()) as DeletedTenantView;
    expect(deleted).toMatchObject({ id, repositories: 2, credentials: 1 });
    const kinds = deleted.cutoffs.map(({ kind, effectiveAt }) => `${kind} ${effectiveAt !== null}`);
    expect(kinds.toSorted()).toEqual(['client.deleted true', 'repository.deleted true', 'repository.deleted true']);
    for (const call of [asOwner, asOther]) expect((await call('GET', '/v1/me')).status).toBe(403);
    expect((await owner.inPerson('GET', '/v1/me')).status).toBe(200);
    const left = `SELECT (SELECT count(*) FROM members WHERE tenant_id = $1) + (SELECT count(*) FROM invitations WHERE tenant_id = $1)
      + (SELECT count(*) FROM clients c JOIN repositories r ON r.id = c.repository_id WHERE r.slug = 'console' AND c.tenant_id = $1 AND c.deleted_at IS NULL)
      + (SELECT count(*) FROM repositories WHERE tenant_id = $1 AND deleted_at IS NULL) AS count`;
    expect(await rows(left, id)).toEqual([{ count: '0' }]);
    expect(await rows(`SELECT data->'to'->>'address' AS to, data->>'tenant' AS tenant FROM mails WHERE tenant_id = $1`, id)).toEqual([
      { to: 'gone@example.com', tenant: 'Gone' },
    ]);
    expect(await rows(`SELECT FROM audit_events WHERE tenant_id = $1 AND action = 'tenant.deleted'`, id)).toHaveLength(1);

    // Its operator brings it back, with a way in; its owner then brings back what is kept.
    const again = await restoreTenant(api.options, id);
    expect(again.ownerLink).toMatch(/\/invitation\/\w{43}$/);
    await expect(restoreTenant(api.options, id)).rejects.toThrow('no such tenant');
    const pipeline = await api.withCredential({ clientId: again.credential.clientId, secretId: again.credential.secret.id });
    expect((await pipeline.call('POST', '/v1/repositories/gone-1/restore')).status).toBe(200);
    expect(made).toHaveLength(3);
  });
});
