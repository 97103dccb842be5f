import { randomBytes } from 'node:crypto';
import { MemberCredentials } from '@latchkey/tenancy';
import { Browser } from './testing/browser.js';
import { startAuthority, type RunningAuthority, type Tenant, type TestMember } from './testing/running-authority.js';

/* What the audit trail says of those who come to the console's authority, from requests as a browser or a script sends them. */

let running: RunningAuthority;
let tenant: Tenant;
let member: TestMember;

beforeAll(async () => {
  running = await startAuthority();
  tenant = await running.newTenant('Acme');
  member = await tenant.addMember('owner');
});
afterAll(() => running.close());

interface Row {
  action: string;
  actor_kind: string;
  actor_id: string | null;
  target_kind: string;
  target_id: string;
  request_id: string;
  address: string;
  details: { reason?: string; count?: number };
}

async function trail(tenantId: string, action: string): Promise<Row[]> {
  await running.authority.refusals.flush();
  const { rows } = await running.test.owner.query<Row>('SELECT * FROM audit_events WHERE tenant_id = $1 AND action = $2 ORDER BY id', [
    tenantId,
    action,
  ]);
  return rows;
}

async function signIn(login: string, password: string): Promise<Response> {
  const browser = new Browser(running);
  const page = await browser.openSignIn();
  return browser.go(page, { login, password });
}

describe('signing in at the console', () => {
  it('is in the trail of the tenant before the person is let in, with address and request', async () => {
    const response = await signIn(member.loginName, member.password);
    expect(response.status).toBe(303);
    expect(await trail(tenant.id, 'member.signed-in')).toMatchObject([
      {
        actor_kind: 'member',
        actor_id: member.id,
        target_id: member.id,
        address: '127.0.0.1',
        request_id: response.headers.get('x-request-id'),
      },
    ]);
  });

  it('is refused when it cannot be written down', async () => {
    await running.test.owner.query(`ALTER TABLE audit_events ADD CONSTRAINT broken CHECK (action <> 'member.signed-in') NOT VALID`);
    try {
      expect((await signIn(member.loginName, member.password)).status).toBe(500);
    } finally {
      await running.test.owner.query('ALTER TABLE audit_events DROP CONSTRAINT broken');
    }
  });

  it('with a wrong password is one row a minute for the person and address, however often it is tried', async () => {
    for (let i = 0; i < 3; i++) expect((await signIn(member.loginName, 'wrong wrong wrong')).status).toBe(401);
    const rows = await trail(tenant.id, 'sign-in.refused');
    expect(rows).toMatchObject([
      {
        actor_kind: 'unknown',
        actor_id: null,
        target_kind: 'user',
        target_id: String(member.userId),
        address: '127.0.0.1',
        details: { count: 3 },
      },
    ]);
  });

  it('never has in the trail what was typed into its form', async () => {
    const typed = 'a password in the wrong field';
    await signIn(typed, typed);
    await running.authority.refusals.flush();
    const { rows } = await running.test.owner.query<{ all: string }>(`SELECT json_agg(a)::text AS all FROM audit_events a`);
    expect(rows[0]?.all).not.toContain(typed);
    expect(rows[0]?.all).not.toContain(member.password);
  });
});

describe('a refused token', () => {
  it('is in the trail of the tenant whose credential it was tried with, by reason', async () => {
    const own = await running.newTenant('Tokens');
    const { clientId, secret } = own.made.credential;
    const wrong = secret.value.slice(0, 20) + (secret.value[20] === 'x' ? 'y' : 'x') + secret.value.slice(21);
    for (let i = 0; i < 4; i++) expect((await running.token(clientId, wrong)).status).toBe(401);
    expect(await trail(own.id, 'token.refused')).toMatchObject([
      { target_kind: 'client', target_id: clientId, address: '127.0.0.1', details: { reason: 'invalid_client', count: 4 } },
    ]);
  });

  it('says so when the secret had been replaced', async () => {
    const own = await running.newTenant('Replaced');
    const { clientId, secret } = own.made.credential;
    await running.test.owner.query('UPDATE secret_versions SET ended_at = now() WHERE client_id = $1', [clientId]);
    expect((await running.token(clientId, secret.value)).status).toBe(401);
    expect(await trail(own.id, 'token.refused')).toMatchObject([{ target_id: clientId, details: { reason: 'replaced secret' } }]);
  });

  it('names no client that does not exist', async () => {
    const madeUp = `tenant_${randomBytes(11).toString('hex')}`;
    expect((await running.token(madeUp, 'nonsense')).status).toBe(401);
    const rows = await trail(running.console.tenantId, 'token.refused');
    expect(rows).toMatchObject([{ target_id: 'unknown', details: { reason: 'invalid_client' } }]);
    expect(JSON.stringify(rows)).not.toContain(madeUp);
  });

  it('for a request that is merely put wrongly is nothing for the trail', async () => {
    const own = await running.newTenant('Clumsy');
    const { clientId, secret } = own.made.credential;
    expect((await running.token(clientId, secret.value, { grant_type: 'nonsense' })).status).toBe(400);
    expect(await trail(own.id, 'token.refused')).toEqual([]);
  });
});

