import { tenantPermissions, type CreatedTenantCredentialView, type Problem, type TenantPermission } from '@latchkey/contracts';
import type { Actor } from '@latchkey/access';
import { TenantCredentials } from '@latchkey/tenancy';
import { startAuthority, type RunningAuthority, type Tenant } from './testing/running-authority.js';

/* The clauses about the credentials of a tenant, each against the real token endpoint. */

let running: RunningAuthority;
let credentials: TenantCredentials;
let tenant: Tenant;

beforeAll(async () => {
  running = await startAuthority();
  credentials = new TenantCredentials(running.database, running.authority.peppers, running.authority.directory);
  tenant = await running.newTenant('Acme');
});
afterAll(() => running.close());

const problem = (type: string) => expect.objectContaining({ type }) as Problem;
const everything = [...tenantPermissions];
const body = (permissions: TenantPermission[] = everything) => ({ name: 'Pipeline', permissions });
const limited = (permissions: TenantPermission[], of: Actor = tenant.machine): Actor => ({ ...of, permissions: new Set(permissions) });

/** The same secret but for one character. */
const changed = (secret: string) => secret.slice(0, 20) + (secret[20] === 'x' ? 'y' : 'x') + secret.slice(21);

const accepts = async (clientId: string, secret: string) => (await running.token(clientId, secret)).status === 200;
const tokenOf = async ({ clientId, secret }: CreatedTenantCredentialView) =>
  (await running.token(clientId, secret.value)).body.access_token ?? '';

const takes = (token: string) => running.takes(token);

describe('a tenant credential', () => {
  it('is a client ID and a client secret that are exchanged for a token with which requests are made', async () => {
    const made = await credentials.create(tenant.machine, body(['repositories:read']));
    expect(made.clientId).toMatch(/^tenant_[0-9A-Za-z]{22}$/);
    const actor = await running.actorOf(await tokenOf(made));
    expect(actor).toMatchObject({ kind: 'machine', tenantId: tenant.id, id: made.clientId });
    expect([...actor.permissions]).toEqual(['repositories:read']);
  });

  it('has a secret that identifies it: nobody else’s and no made-up one will do', async () => {
    const [one, other] = [await credentials.create(tenant.machine, body()), await credentials.create(tenant.machine, body())];
    expect(await accepts(one.clientId, other.secret.value)).toBe(false);
    expect(await accepts(one.clientId, changed(one.secret.value))).toBe(false);
    expect(await accepts(one.clientId, one.secret.value)).toBe(true);
  });

  it('has a client ID that can always be read', async () => {
    const made = await credentials.create(tenant.machine, body());
    const viewer = await tenant.addMember('viewer');
    const listed = await credentials.list(viewer.actor);
    expect(listed.find(({ clientId }) => clientId === made.clientId)).toMatchObject({ name: 'Pipeline', permissions: everything });
  });

  it('has a secret that is available at its creation and never again, since only a hash is kept', async () => {
    const made = await credentials.create(tenant.machine, body());
    expect(JSON.stringify(await credentials.list(tenant.machine))).not.toContain(made.secret.value.slice(11, 40));
    const { rows } = await running.test.owner.query<{ hash: Buffer; row: string }>(
      'SELECT hash, row_to_json(v)::text AS row FROM secret_versions v WHERE client_id = $1',
      [made.clientId],
    );
    expect(rows).toHaveLength(1);
    expect(rows[0]?.hash).toHaveLength(32);
    expect(rows[0]?.row).not.toContain(made.secret.value.slice(11, 40));
    expect(rows[0]?.hash.toString('latin1')).not.toContain(made.secret.value.slice(11, 40));
  });

  it('shows when its secret was last used, to its own tenant', async () => {
    const made = await credentials.create(tenant.machine, body());
    await tokenOf(made);
    await running.authority.uses.flush();
    const listed = (await credentials.list(tenant.machine)).find(({ clientId }) => clientId === made.clientId);
    expect(Date.parse(listed?.secrets[0]?.lastUsedAt ?? '')).toBeGreaterThan(Date.now() - 10_000);
  });

  it('is one of many, each with its own permissions', async () => {
    const own = await running.newTenant('Many');
    const sets: TenantPermission[][] = [['tenant:read'], ['repositories:read', 'repositories:write'], ['audit:read']];
    for (const permissions of sets) await credentials.create(own.machine, body(permissions));
    const listed = (await credentials.list(own.machine)).slice(1).map(({ permissions }) => permissions);
    expect(listed).toEqual(sets);
  });

  it('can be given an end, which is none of the past', async () => {
    const end = new Date(Date.now() + 3_600_000).toISOString();
    const made = await credentials.create(tenant.machine, { ...body(), expiresAt: end });
    expect(made.secret.expiresAt).toBe(end);
    const token = await tokenOf(made);
    await running.test.owner.query('UPDATE secret_versions SET expires_at = now() WHERE client_id = $1', [made.clientId]);
    expect([await accepts(made.clientId, made.secret.value), await takes(token)]).toEqual([false, false]);
    await expect(credentials.create(tenant.machine, { ...body(), expiresAt: '2020-01-01T00:00:00Z' })).rejects.toEqual(
      problem('invalid-request'),
    );
  });

  it('is nothing to another tenant', async () => {
    const made = await credentials.create(tenant.machine, body());
    const stranger = await running.newTenant('Stranger');
    expect((await credentials.list(stranger.machine)).map(({ clientId }) => clientId)).not.toContain(made.clientId);
    await expect(credentials.regenerate(stranger.machine, made.clientId, { overlapSeconds: 0 })).rejects.toEqual(problem('not-found'));
    await expect(credentials.delete(stranger.machine, made.clientId)).rejects.toEqual(problem('not-found'));
    expect(await accepts(made.clientId, made.secret.value)).toBe(true);
  });

  it('is not the way to the console’s own clients, nor to a member’s', async () => {
    const { rows } = await running.test.owner.query<{ id: string }>(
      `SELECT id FROM clients WHERE repository_id = $1 AND kind IN ('app', 'tool')`,
      [running.console.id],
    );
    for (const { id } of rows) {
      await expect(credentials.delete(tenant.machine, id)).rejects.toEqual(problem('not-found'));
      await expect(credentials.regenerate(tenant.machine, id, { overlapSeconds: 0 })).rejects.toEqual(problem('not-found'));
    }
  });
});

