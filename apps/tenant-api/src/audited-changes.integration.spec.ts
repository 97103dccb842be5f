import type { DomainView } from '@latchkey/contracts';
import { newId } from '@latchkey/database';
import { describeApi } from './openapi.js';
import { startApi, type RunningApi, type TestTenant } from './testing/running-api.js';

let api: RunningApi;

beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

/** What the answers of changes have that the next one needs. */
interface Made {
  id: string;
  clientId: string;
  cutoff: { id: string };
}

/** Calls as somebody, and remembers which route it was and what the trail should say. */
class Changes {
  readonly made: { route: string; requestId: string | null }[] = [];
  /** A tenant that one of the changes makes. */
  another = '';

  /** @param route with the parameters in braces, followed by what they are. */
  async make(caller: TestTenant['call'], route: string, things: string[] = [], body?: unknown, query = ''): Promise<Made> {
    const [method = '', template = ''] = route.split(' ');
    const rest = [...things];
    const response = await caller(method, template.replace(/\{\w+\}/g, () => rest.shift() ?? '') + query, body);
    const text = await response.text();
    if (!response.ok) throw new Error(`${route} answered ${response.status}: ${text}`);
    this.made.push({ route, requestId: response.headers.get('x-request-id') });
    return (text ? JSON.parse(text) : {}) as never;
  }
}

/** Routes that change nothing of the tenant's: they send something again or for a test. */
const notChanges = new Set([
  'POST /v1/repositories/{slug}/webhooks/{webhookId}/test',
  'POST /v1/repositories/{slug}/webhooks/{webhookId}/deliveries/{deliveryId}/redeliver',
]);

