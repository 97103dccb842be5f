import { type CreatedMemberCredentialView, type Problem } from '@latchkey/contracts';
import { memberActor } from '@latchkey/access';
import { PlainSecret } from '@latchkey/credentials';
import { newId } from '@latchkey/database';
import { install, MemberCredentials, Members, TenantCredentials, Tenants, Webhooks } from '@latchkey/tenancy';
import { startAuthority, type RunningAuthority, type Tenant, type TestMember } from './testing/running-authority.js';

/* The clauses about the credentials of members, each against the real token endpoint. */

let running: RunningAuthority;
let credentials: MemberCredentials;
let members: Members;
let tenants: Tenants;
let tenant: Tenant;

beforeAll(async () => {
  running = await startAuthority();
  const { database, authority } = running;
  credentials = new MemberCredentials(database, authority.peppers, authority.directory);
  members = new Members(database, authority.directory);
  tenants = new Tenants(database, new Webhooks(database, authority.encryption));
  tenant = await running.newTenant('Acme');
});
afterAll(() => running.close());

const problem = (type: string) => expect.objectContaining({ type }) as Problem;
const year = 365 * 86_400_000;

/** What a member's script has: a live token of a new credential. */
async function withToken(member: TestMember): Promise<CreatedMemberCredentialView & { token: string }> {
  const made = await credentials.create(member.actor);
  const answer = await running.token(made.clientId, made.secret.value);
  expect(answer.status).toBe(200);
  return { ...made, token: answer.body.access_token ?? '' };
}

const accepts = async ({ clientId, secret }: CreatedMemberCredentialView) => (await running.token(clientId, secret.value)).status === 200;

const takes = (token: string) => running.takes(token);

describe('a member credential', () => {
  it('consists of a client ID and a client secret with which a script gets a token', async () => {
    const member = await tenant.addMember('super-admin');
    const made = await credentials.create(member.actor);
    expect(made.clientId).toMatch(/^member_[0-9A-Za-z]{22}$/);
    expect(PlainSecret.parse(made.secret.value, 'production', 'cs')).toBeDefined();
    expect((await running.token(made.clientId, made.secret.value)).body.access_token).toBeDefined();
  });

  it('shows its secret once: nothing that is read afterwards holds it', async () => {
    const member = await tenant.addMember('super-admin');
    const made = await credentials.create(member.actor);
    const shown = JSON.stringify([await credentials.get(member.actor), await members.list(member.actor, { limit: 200 })]);
    expect(shown).not.toContain(made.secret.value.slice(11, 40));
    const { rows } = await running.test.owner.query<{ dump: string }>(
      `SELECT query_to_xml('SELECT * FROM ' || relname, true, false, '')::text AS dump FROM pg_class
       WHERE relkind = 'r' AND relnamespace = 'latchkey'::regnamespace`,
    );
    for (const { dump } of rows) expect(dump).not.toContain(made.secret.value.slice(11, 40));
  });

  it('shows its client ID for as long as it lasts', async () => {
    const member = await tenant.addMember('super-admin');
    const { clientId } = await credentials.create(member.actor);
    expect(await credentials.get(member.actor)).toMatchObject({ clientId, status: 'active', refusal: null });
  });

  it.each(['owner', 'super-admin'] as const)('is for super admins, of whom an owner is one: %s', async (role) => {
    const member = await tenant.addMember(role);
    expect(await accepts(await credentials.create(member.actor))).toBe(true);
  });

  it.each(['admin', 'developer', 'viewer'] as const)('is refused to everybody below super admin: %s', async (role) => {
    const member = await tenant.addMember(role);
    await expect(credentials.create(member.actor)).rejects.toEqual(problem('forbidden'));
    expect(await credentials.me(member.actor)).toMatchObject({ credentialRefusal: 'role', member: { role } });
  });

  it('is refused to a machine, which is nobody', async () => {
    await expect(credentials.create(tenant.machine)).rejects.toEqual(problem('forbidden'));
  });

  it('is valid for 3650 days', async () => {
    const made = await credentials.create((await tenant.addMember('super-admin')).actor);
    const days = (Date.parse(made.expiresAt) - Date.parse(made.createdAt)) / 86_400_000;
    expect(days).toBeCloseTo(3650, 3);
    expect(Date.parse(made.expiresAt)).toBeGreaterThan(Date.now() + 9 * year);
  });

  it('gets tokens that live 86400 seconds', async () => {
    const made = await credentials.create((await tenant.addMember('super-admin')).actor);
    const { body } = await running.token(made.clientId, made.secret.value);
    expect(body.expires_in).toBe(86_400);
    const claims = JSON.parse(Buffer.from(body.access_token?.split('.')[1] ?? '', 'base64url').toString()) as { exp: number; iat: number };
    expect(claims.exp - claims.iat).toBe(86_400);
  });

  it('leaves the life of a tenant credential’s tokens as it is', async () => {
    const { clientId, secret } = tenant.made.credential;
    expect((await running.token(clientId, secret.value)).body.expires_in).toBe(3600);
  });

  it('acts as its member, and the trail tells the two apart', async () => {
    const member = await tenant.addMember('super-admin');
    const { token, clientId } = await withToken(member);
    const actor = await running.actorOf(token);
    expect(actor).toMatchObject({ kind: 'member', id: member.id, tenantId: tenant.id, credentialId: clientId });
    await tenants.update(actor, { name: 'Acme again' });
    const { rows } = await running.test.owner.query(
      `SELECT actor_id, details->>'credentialId' AS via FROM audit_events WHERE tenant_id = $1 AND action = 'tenant.updated' ORDER BY id DESC LIMIT 1`,
      [tenant.id],
    );
    expect(rows).toEqual([{ actor_id: member.id, via: clientId }]);
  });

  it('may do what its scopes name of what the role may do', async () => {
    const made = await credentials.create((await tenant.addMember('super-admin')).actor);
    const { body } = await running.token(made.clientId, made.secret.value, { scope: 'repositories:read members:read' });
    const actor = await running.actorOf(body.access_token ?? '');
    expect([...actor.permissions].toSorted()).toEqual(['members:read', 'repositories:read']);
  });
});