describe('a planned rotation of a tenant credential', () => {
  async function inRotation() {
    const made = await credentials.create(tenant.machine, body(['repositories:read', 'credentials:write']));
    const { secret, cutoff } = await credentials.regenerate(tenant.machine, made.clientId, { overlapSeconds: 3600 });
    const { clientId } = made;
    const tokens = { earlier: await tokenOf(made), newer: await tokenOf({ ...made, secret }) };
    const state = async () => [
      await accepts(clientId, made.secret.value),
      await takes(tokens.earlier),
      await accepts(clientId, secret.value),
      await takes(tokens.newer),
    ];
    expect(await state()).toEqual([true, true, true, true]);
    return { clientId, cutoffId: cutoff.id, state };
  }

  it('can be cancelled: the newer secret and its tokens are dead when the answer comes, the earlier ones live on', async () => {
    const { clientId, cutoffId, state } = await inRotation();
    await credentials.endRotation(tenant.machine, clientId, cutoffId, 'cancelled');
    expect(await state()).toEqual([true, true, false, false]);
  });

  it('can be finished: the earlier secret and its tokens are dead when the answer comes', async () => {
    const { clientId, cutoffId, state } = await inRotation();
    await credentials.endRotation(tenant.machine, clientId, cutoffId, 'finished');
    expect(await state()).toEqual([false, false, true, true]);
  });

  it('is kept alive by nobody who may do less than the credential, ended by whoever may end credentials, and by no stranger', async () => {
    const { clientId, cutoffId, state } = await inRotation();
    const lesser = limited(['credentials:write']);
    await expect(credentials.endRotation(lesser, clientId, cutoffId, 'cancelled')).rejects.toEqual(problem('forbidden'));
    const stranger = await running.newTenant('Stranger');
    for (const how of ['cancelled', 'finished'] as const) {
      await expect(credentials.endRotation(limited(['tenant:read']), clientId, cutoffId, how)).rejects.toEqual(problem('forbidden'));
      await expect(credentials.endRotation(stranger.machine, clientId, cutoffId, how)).rejects.toEqual(problem('not-found'));
    }
    expect(await state()).toEqual([true, true, true, true]);
    await credentials.endRotation(lesser, clientId, cutoffId, 'finished');
    expect(await state()).toEqual([false, false, true, true]);
  });
});

