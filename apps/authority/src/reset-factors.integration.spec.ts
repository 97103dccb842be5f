import { UserFactors } from '@latchkey/tenancy';
import { Authenticator } from './testing/authenticator.js';
import { startAuthority, type RunningAuthority } from './testing/running-authority.js';
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
