import type { Actor } from '@latchkey/access';
import { MemberAccounts, UserFactors } from '@latchkey/tenancy';
import { Authenticator } from './testing/authenticator.js';
import { Browser } from './testing/browser.js';
import { startAuthority, type RunningAuthority, type TestMember } from './testing/running-authority.js';
import { App, factsOf, Journey, withApp, withPasskey } from './testing/sign-in-journey.js';

/* A tenant takes second factors of its users away, and what that ends. */

let running: RunningAuthority;
let factors: UserFactors;

beforeAll(async () => {
  running = await startAuthority();
  factors = new UserFactors(running.database);
});
afterAll(() => running.close());

describe('the second factors of a user', () => {
  it('are seen by the tenant without anything that proves something', async () => {
    const { customer, codes } = await withPasskey(running);
    const seen = await factors.get(customer.tenant.machine, customer.slug, customer.anna.id);
    expect(seen).toEqual({
      totp: null,
      recoveryCodesLeft: 10,
      passkeys: [expect.objectContaining({ name: 'Passkey', synced: false, lastUsedAt: null }) as object],
    });
    for (const secret of [...codes, 'publicKey', 'credentialId']) expect(JSON.stringify(seen)).not.toContain(secret);
  });

  it('when all are taken away, end every session by a cut-off, and are set up anew at the next sign-in', async () => {
    const { customer, journey, codes } = await withApp(running);
    const { machine } = customer.tenant;
    expect(journey.done).toBe(true);
    const { cutoff } = await factors.reset(machine, customer.slug, customer.anna.id);
    expect(Date.parse(cutoff.effectiveAt)).toBeLessThanOrEqual(Date.now() + 5);
    await journey.open({ prompt: 'none' });
    expect(journey.at.searchParams.get('error')).toBe('login_required');
    for (const table of ['totp_secrets', 'recovery_codes', 'factor_guesses']) expect(await factsOf(customer, table)).toEqual([]);

    const html = await journey.password();
    expect(journey.page).toBe('enrol');
    await journey.send({ code: new App(html).code() });
    expect(await factors.get(machine, customer.slug, customer.anna.id)).toMatchObject({ recoveryCodesLeft: 10 });
    expect(codes.length).toBe(10);
    const { rows } = await running.test.owner.query<{ details: object }>(
      `SELECT details FROM audit_events WHERE repository_id = $1 AND action = 'user.factors-reset'`,
      [customer.repository.id],
    );
    expect(rows).toMatchObject([{ details: { factor: 'all', cutoffId: cutoff.id } }]);
  });

  it('end a sign-in that is half done', async () => {
    const { customer, app } = await withApp(running);
    const half = new Journey(customer);
    await half.password();
    await factors.reset(customer.tenant.machine, customer.slug, customer.anna.id);
    await half.send({ code: app.code() });
    expect(half.done).toBe(false);
  });

  it('are taken away one by one; with the last the recovery codes go', async () => {
    const { customer } = await withPasskey(running);
    const { machine } = customer.tenant;
    const { passkeys } = await factors.get(machine, customer.slug, customer.anna.id);
    await expect(factors.reset(machine, customer.slug, customer.anna.id, 'totp')).rejects.toMatchObject({ type: 'not-found' });
    await factors.reset(machine, customer.slug, customer.anna.id, passkeys[0]?.id ?? '');
    const nothing = { totp: null, recoveryCodesLeft: 0, passkeys: [] };
    expect(await factors.get(machine, customer.slug, customer.anna.id)).toEqual(nothing);
    for (const factor of [undefined, passkeys[0]?.id ?? '', 'nonsense'])
      await expect(factors.reset(machine, customer.slug, customer.anna.id, factor)).rejects.toMatchObject({ type: 'not-found' });
  });

  it('are nothing to another tenant', async () => {
    const { customer } = await withApp(running);
    const stranger = (await running.newTenant('Stranger')).machine;
    await expect(factors.get(stranger, customer.slug, customer.anna.id)).rejects.toMatchObject({ type: 'not-found' });
    await expect(factors.reset(stranger, customer.slug, customer.anna.id)).rejects.toMatchObject({ type: 'not-found' });
    expect(await factsOf(customer, 'totp_secrets')).toHaveLength(1);
  });
});

