import type { AuditEventView, CreatedTenantCredentialView, Page, ProvisionedRepositoryView } from '@latchkey/contracts';
import { newId } from '@latchkey/database';
import { Refusals } from '@latchkey/tenancy';
import { startApi, type RunningApi } from './testing/running-api.js';

let api: RunningApi;
let acme: ProvisionedRepositoryView;

beforeAll(async () => {
  api = await startApi();
  const repository = { slug: 'acme', name: 'Acme', environment: 'production' };
  acme = (await (await api.tenant.call('POST', '/v1/repositories', repository)).json()) as ProvisionedRepositoryView;
  await api.tenant.call('POST', '/v1/repositories', { ...repository, slug: 'other' });
  const secrets = `/v1/repositories/acme/clients/${acme.toolClient.clientId}/secrets`;
  for (let i = 0; i < 5; i++) await api.tenant.call('POST', `${secrets}/regenerate`, {});
  await api.tenant.call('PATCH', '/v1/tenant', { name: 'Renamed' });
});
afterAll(() => api.close());

async function list(query = '', caller: { call: RunningApi['tenant']['call'] } = api.tenant): Promise<Page<AuditEventView>> {
  const response = await caller.call('GET', `/v1/audit${query}`);
  expect(response.status).toBe(200);
  return (await response.json()) as Page<AuditEventView>;
}

async function exported(query = ''): Promise<AuditEventView[]> {
  const response = await api.tenant.call('GET', `/v1/audit${query}`, undefined, { accept: 'application/x-ndjson' });
  expect(response.headers.get('content-type')).toBe('application/x-ndjson; charset=utf-8');
  return (await response.text())
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as AuditEventView);
}

const actions = ({ items }: Page<AuditEventView>) => items.map(({ action }) => action);

describe('the audit trail', () => {
  it('says who did what to what, when, from where and in which request', async () => {
    const response = await api.tenant.call('PATCH', '/v1/repositories/acme', { name: 'Acme Inc.' });
    const { items } = await list('?limit=1');
    expect(items).toEqual([
      {
        id: expect.any(String) as string,
        at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as string,
        actor: { kind: 'machine', id: expect.stringMatching(/^tenant_/) as string, name: expect.stringMatching(/./) as string },
        action: 'repository.updated',
        repositoryId: acme.id,
        repository: 'acme',
        target: { kind: 'repository', id: acme.id, name: 'Acme Inc.' },
        requestId: response.headers.get('x-request-id'),
        address: '127.0.0.1',
        details: { changed: ['name'] },
      },
    ]);
  });

  it('begins with the tenant itself', async () => {
    expect(actions(await list('?limit=200')).slice(-2)).toEqual(['client.created', 'tenant.created']);
  });

  it('has every event once, page by page, the latest first', async () => {
    const all = (await list('?limit=200')).items;
    const seen: AuditEventView[] = [];
    let after = '';
    do {
      const page = await list(`?limit=3${after}`);
      seen.push(...page.items);
      after = page.next === null ? '' : `&after=${page.next}`;
    } while (after);
    expect(seen).toEqual(all);
    expect(all.map(({ at }) => at)).toEqual(
      all
        .map(({ at }) => at)
        .toSorted()
        .toReversed(),
    );
  });

  it('is filtered by action, by kind of action, actor, repository, target and time', async () => {
    expect(actions(await list('?action=secret.regenerated'))).toEqual(Array(5).fill('secret.regenerated'));
    expect(actions(await list('?action=repository.*')).filter((action) => !action.startsWith('repository.'))).toEqual([]);
    expect(actions(await list('?action=secret'))).toEqual([]);
    expect(actions(await list('?action=%25'))).toEqual([]);
    const { items } = await list('?limit=200');
    const machine = items.find(({ actor }) => actor.kind === 'machine')?.actor.id ?? '';
    expect((await list(`?actor=${machine}&limit=200`)).items).toEqual(items.filter(({ actor }) => actor.id === machine));
    expect((await list('?repository=acme&limit=200')).items).toEqual(items.filter(({ repositoryId }) => repositoryId === acme.id));
    const [secret] = items.filter(({ action }) => action === 'secret.regenerated');
    expect((await list(`?target=${secret?.target.id}`)).items).toEqual([secret]);
    expect(actions(await list('?action=secret.regenerated&repository=other'))).toEqual([]);
    const middle = items[3]?.at ?? '';
    expect((await list(`?from=${middle}&limit=200`)).items).toEqual(items.filter(({ at }) => at >= middle));
    expect((await list(`?to=${middle}&limit=200`)).items).toEqual(items.filter(({ at }) => at < middle));
  });

  it('refuses what is no filter, and does not know another tenant’s repository', async () => {
    const times = ['0000-01-01T00:00:00Z', `2026-01-01T00:00:00.${'1'.repeat(200)}Z`];
    for (const query of times.flatMap((time) => [`?from=${time}`, `?to=${time}`]))
      expect([query, (await api.tenant.call('GET', `/v1/audit${query}`)).status]).toEqual([query, 400]);
    for (const query of ['?from=yesterday', '?colour=red', '?after=nonsense', '?limit=0', '?action=', `?actor=${'x'.repeat(300)}`])
      expect([query, (await api.tenant.call('GET', `/v1/audit${query}`)).status]).toEqual([query, 400]);
    for (const accept of ['application/json', 'application/x-ndjson'])
      expect((await api.stranger.call('GET', '/v1/audit?repository=acme', undefined, { accept })).status).toBe(404);
  });

  it('is for those who may read it', async () => {
    const developer = await api.addMember('developer');
    for (const accept of ['application/json', 'application/x-ndjson'])
      expect((await developer.call('GET', '/v1/audit', undefined, { accept })).status).toBe(403);
    await api.app.get(Refusals).flush();
    const { items } = await list(`?action=call.refused&actor=${developer.id}`);
    expect(items).toMatchObject([{ target: { kind: 'route', id: 'GET /v1/audit' }, details: { count: 2 }, actor: { kind: 'member' } }]);
  });
});