describe('refreshing a tenant credential', () => {
  it('loses the earlier keys, and the tokens that they got, before the answer', async () => {
    const made = await credentials.create(tenant.machine, body());
    const token = await tokenOf(made);
    const { secret, cutoff } = await credentials.regenerate(tenant.machine, made.clientId, { overlapSeconds: 0 });
    expect(Date.parse(cutoff.effectiveAt)).toBeLessThanOrEqual(Date.now());
    expect([await accepts(made.clientId, made.secret.value), await takes(token), await accepts(made.clientId, secret.value)]).toEqual([
      false,
      false,
      true,
    ]);
  });

  it('leaves the client ID as it is', async () => {
    const made = await credentials.create(tenant.machine, body());
    const { secret } = await credentials.regenerate(tenant.machine, made.clientId, { overlapSeconds: 0 });
    const [listed] = (await credentials.list(tenant.machine)).filter(({ clientId }) => clientId === made.clientId);
    expect(listed?.secrets.map(({ id }) => id)).toEqual([secret.id]);
  });

  it('is how a lost secret is replaced', async () => {
    const made = await credentials.create(tenant.machine, body());
    const { secret } = await credentials.regenerate(tenant.machine, made.clientId, { overlapSeconds: 0 });
    const refusal = await running.token(made.clientId, made.secret.value);
    expect(refusal.status).toBe(401);
    expect(refusal.body).toMatchObject({ error: 'invalid_client', error_description: expect.stringContaining('replaced at') as string });
    expect(await accepts(made.clientId, secret.value)).toBe(true);
  });

  it('can let both keys work for a while when that is asked for, and says so in the header', async () => {
    const made = await credentials.create(tenant.machine, body());
    const { secret, cutoff } = await credentials.regenerate(tenant.machine, made.clientId, { overlapSeconds: 3600 });
    expect(Date.parse(cutoff.effectiveAt)).toBeGreaterThan(Date.now() + 3_500_000);
    const [old, fresh] = [await running.token(made.clientId, made.secret.value), await running.token(made.clientId, secret.value)];
    expect([old.status, fresh.status]).toEqual([200, 200]);
    expect(Math.abs(Date.parse(old.headers.get('latchkey-secret-expires') ?? '') - Date.parse(cutoff.effectiveAt))).toBeLessThan(5_000);
    expect(fresh.headers.get('latchkey-secret-expires')).toBeNull();
  });

  it('can be done by the credential itself, whose token ends with the earlier key', async () => {
    const made = await credentials.create(tenant.machine, body());
    const token = await tokenOf(made);
    const { secret } = await credentials.regenerate(await running.actorOf(token), made.clientId, { overlapSeconds: 0 });
    expect([await takes(token), await accepts(made.clientId, secret.value)]).toEqual([false, true]);
  });
});

describe('nobody becomes more than they are', () => {
  it('by making a credential that may do more', async () => {
    const actor = limited(['credentials:write', 'tenant:read']);
    await expect(credentials.create(actor, body(['tenant:read', 'tenant:write']))).rejects.toEqual(problem('forbidden'));
    expect((await credentials.create(actor, body(['tenant:read']))).permissions).toEqual(['tenant:read']);
  });

  it('by getting a secret of one that may do more', async () => {
    const made = await credentials.create(tenant.machine, body());
    await expect(credentials.regenerate(limited(['credentials:write']), made.clientId, { overlapSeconds: 0 })).rejects.toEqual(
      problem('forbidden'),
    );
    expect(await accepts(made.clientId, made.secret.value)).toBe(true);
  });

  it('without the permission to write credentials', async () => {
    const actor = limited(everything.filter((permission) => permission !== 'credentials:write'));
    const [{ clientId } = { clientId: '' }] = await credentials.list(tenant.machine);
    await expect(credentials.create(actor, body(['tenant:read']))).rejects.toEqual(problem('forbidden'));
    await expect(credentials.regenerate(actor, clientId, { overlapSeconds: 0 })).rejects.toEqual(problem('forbidden'));
    await expect(credentials.delete(actor, clientId)).rejects.toEqual(problem('forbidden'));
  });
});