describe('one active credential for each member', () => {
  it('refuses a second until the first is revoked', async () => {
    const member = await tenant.addMember('super-admin');
    const first = await credentials.create(member.actor);
    await expect(credentials.create(member.actor)).rejects.toEqual(problem('already-exists'));
    expect(await accepts(first)).toBe(true);
    await credentials.revoke(member.actor);
    const second = await credentials.create(member.actor);
    expect([await accepts(first), await accepts(second)]).toEqual([false, true]);
  });

  it('makes one of two that are asked for at the same moment', async () => {
    const member = await tenant.addMember('super-admin');
    const outcomes = await Promise.allSettled([1, 2, 3, 4].map(() => credentials.create(member.actor)));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const outcome of outcomes) if (outcome.status === 'rejected') expect(outcome.reason).toEqual(problem('already-exists'));
  });

  it('is held by the database too', async () => {
    const member = await tenant.addMember('super-admin');
    await credentials.create(member.actor);
    const twice = running.test.owner.query(
      `INSERT INTO clients (repository_id, id, tenant_id, kind, name, user_id)
       SELECT repository_id, 'member_another', tenant_id, kind, name, user_id FROM clients WHERE kind = 'member' AND user_id = $1`,
      [member.userId],
    );
    await expect(twice).rejects.toThrow(/clients_member/);
  });

  it('makes room when it has expired', async () => {
    const member = await tenant.addMember('super-admin');
    const first = await credentials.create(member.actor);
    await running.test.owner.query(`UPDATE secret_versions SET expires_at = now() - interval '1 s' WHERE client_id = $1`, [first.clientId]);
    expect(await accepts(first)).toBe(false);
    await expect(credentials.get(member.actor)).rejects.toEqual(problem('not-found'));
    const second = await credentials.create(member.actor);
    expect(second.cutoff).toBeUndefined();
    expect(await accepts(second)).toBe(true);
  });

  it('lets other members have theirs, and the same person theirs in another tenant', async () => {
    const [one, other] = [await tenant.addMember('super-admin'), await tenant.addMember('super-admin')];
    const elsewhere = await running.newTenant('Elsewhere');
    const id = newId();
    await running.test.owner.query(
      `INSERT INTO members (tenant_id, id, repository_id, user_id, role) VALUES ($1, $2, $3, $4, 'super-admin')`,
      [elsewhere.id, id, running.console.id, one.userId],
    );
    const there = memberActor(
      { tenantId: elsewhere.id, id, role: 'super-admin', person: one.actor.person as never },
      [...one.actor.permissions],
      {
        requestId: newId(),
      },
    );
    const made = await Promise.all([credentials.create(one.actor), credentials.create(other.actor), credentials.create(there)]);
    expect(await Promise.all(made.map(accepts))).toEqual([true, true, true]);
    for (const [index, tenantId] of [tenant.id, tenant.id, elsewhere.id].entries()) {
      const { body } = await running.token(made[index]?.clientId ?? '', made[index]?.secret.value ?? '');
      expect(await running.actorOf(body.access_token ?? '')).toMatchObject({ tenantId });
    }
    // Ending the membership there ends nothing here.
    await members.remove(elsewhere.machine, id);
    expect(await Promise.all(made.map(accepts))).toEqual([true, true, false]);
  });
});