describe('a token that is not taken', () => {
  const trail = async (tenantId: string) => {
    await api.app.get(Refusals).flush();
    const { rows } = await api.test.owner.query<{ target_id: string; repository_id: string; details: { reason: string; count: number } }>(
      `SELECT * FROM audit_events WHERE tenant_id = $1 AND action = 'token.refused' ORDER BY id`,
      [tenantId],
    );
    return rows;
  };
  const operator = async () =>
    (await api.test.owner.query<{ tenant_id: string }>(`SELECT tenant_id FROM repositories WHERE slug = 'console'`)).rows[0]?.tenant_id ??
    '';
  const ended = async (caller: { call: RunningApi['tenant']['call'] }, times = 1) => {
    for (let i = 0; i < times; i++) expect((await caller.call('GET', '/v1/tenant')).status).toBe(401);
  };

  it('because its credential has ended is in the trail of the tenant, once a minute, with its count', async () => {
    const body = { name: 'Pipeline', permissions: ['tenant:read'] };
    const { clientId, secret } = (await (await api.stranger.call('POST', '/v1/credentials', body)).json()) as CreatedTenantCredentialView;
    const caller = await api.withCredential({ clientId, secretId: secret.id });
    expect((await caller.call('GET', '/v1/tenant')).status).toBe(200);
    await api.stranger.call('DELETE', `/v1/credentials/${clientId}`);
    await ended(caller, 3);
    const rows = await trail(api.stranger.tenantId);
    expect(rows).toMatchObject([
      { target_kind: 'client', target_id: clientId, address: '127.0.0.1', details: { reason: 'the client is gone', count: 3 } },
    ]);
    expect(JSON.stringify(rows)).not.toContain(caller.token.slice(-20));
  });

  it('because its member or the policy lets it no more is in the trail of the tenant too', async () => {
    const [member, removed] = [await api.addMember('super-admin'), await api.addMember('super-admin')];
    await api.test.owner.query('UPDATE members SET federated = true WHERE id = $1', [member.id]);
    await ended(member);
    await api.test.owner.query(
      'UPDATE repository_users u SET enabled = false FROM members m WHERE m.id = $1 AND u.repository_id = m.repository_id AND u.id = m.user_id',
      [removed.id],
    );
    expect((await removed.inPerson('GET', '/v1/tenant')).status).toBe(401);
    const rows = await trail(api.tenant.tenantId);
    expect(rows.map(({ target_id, details }) => [target_id.replace(/^app_.*/, 'the portal'), details.reason])).toEqual(
      expect.arrayContaining([
        [member.clientId, 'the policy of the tenant suspends this credential: its member signs in by federation'],
        ['the portal', 'the user is disabled or gone'],
      ]),
    );
  });

  it('because it is none of this installation’s concerns its operator, and names nobody', async () => {
    const forged = `${api.tenant.token.slice(0, -8)}AAAAAAAA`;
    for (const authorization of [`Bearer ${forged}`, 'Bearer nonsense'])
      expect((await api.tenant.call('GET', '/v1/tenant', undefined, { authorization })).status).toBe(401);
    expect((await api.tenant.call('GET', '/v1/tenant', undefined, { authorization: '' })).status).toBe(401);
    const rows = (await trail(await operator())).filter(({ details }) => details.reason === 'the token is not valid');
    expect(rows).toMatchObject([{ target_id: 'unknown', details: { count: 2 } }]);
    expect(JSON.stringify(await trail(api.tenant.tenantId))).not.toContain('the token is not valid');
  });
});