describe('the account of a member', () => {
  const accounts = () => new MemberAccounts(running.database, running.authority.directory);
  const asked = async ({ loginName, password }: TestMember) => {
    const browser = new Browser(running);
    await browser.signIn(loginName, password);
    const silent = async () => (await browser.authorize({ prompt: 'none' })).headers.get('location') ?? '';
    return { isSignedIn: async () => (await silent()).includes('code=') };
  };
  const addTotp = ({ userId }: TestMember) =>
    running.test.owner.query(
      `INSERT INTO totp_secrets (repository_id, user_id, tenant_id, secret, encryption_key_id, last_step) VALUES ($1, $2, $3, '', 'k1', 0)`,
      [running.console.id, userId, running.console.tenantId],
    );

  it('is looked after by those whose role is not below: they see and end sessions, and reset factors, by a cut-off', async () => {
    const tenant = await running.newTenant('Members');
    const [admin, viewer] = [await tenant.addMember('super-admin'), await tenant.addMember('viewer')];
    const [one, other] = [await asked(viewer), await asked(viewer)];
    const { items } = await accounts().sessions(admin.actor, viewer.id);
    expect(items).toHaveLength(2);
    await accounts().endSession(admin.actor, viewer.id, items[0]?.id ?? '');
    expect((await Promise.all([one.isSignedIn(), other.isSignedIn()])).toSorted()).toEqual([false, true]);
    await expect(accounts().endSession(admin.actor, viewer.id, items[0]?.id ?? '')).rejects.toMatchObject({ type: 'not-found' });
    const { cutoff } = await accounts().signOut(tenant.machine, viewer.id);
    expect(Date.parse(cutoff.effectiveAt)).toBeLessThanOrEqual(Date.now() + 5);
    expect([await one.isSignedIn(), await other.isSignedIn()]).toEqual([false, false]);

    await addTotp(viewer);
    const third = new Browser(running);
    const sent = await third.go(await third.openSignIn(), { login: viewer.loginName, password: viewer.password });
    expect(sent.headers.get('location')).toMatch(/\/factor$/);
    expect((await accounts().factors(admin.actor, viewer.id)).totp).not.toBeNull();
    await accounts().resetFactors(admin.actor, viewer.id, 'totp');
    expect(await (await asked(viewer)).isSignedIn()).toBe(true);
    for (const factor of [undefined, 'totp', 'nonsense'])
      await expect(accounts().resetFactors(admin.actor, viewer.id, factor)).rejects.toMatchObject({ type: 'not-found' });
    const { rows } = await running.test.owner.query<{ action: string; actor_id: string }>(
      `SELECT action, actor_id FROM audit_events WHERE tenant_id = $1 AND target_id = $2 AND action LIKE 'member.%' ORDER BY id`,
      [tenant.id, viewer.id],
    );
    const deeds = rows.map(({ action }) => action).filter((action) => action !== 'member.signed-in');
    expect(deeds).toEqual(['member.session-ended', 'member.signed-out', 'member.factors-reset']);
  });

  it('is nobody’s who is below, of another tenant, or the member’s own with nothing but a token', async () => {
    const [tenant, stranger] = [await running.newTenant('Guarded'), await running.newTenant('Foreign')];
    const [owner, admin, viewer] = [
      await tenant.addMember('owner'),
      await tenant.addMember('super-admin'),
      await tenant.addMember('viewer'),
    ];
    const [elder, foreign] = [await tenant.addMember('super-admin'), await stranger.addMember('owner')];
    await addTotp(admin);
    await addTotp(owner);
    const refusals: [Actor, string, string][] = [
      [viewer.actor, admin.id, 'forbidden'],
      [elder.actor, owner.id, 'forbidden'],
      [tenant.machine, owner.id, 'forbidden'],
      [admin.actor, admin.id, 'forbidden'],
      [foreign.actor, admin.id, 'not-found'],
      [stranger.machine, admin.id, 'not-found'],
    ];
    for (const [actor, id, type] of refusals) {
      await expect(accounts().resetFactors(actor, id)).rejects.toMatchObject({ type });
      await expect(accounts().signOut(actor, id)).rejects.toMatchObject({ type });
      await expect(accounts().endSession(actor, id, 'x')).rejects.toMatchObject({ type });
    }
    await expect(accounts().sessions(foreign.actor, admin.id)).rejects.toMatchObject({ type: 'not-found' });
    await accounts().resetFactors(elder.actor, admin.id);
  });

  it('of somebody who is in another tenant too is theirs alone: no tenant takes away what protects another', async () => {
    const [tenant, other] = [await running.newTenant('One'), await running.newTenant('Two')];
    const [owner, shared] = [await tenant.addMember('owner'), await tenant.addMember('viewer')];
    await addTotp(shared);
    await running.test.owner.query(
      `INSERT INTO members (tenant_id, id, repository_id, user_id, role) VALUES ($1, gen_random_uuid(), $2, $3, 'owner')`,
      [other.id, running.console.id, shared.userId],
    );
    const all = [
      accounts().factors(owner.actor, shared.id),
      accounts().sessions(owner.actor, shared.id),
      accounts().resetFactors(owner.actor, shared.id),
      accounts().signOut(owner.actor, shared.id),
      accounts().endSession(owner.actor, shared.id, 'x'),
    ];
    for (const each of await Promise.allSettled(all)) expect(each).toMatchObject({ status: 'rejected', reason: { type: 'forbidden' } });
  });
});

describe('somebody who has lost a passkey for another host', () => {
  it('is not taken for somebody who has none, whose password would be enough to set one up', async () => {
    const { customer } = await withPasskey(running);
    await running.test.owner.query(`UPDATE passkeys SET rp_id = 'old.example.com' WHERE repository_id = $1`, [customer.repository.id]);
    const journey = new Journey(customer);
    const html = await journey.password();
    expect([journey.page, html.includes('data-passkey')]).toEqual(['factor', false]);
    await journey.send({ passkey: new Authenticator().assert({ challenge: 'AAAA' }, journey.ceremony) });
    expect(journey.done).toBe(false);
  });
});