describe('deleting a tenant credential', () => {
  it('ends its secret and its tokens before the answer, and it is seen no more', async () => {
    const made = await credentials.create(tenant.machine, body());
    const token = await tokenOf(made);
    const { cutoff } = await credentials.delete(tenant.machine, made.clientId);
    expect(cutoff.id).toBeDefined();
    expect([await accepts(made.clientId, made.secret.value), await takes(token)]).toEqual([false, false]);
    expect((await credentials.list(tenant.machine)).map(({ clientId }) => clientId)).not.toContain(made.clientId);
    await expect(credentials.delete(tenant.machine, made.clientId)).rejects.toEqual(problem('not-found'));
  });

  it('is refused for the last way into the tenant', async () => {
    const own = await running.newTenant('Locked');
    const first = own.made.credential.clientId;
    await expect(credentials.delete(own.machine, first)).rejects.toEqual(problem('conflict'));
    // Neither a credential that may make none nor one that will end by itself is a way in.
    await credentials.create(own.machine, body(['repositories:read']));
    await credentials.create(own.machine, { ...body(), expiresAt: new Date(Date.now() + 60_000).toISOString() });
    await expect(credentials.delete(own.machine, first)).rejects.toEqual(problem('conflict'));
    await credentials.create(own.machine, body());
    await credentials.delete(own.machine, first);
  });

  it('is fine for the last one while the tenant has an owner who can sign in', async () => {
    const own = await running.newTenant('Owned');
    const owner = await own.addMember('owner');
    await running.test.owner.query('UPDATE repository_users SET enabled = false WHERE repository_id = $1 AND id = $2', [
      running.console.id,
      owner.userId,
    ]);
    await expect(credentials.delete(own.machine, own.made.credential.clientId)).rejects.toEqual(problem('conflict'));
    await running.test.owner.query('UPDATE repository_users SET enabled = true WHERE repository_id = $1 AND id = $2', [
      running.console.id,
      owner.userId,
    ]);
    await credentials.delete(own.machine, own.made.credential.clientId);
    expect(await credentials.list(owner.actor)).toEqual([]);
  });

  it('leaves one of several that are deleted at the same moment', async () => {
    const own = await running.newTenant('Race');
    const more = await Promise.all([1, 2, 3, 4, 5].map(() => credentials.create(own.machine, body())));
    const all = [own.made.credential.clientId, ...more.map(({ clientId }) => clientId)];
    const outcomes = await Promise.allSettled(all.map((clientId) => credentials.delete(own.machine, clientId)));
    expect(outcomes.map(({ status }) => status).toSorted()).toEqual([...Array<string>(5).fill('fulfilled'), 'rejected']);
    expect(await credentials.list(own.machine)).toHaveLength(1);
  });
});

describe('what is done to tenant credentials', () => {
  it('is in the audit trail, with who did it and from where, and without a secret', async () => {
    const made = await credentials.create(tenant.machine, body());
    const { secret } = await credentials.regenerate(tenant.machine, made.clientId, { overlapSeconds: 0 });
    await credentials.delete(tenant.machine, made.clientId);
    const { rows } = await running.test.owner.query<{ action: string; row: string }>(
      `SELECT action, row_to_json(a)::text AS row FROM audit_events a
       WHERE tenant_id = $1 AND (target_id = $2 OR details->>'clientId' = $2) ORDER BY id`,
      [tenant.id, made.clientId],
    );
    expect(rows.map(({ action }) => action)).toEqual(['client.created', 'secret.regenerated', 'client.deleted']);
    for (const { row } of rows) {
      expect(JSON.parse(row)).toMatchObject({
        actor_id: tenant.machine.id,
        actor_kind: 'machine',
        address: '192.0.2.2',
        request_id: tenant.machine.call.requestId,
      });
      expect(row).not.toContain(made.secret.value.slice(11, 40));
      expect(row).not.toContain(secret.value.slice(11, 40));
    }
  });

  it('keeps within the quota of the tenant', async () => {
    const own = await running.newTenant('Quota');
    await running.test.owner.query(`UPDATE tenants SET settings = '{"maxCredentials": 3}' WHERE id = $1`, [own.id]);
    const outcomes = await Promise.allSettled([1, 2, 3, 4].map(() => credentials.create(own.machine, body())));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(2);
    for (const outcome of outcomes) if (outcome.status === 'rejected') expect(outcome.reason).toEqual(problem('quota-exceeded'));
  });
});

describe('the age of a secret', () => {
  const age = (clientId: string, days: number) =>
    running.test.owner.query(`UPDATE secret_versions SET created_at = now() - make_interval(days => $2) WHERE client_id = $1`, [
      clientId,
      days,
    ]);

  it('is told to whoever uses it, from 30 days before its first birthday on', async () => {
    const made = await credentials.create(tenant.machine, body());
    const header = async () => (await running.token(made.clientId, made.secret.value)).headers.get('latchkey-secret-renew-by');
    expect(await header()).toBeNull();
    await age(made.clientId, 334);
    expect(await header()).toBeNull();
    await age(made.clientId, 336);
    expect(Date.parse((await header()) ?? '')).toBeGreaterThan(Date.now());
    await age(made.clientId, 400);
    expect(Date.parse((await header()) ?? '')).toBeLessThan(Date.now());
  });

  it('is told to nobody who does not prove to have it', async () => {
    const made = await credentials.create(tenant.machine, body());
    await age(made.clientId, 400);
    const { headers, status } = await running.token(made.clientId, changed(made.secret.value));
    expect(status).toBe(401);
    expect([...headers.keys()].filter((name) => name.startsWith('latchkey-secret'))).toEqual([]);
  });
});