describe('a credential of a member that the policy of the tenant suspends', () => {
  async function suspendedCredential() {
    const own = await running.newTenant('Suspended');
    const somebody = await own.addMember('super-admin');
    const { authority, database } = running;
    const credential = await new MemberCredentials(database, authority.peppers, authority.directory).create(somebody.actor);
    await running.test.owner.query('UPDATE members SET federated = true WHERE id = $1', [somebody.id]);
    return { own, credential };
  }
  const wrongOf = (value: string) => value.slice(0, 20) + (value[20] === 'x' ? 'y' : 'x') + value.slice(21);

  it('tells whoever has its secret why it does not work, and the trail of its tenant too', async () => {
    const { own, credential } = await suspendedCredential();
    const answer = await running.token(credential.clientId, credential.secret.value);
    const reason = 'the policy of the tenant suspends this credential: its member signs in by federation';
    expect([answer.status, answer.body]).toEqual([401, { error: 'invalid_client', error_description: reason }]);
    expect(await trail(own.id, 'token.refused')).toMatchObject([
      { target_kind: 'client', target_id: credential.clientId, address: '127.0.0.1', details: { reason, count: 1 } },
    ]);
  });

  it('looks to whoever has not its secret like one that does not exist', async () => {
    const { own, credential } = await suspendedCredential();
    const wrong = await running.token(credential.clientId, wrongOf(credential.secret.value));
    const unknown = await running.token(`member_${randomBytes(11).toString('hex')}`, wrongOf(credential.secret.value));
    expect([wrong.status, wrong.body]).toEqual([unknown.status, unknown.body]);
    expect(await trail(own.id, 'token.refused')).toMatchObject([{ target_id: credential.clientId, details: { reason: 'invalid_client' } }]);
  });

  it('can ask about no token, and no other way of authenticating lets it in', async () => {
    const { credential } = await suspendedCredential();
    const { clientId: client_id, secret } = credential;
    const form = (path: string, body: Record<string, string>) =>
      fetch(`${running.issuerOf('console')}${path}`, { method: 'POST', body: new URLSearchParams(body) });
    const asked = [
      form('/connect/introspect', { client_id, client_secret: secret.value, token: 'x' }),
      form('/connect/revocation', { client_id, client_secret: secret.value, token: 'x' }),
      form('/connect/token', { client_id, client_secret: secret.value, grant_type: 'client_credentials' }),
      form('/connect/token', { client_id, grant_type: 'client_credentials' }),
    ];
    for (const response of await Promise.all(asked))
      expect([response.status, ((await response.json()) as { error: string }).error]).toEqual([401, 'invalid_client']);
  });

  it('works again when the policy lets it', async () => {
    const { credential } = await suspendedCredential();
    await running.test.owner.query('UPDATE members SET federated = false');
    expect((await running.token(credential.clientId, credential.secret.value)).status).toBe(200);
  });
});

describe('a client that was deleted', () => {
  it('is in the trail of the tenant whose it was when somebody still comes with it, and is told nothing', async () => {
    const own = await running.newTenant('Deleted');
    const { clientId, secret } = own.made.credential;
    await running.test.owner.query('UPDATE clients SET deleted_at = now() WHERE id = $1', [clientId]);
    const deleted = await running.token(clientId, secret.value);
    const unknown = await running.token(`tenant_${randomBytes(11).toString('hex')}`, secret.value);
    expect([deleted.status, deleted.body]).toEqual([unknown.status, unknown.body]);
    expect(await trail(own.id, 'token.refused')).toMatchObject([{ target_id: clientId, details: { reason: 'deleted client' } }]);
  });
});