describe('revoking a member credential', () => {
  it('ends its secret and the tokens it got before the answer', async () => {
    const member = await tenant.addMember('super-admin');
    const made = await withToken(member);
    expect(await takes(made.token)).toBe(true);
    const { cutoff } = await credentials.revoke(member.actor);
    expect(Date.parse(cutoff.effectiveAt)).toBeLessThanOrEqual(Date.now());
    expect([await accepts(made), await takes(made.token)]).toEqual([false, false]);
  });

  it('leaves nothing to be seen', async () => {
    const member = await tenant.addMember('super-admin');
    await credentials.create(member.actor);
    await credentials.revoke(member.actor);
    await expect(credentials.get(member.actor)).rejects.toEqual(problem('not-found'));
    await expect(credentials.revoke(member.actor)).rejects.toEqual(problem('not-found'));
  });

  it('is for its own member alone: no other super admin, owner or machine can', async () => {
    const [member, other, owner] = [
      await tenant.addMember('super-admin'),
      await tenant.addMember('super-admin'),
      await tenant.addMember('owner'),
    ];
    const made = await credentials.create(member.actor);
    for (const actor of [other.actor, owner.actor, tenant.machine]) {
      await expect(members.revokeCredential(actor, member.id)).rejects.toEqual(problem('forbidden'));
      await expect(
        new TenantCredentials(running.database, running.authority.peppers, running.authority.directory).delete(actor, made.clientId),
      ).rejects.toEqual(problem('not-found'));
    }
    expect(await accepts(made)).toBe(true);
    await members.revokeCredential(member.actor, member.id);
    expect(await accepts(made)).toBe(false);
  });
});

describe('a member who signs in by federation', () => {
  const setFederated = (member: TestMember, federated: boolean) =>
    running.test.owner.query('UPDATE members SET federated = $2 WHERE id = $1', [member.id, federated]);

  it('can generate no credential', async () => {
    const member = await tenant.addMember('super-admin');
    await setFederated(member, true);
    await expect(credentials.create(member.actor)).rejects.toEqual(problem('forbidden'));
    expect(await credentials.me(member.actor)).toMatchObject({ credentialRefusal: 'federated' });
  });

  it('has none that works from the moment on at which they sign in that way', async () => {
    const member = await tenant.addMember('super-admin');
    const made = await withToken(member);
    await setFederated(member, true);
    expect([await accepts(made), await takes(made.token)]).toEqual([false, false]);
    expect(await credentials.get(member.actor)).toMatchObject({ clientId: made.clientId, status: 'suspended', refusal: 'federated' });
  });
});