describe('the export', () => {
  it('has every event that matches, one a line, whatever the limit of a page', async () => {
    const { items } = await list('?limit=200');
    expect(await exported()).toEqual(items);
    expect(await exported('?action=secret.regenerated&limit=2')).toHaveLength(5);
    expect(await exported('?action=nothing.happened')).toEqual([]);
  });

  it('of more events than fit into memory reads them as the caller takes them', async () => {
    const many = 40_000;
    await api.test.owner.query(
      `INSERT INTO audit_events (tenant_id, id, actor_kind, action, target_kind, target_id, details)
       SELECT $1, uuidv7(), 'system', 'bulk.done', 'thing', n::text, jsonb_build_object('text', repeat('x', 500)) FROM generate_series(1, $2::int) n`,
      [api.tenant.tenantId, many],
    );
    await api.test.owner.query('ANALYZE audit_events');
    expect(new Set((await exported('?action=bulk.done')).map(({ target }) => target.id)).size).toBe(many);

    // Of two who export, one loses their role meanwhile.
    const auditor = await api.addMember('owner');
    const cutOff = await auditor.call('GET', '/v1/audit?action=bulk.done', undefined, { accept: 'application/x-ndjson' });
    const lost = cutOff.body?.getReader();
    await lost?.read();

    await api.test.owner.query(`UPDATE members SET role = 'viewer' WHERE id = $1`, [auditor.id]);
    const readOn = async () => {
      for (let chunk = await lost?.read(); chunk && !chunk.done; chunk = await lost?.read());
    };
    await expect(readOn()).rejects.toThrow('terminated');

    const response = await api.tenant.call('GET', '/v1/audit?action=bulk.done', undefined, { accept: 'application/x-ndjson' });
    const reader = response.body?.getReader();
    await reader?.read();
    // Nobody reads on for a while. What has not been read from the table by then has no way to the caller.
    await new Promise((resolve) => setTimeout(resolve, 500));
    await api.test.owner.query(`DELETE FROM audit_events WHERE action = 'bulk.done'`);
    let bytes = 0;
    for (let chunk = await reader?.read(); chunk && !chunk.done; chunk = await reader?.read()) bytes += chunk.value.length;
    expect(bytes).toBeGreaterThan(0);
    expect(bytes).toBeLessThan((many / 2) * 500);
  });
});

describe('the name of something in the trail', () => {
  it('is what it is called now, for a secret that of its client, and none once it is gone', async () => {
    const { inPerson, id: memberId } = await api.addMember('admin');
    const clients = '/v1/repositories/acme/clients';
    const made = (await (await inPerson('POST', clients, { kind: 'tool', name: 'Importer' })).json()) as { clientId: string };
    const anna = (await (await inPerson('POST', '/v1/repositories/acme/users', { loginName: 'anna' })).json()) as { id: number };
    await inPerson('POST', `/v1/repositories/acme/users/${anna.id}/api-keys`, { name: 'Dashboard' });
    await inPerson('POST', `${clients}/${made.clientId}/secrets/regenerate`, {});
    await inPerson('PATCH', `${clients}/${made.clientId}`, { name: 'Importer 2' });
    await inPerson('POST', '/v1/repositories/acme/webhooks', { url: 'https://hooks.example.com/?password=hidden' });
    const named = async () => {
      const { items } = await list(`?actor=${memberId}&repository=acme`);
      return items.map(({ action, actor, target, repository }) => [action, actor.name, target.name, repository]);
    };
    const { items: members } = (await (await api.tenant.call('GET', '/v1/members')).json()) as Page<{ id: string; name: string }>;
    const name = members.find(({ id }) => id === memberId)?.name;
    expect(name).toMatch(/./);
    expect(await named()).toEqual([
      ['webhook.created', name, 'https://hooks.example.com/', 'acme'],
      ['client.updated', name, 'Importer 2', 'acme'],
      ['secret.regenerated', name, 'Importer 2', 'acme'],
      ['api-key.created', name, 'Dashboard', 'acme'],
      ['user.created', name, 'anna', 'acme'],
      ['client.created', name, 'Importer 2', 'acme'],
    ]);
    await api.tenant.call('DELETE', `/v1/members/${memberId}`);
    expect((await named()).map(([, actor]) => actor)).toEqual(Array(6).fill(null));
  });

  it('is not told of what is another tenant’s', async () => {
    const member = await api.addMember('viewer');
    const things = [
      ['client', acme.toolClient.clientId],
      ['repository', acme.id],
      ['member', member.id],
      ['tenant', api.tenant.tenantId],
      ['user', '1'],
    ];
    for (const [kind, id] of things) {
      await api.test.owner.query(
        `INSERT INTO audit_events (tenant_id, id, actor_kind, actor_id, action, repository_id, target_kind, target_id, details)
         VALUES ($1, $2, $3, $4, 'made.up', $5, $3, $4, '{}')`,
        [api.stranger.tenantId, newId(), kind, id, acme.id],
      );
    }
    const { items } = await list('?action=made.up', api.stranger);
    const named = ({ actor, target, repository }: AuditEventView) => [actor.name, target.name, repository];
    expect(items.map(named)).toEqual(things.map(() => [null, null, null]));
  });
});