function changingRoutes(): string[] {
  const { paths } = describeApi(api.app, api.config);
  return Object.entries(paths)
    .flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`))
    .filter((route) => !route.startsWith('GET ') && !notChanges.has(route))
    .toSorted();
}

/** Makes one change by every route that makes any. */
async function changeEverything(changes: Changes): Promise<void> {
  const { call } = api.tenant;
  const below = '/v1/repositories/{slug}';
  await changes.make(call, 'POST /v1/repositories', [], { slug: 'acme', name: 'Acme', environment: 'production' });
  await changes.make(call, `PATCH ${below}`, ['acme'], { name: 'Acme Inc.' });

  const image = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
  await changes.make(call, `PUT ${below}/logo`, ['acme'], { image });
  await changes.make(call, `DELETE ${below}/logo`, ['acme']);
  await changes.make(call, `POST ${below}/keys/rotate`, ['acme'], {});
  await changes.make(call, `POST ${below}/keys/rotate`, ['acme'], { compromised: true });

  const domain = (await changes.make(call, `PUT ${below}/domain`, ['acme'], { domain: 'login.acme.com' })) as never as DomainView;
  api.dns.records.set(domain.record.name, [domain.record.value]);
  await changes.make(call, `POST ${below}/domain/verify`, ['acme']);
  await changes.make(call, `DELETE ${below}/domain`, ['acme']);
  const google = { id: 'google', kind: 'google', clientId: 'id', clientSecret: 'secret' };
  await changes.make(call, `POST ${below}/identity-providers`, ['acme'], google);
  await changes.make(call, `PATCH ${below}/identity-providers/{providerId}`, ['acme', 'google'], { enabled: false });
  await changes.make(call, `DELETE ${below}/identity-providers/{providerId}`, ['acme', 'google']);

  const tool = await changes.make(call, `POST ${below}/clients`, ['acme'], { kind: 'tool', name: 'Import' });
  const ofTool = ['acme', tool.clientId];
  await changes.make(call, `PATCH ${below}/clients/{clientId}`, ofTool, { name: 'Export' });
  const second = await changes.make(call, `POST ${below}/clients/{clientId}/secrets`, ofTool, {});
  await changes.make(call, `DELETE ${below}/clients/{clientId}/secrets/{secretId}`, [...ofTool, second.id]);
  await changes.make(call, `POST ${below}/clients/{clientId}/secrets/regenerate`, ofTool, {});
  for (const how of ['cancel', 'finish']) {
    const rotation = await changes.make(call, `POST ${below}/clients/{clientId}/secrets/regenerate`, ofTool, { overlapSeconds: 3600 });
    await changes.make(call, `POST ${below}/clients/{clientId}/rotations/{cutoffId}/${how}`, [...ofTool, rotation.cutoff.id]);
  }
  const jwk = {
    kty: 'EC',
    crv: 'P-256',
    x: 'MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4',
    y: '4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM',
  };
  const clientKey = await changes.make(call, `POST ${below}/clients/{clientId}/keys`, ofTool, { jwk });
  await changes.make(call, `DELETE ${below}/clients/{clientId}/keys/{clientKeyId}`, [...ofTool, clientKey.id]);
  await changes.make(call, `DELETE ${below}/clients/{clientId}`, ofTool);

  const user = await changes.make(call, `POST ${below}/users`, ['acme'], { loginName: 'anna' });
  const ofUser = ['acme', user.id];
  await changes.make(call, `PATCH ${below}/users/{id}`, ofUser, { name: 'Anna' });
  await changes.make(call, `POST ${below}/users/{id}/invite`, ofUser);
  await changes.make(call, `DELETE ${below}/users/{id}/sessions/{sessionId}`, [...ofUser, await api.addSession(user.id)]);
  await changes.make(call, `POST ${below}/users/{id}/sign-out`, ofUser);
  for (const factor of ['/totp', '']) {
    await addTotp(user.id);
    await changes.make(call, `DELETE ${below}/users/{id}/factors${factor && '/{factor}'}`, [...ofUser, factor.slice(1)]);
  }
  const key = await changes.make(call, `POST ${below}/users/{id}/api-keys`, ofUser, { name: 'Key' });
  await changes.make(call, `DELETE ${below}/users/{id}/api-keys/{keyId}`, [...ofUser, key.id]);
  await changes.make(call, `POST ${below}/users/{id}/api-keys`, ofUser, { name: 'Key' });
  await changes.make(call, `DELETE ${below}/users/{id}/api-keys`, ofUser);
  await changes.make(call, `POST ${below}/users/{id}/api-keys`, ofUser, { name: 'Key' });
  await changes.make(call, `DELETE ${below}/api-keys`, ['acme']);
  await changes.make(call, `DELETE ${below}/users/{id}`, ofUser);

  const webhook = await changes.make(call, `POST ${below}/webhooks`, ['acme'], { url: 'https://example.com/hook' });
  await changes.make(call, `PATCH ${below}/webhooks/{webhookId}`, ['acme', webhook.id], { description: 'Hook' });
  await changes.make(call, `POST ${below}/webhooks/{webhookId}/rotate`, ['acme', webhook.id], {});
  await changes.make(call, `DELETE ${below}/webhooks/{webhookId}`, ['acme', webhook.id]);

  await changes.make(call, `POST ${below}/suspend`, ['acme']);
  await changes.make(call, `POST ${below}/resume`, ['acme']);
  await changes.make(call, `DELETE ${below}`, ['acme']);
  await changes.make(call, `POST ${below}/restore`, ['acme']);
  await changeTenant(changes);
}

/** As if the user had set up an authenticator app. */
async function addTotp(userId: string): Promise<void> {
  await api.test.owner.query(
    `INSERT INTO totp_secrets (repository_id, user_id, tenant_id, secret, encryption_key_id, last_step)
     SELECT repository_id, id, tenant_id, '', 'k1', 0 FROM repository_users WHERE id = $1 AND tenant_id = $2`,
    [userId, api.tenant.tenantId],
  );
}

/** As if a member had signed in at the console with an authenticator app. @returns the session's id. */
async function addSignIn(memberId: string): Promise<string> {
  const id = newId();
  await api.test.owner.query(
    `WITH person AS (
       SELECT u.* FROM members m JOIN repository_users u ON u.repository_id = m.repository_id AND u.id = m.user_id WHERE m.id = $1),
     session AS (
       INSERT INTO oidc_records (repository_id, kind, id, uid, payload, user_id, user_generation, expires_at)
       SELECT repository_id, 'Session', 'cookie-' || $2, $2, '{"loginTs": 1700000000}', id, generation, now() + interval '1 day' FROM person)
     INSERT INTO totp_secrets (repository_id, user_id, tenant_id, secret, encryption_key_id, last_step)
     SELECT repository_id, id, tenant_id, '', 'k1', 0 FROM person`,
    [memberId, id],
  );
  return id;
}

async function changeTenant(changes: Changes): Promise<void> {
  const { call } = api.tenant;
  const [member, other, heir] = [await api.addMember('super-admin'), await api.addMember('super-admin'), await api.addMember('viewer')];
  await changes.make(call, 'PATCH /v1/tenant', [], { memberCredentials: { revocation: 'members-write' } });
  const another = await changes.make(member.inPerson, 'POST /v1/me/tenants', [], { name: 'Another' });
  changes.another = another.id;
  const there: TestTenant['call'] = (method, path, body) => member.inPerson(method, path, body, { 'latchkey-tenant': another.id });
  await api.test.owner.query(`UPDATE members SET tenant_id = $1 WHERE id = $2`, [another.id, heir.id]);
  await changes.make(there, 'POST /v1/tenant/transfer', [], { memberId: heir.id });
  await api.test.owner.query(`UPDATE members SET role = 'owner' WHERE tenant_id = $1`, [another.id]);
  await changes.make(there, 'DELETE /v1/tenant', [], undefined, '?confirm=Another');
  await changes.make(member.inPerson, 'DELETE /v1/me/credential');
  await changes.make(member.inPerson, 'POST /v1/me/credential');
  await changes.make(call, 'DELETE /v1/members/{memberId}/credential', [other.id]);
  await changes.make(call, 'PATCH /v1/members/{memberId}', [other.id], { role: 'viewer' });
  const session = await addSignIn(other.id);
  await changes.make(call, 'DELETE /v1/members/{memberId}/sessions/{sessionId}', [other.id, session]);
  await changes.make(call, 'POST /v1/members/{memberId}/sign-out', [other.id]);
  await changes.make(call, 'DELETE /v1/members/{memberId}/factors/{factor}', [other.id, 'totp']);
  await addSignIn(other.id);
  await changes.make(call, 'DELETE /v1/members/{memberId}/factors', [other.id]);
  await changes.make(call, 'DELETE /v1/members/{memberId}', [other.id]);
  const invitation = await changes.make(call, 'POST /v1/invitations', [], { role: 'viewer' });
  await changes.make(call, 'DELETE /v1/invitations/{invitationId}', [invitation.id]);
  const credential = await changes.make(call, 'POST /v1/credentials', [], { name: 'Pipeline', permissions: ['tenant:read'] });
  await changes.make(call, 'POST /v1/credentials/{clientId}/regenerate', [credential.clientId], {});
  for (const how of ['cancel', 'finish']) {
    const planned = { overlapSeconds: 3600 };
    const rotation = await changes.make(call, 'POST /v1/credentials/{clientId}/regenerate', [credential.clientId], planned);
    const things = [credential.clientId, rotation.cutoff.id];
    await changes.make(call, `POST /v1/credentials/{clientId}/rotations/{cutoffId}/${how}`, things);
  }
  await changes.make(call, 'DELETE /v1/credentials/{clientId}', [credential.clientId]);
}

describe('every change through the API', () => {
  it('is in the audit trail under the id of its request, with actor and address', async () => {
    const changes = new Changes();
    await changeEverything(changes);
    expect([...new Set(changes.made.map(({ route }) => route))].toSorted()).toEqual(changingRoutes());
    for (const { route, requestId } of changes.made) {
      const { rows } = await api.test.owner.query<{ actor_id: string | null; address: string | null }>(
        // The tenant that a member made and deleted has a trail of its own.
        'SELECT actor_id, address FROM audit_events WHERE tenant_id = ANY($1) AND request_id = $2',
        [[api.tenant.tenantId, changes.another], requestId],
      );
      expect([route, rows.length > 0]).toEqual([route, true]);
      for (const row of rows) expect(row).toEqual({ actor_id: expect.any(String) as string, address: '127.0.0.1' });
    }
  });

  it.each([
    ['POST', '/v1/repositories', { slug: 'unseen', name: 'Unseen', environment: 'production' }],
    ['POST', '/v1/credentials', { name: 'Unseen', permissions: ['tenant:read'] }],
    ['POST', '/v1/invitations', { role: 'viewer' }],
    ['PATCH', '/v1/tenant', { name: 'Unseen' }],
  ] as const)('is not made when it cannot be written there: %s %s', async (method, path, body) => {
    const count = async () => {
      const { rows } = await api.test.owner.query<{ all: object }>(
        `SELECT json_build_object('clients', (SELECT count(*) FROM clients), 'repositories', (SELECT count(*) FROM repositories),
           'invitations', (SELECT count(*) FROM invitations), 'names', (SELECT json_agg(name ORDER BY name) FROM tenants)) AS all`,
      );
      return rows[0]?.all;
    };
    const before = await count();
    await api.test.owner.query('ALTER TABLE audit_events ADD CONSTRAINT broken CHECK (false) NOT VALID');
    try {
      expect((await api.tenant.call(method, path, body)).status).toBe(500);
    } finally {
      await api.test.owner.query('ALTER TABLE audit_events DROP CONSTRAINT broken');
    }
    expect(await count()).toEqual(before);
  });
});

describe('the credential of a member', () => {
  it('is made by its member in person, seen without its secret, and revoked; a repeated call shows no secret', async () => {
    const member = await api.addMember('super-admin');
    expect((await member.inPerson('POST', '/v1/me/credential')).status).toBe(409);
    expect((await member.inPerson('DELETE', '/v1/me/credential')).status).toBe(200);
    const key = { 'idempotency-key': 'once' };
    const made = await member.inPerson('POST', '/v1/me/credential', undefined, key);
    expect(made.status).toBe(201);
    const { clientId, secret } = (await made.json()) as { clientId: string; secret: { value: string } };
    const again = await member.inPerson('POST', '/v1/me/credential', undefined, key);
    expect([again.status, (await again.text()).includes(secret.value)]).toEqual([409, false]);
    const seen = await (await member.inPerson('GET', '/v1/me/credential')).text();
    expect([seen.includes(clientId), seen.includes(secret.value)]).toEqual([true, false]);
    const me = await member.inPerson('GET', '/v1/me');
    expect(await me.json()).toMatchObject({ kind: 'member', id: member.id, member: { role: 'super-admin' }, credentialRefusal: null });
  });

  it('is not made by the credential itself, nor by a machine', async () => {
    const member = await api.addMember('super-admin');
    for (const caller of [member, api.tenant]) expect((await caller.call('POST', '/v1/me/credential')).status).toBe(403);
    expect(await (await api.tenant.call('GET', '/v1/me')).json()).toMatchObject({ kind: 'machine', member: null, credentialRefusal: null });
  });
});