describe('multi-factor authentication', () => {
  const force = (mode: 'optional' | 'forced') => install({ ...running.options, secondFactor: mode });
  const enforce = (target: Tenant, enforced: unknown) =>
    running.test.owner.query(`UPDATE tenants SET settings = settings || jsonb_build_object('mfaEnforced', $2::jsonb) WHERE id = $1`, [
      target.id,
      JSON.stringify(enforced),
    ]);

  it('once enforced, stops credentials and their tokens at once, and lets none be made', async () => {
    const own = await running.newTenant('MFA');
    const [member, other] = [await own.addMember('super-admin'), await own.addMember('super-admin')];
    const made = await withToken(member);
    await tenants.update(own.machine, { mfaEnforced: true });
    expect([await accepts(made), await takes(made.token)]).toEqual([false, false]);
    await expect(credentials.create(other.actor)).rejects.toEqual(problem('forbidden'));
    expect(await credentials.get(member.actor)).toMatchObject({ status: 'suspended', refusal: 'mfa-enforced' });
    expect(await tenants.get(own.machine)).toMatchObject({ mfaEnforced: true });
    // Another tenant's members are not concerned, and neither are the tenant's own machines.
    expect(await accepts(await credentials.create((await tenant.addMember('super-admin')).actor))).toBe(true);
    expect((await running.token(own.made.credential.clientId, own.made.credential.secret.value)).status).toBe(200);
  });

  it('is enforced for the members of all tenants when the installation says so for the console', async () => {
    const own = await running.newTenant('Forced');
    const [member, other] = [await own.addMember('super-admin'), await own.addMember('super-admin')];
    const made = await withToken(member);
    await force('forced');
    try {
      expect([await accepts(made), await takes(made.token)]).toEqual([false, false]);
      await expect(credentials.create(other.actor)).rejects.toEqual(problem('forbidden'));
      expect(await credentials.get(member.actor)).toMatchObject({ status: 'suspended', refusal: 'mfa-enforced' });
    } finally {
      await force('optional');
    }
    expect([await accepts(made), await takes(made.token)]).toEqual([true, true]);
  });

  it('counts as enforced when its setting is not what it should be', async () => {
    const own = await running.newTenant('Odd');
    const made = await withToken(await own.addMember('super-admin'));
    await enforce(own, 'yes');
    expect([await accepts(made), await takes(made.token)]).toEqual([false, false]);
    await enforce(own, false);
    expect([await accepts(made), await takes(made.token)]).toEqual([true, true]);
  });
});

describe('a member who is removed or demoted', () => {
  it('loses the credential with its tokens when removed', async () => {
    const member = await tenant.addMember('super-admin');
    const made = await withToken(member);
    const { cutoff } = await members.remove(tenant.machine, member.id);
    expect(cutoff).not.toBeNull();
    expect([await accepts(made), await takes(made.token)]).toEqual([false, false]);
  });

  it('loses it for good when demoted below super admin: promotion brings it not back', async () => {
    const member = await tenant.addMember('super-admin');
    const made = await withToken(member);
    const demoted = await members.update(tenant.machine, member.id, { role: 'admin' });
    expect(demoted).toMatchObject({ role: 'admin', hasCredential: false, cutoff: { id: expect.any(String) as string } });
    await members.update(tenant.machine, member.id, { role: 'super-admin' });
    expect([await accepts(made), await takes(made.token)]).toEqual([false, false]);
  });

  it('has none that works even when the role was changed behind our back', async () => {
    const member = await tenant.addMember('super-admin');
    const made = await withToken(member);
    await running.test.owner.query(`UPDATE members SET role = 'viewer' WHERE id = $1`, [member.id]);
    expect([await accepts(made), await takes(made.token)]).toEqual([false, false]);
    await running.test.owner.query(`UPDATE members SET role = 'nonsense' WHERE id = $1`, [member.id]);
    expect([await accepts(made), await takes(made.token)]).toEqual([false, false]);
    await running.test.owner.query(`DELETE FROM members WHERE id = $1`, [member.id]);
    expect([await accepts(made), await takes(made.token)]).toEqual([false, false]);
  });

  it('keeps it when the change of role leaves them a super admin', async () => {
    const member = await tenant.addMember('owner');
    await tenant.addMember('owner');
    const made = await withToken(member);
    await members.update(member.actor, member.id, { role: 'super-admin' });
    expect([await accepts(made), await takes(made.token)]).toEqual([true, true]);
  });
});

describe('whoever holds less than the person', () => {
  it('gets no credential: neither a token for a few things nor a credential itself', async () => {
    const own = await running.newTenant('Lesser');
    await tenants.update(own.machine, { memberCredentials: { onSecond: 'replace' } });
    const member = await own.addMember('super-admin');
    const few = { ...member.actor, permissions: new Set(['tenant:read' as const]) };
    await expect(credentials.create(few)).rejects.toEqual(problem('forbidden'));
    const { token } = await withToken(member);
    const script = await running.actorOf(token);
    await expect(credentials.create(script)).rejects.toEqual(problem('forbidden'));
    // What it may do is end itself.
    await credentials.revoke(script);
    expect(await takes(token)).toBe(false);
  });
});
