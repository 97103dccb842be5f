import * as client from 'openid-client';
import { Tenants } from '@latchkey/tenancy';
import { refuseLesserProof } from './authentication-context.js';
import type { Issuer } from './issuer.js';
import { askedOf, Authenticator } from './testing/authenticator.js';
import { Browser } from './testing/browser.js';
import { Customer } from './testing/customer.js';
import { startAuthority, type RunningAuthority } from './testing/running-authority.js';
import { App, codesOf, factsOf, Journey, strict, withApp } from './testing/sign-in-journey.js';

/* What lies between a right password and being signed in, from requests as a browser sends them. */

const password = 'correct horse battery staple';
const mfa = 'urn:latchkey:acr:mfa';

let running: RunningAuthority;

beforeAll(async () => {
  running = await startAuthority();
});
afterAll(() => running.close());

describe('a repository that demands a second factor', () => {
  it('lets nobody in before they have set one up, shows ten recovery codes once, and says in the ID token how it was', async () => {
    const customer = await strict(running);
    const journey = new Journey(customer);
    const html = await journey.password();
    expect([journey.page, journey.done]).toEqual(['enrol', false]);
    expect(html).toContain('<svg class="qr"');
    const app = new App(html);
    expect(await journey.send({ code: app.wrong() })).toContain('wrong or was used before');
    expect(journey.status).toBe(422);
    const codes = codesOf(await journey.send({ code: app.code() }));
    expect(new Set(codes).size).toBe(10);
    const again = await journey.type('codes');
    expect([codesOf(again), journey.page]).toEqual([[], 'codes']);
    await journey.keep();
    expect(await journey.context()).toEqual({ amr: ['pwd', 'otp', 'mfa'], acr: mfa, sub: String(customer.anna.id) });
  });

  it('keeps the secret encrypted and the codes as hashes', async () => {
    const { customer, codes } = await withApp(running);
    const stored = JSON.stringify([await factsOf(customer, 'totp_secrets'), await factsOf(customer, 'recovery_codes')]);
    for (const code of codes) expect(stored).not.toContain(code);
    const [row] = await factsOf(customer, 'totp_secrets');
    expect((row as { secret: Buffer }).secret.length).toBe(12 + 20 + 16);
  });

  it('has nobody set one up who began to before the person did elsewhere: they prove that one', async () => {
    const customer = await strict(running);
    const late = new Journey(customer);
    const asked = askedOf(await late.password());
    const owner = new Journey(customer);
    const app = new App(await owner.password());
    await owner.send({ code: app.code() });
    await late.send({ passkey: new Authenticator().register(asked, late.ceremony) });
    expect([late.page, await factsOf(customer, 'passkeys')]).toEqual(['factor', []]);
    await late.send({ code: app.code(1) });
    expect(late.done).toBe(true);
  });

  it('asks whoever has a session without one', async () => {
    const customer = await Customer.open(running);
    const journey = new Journey(customer);
    await journey.password();
    expect(await journey.context()).toMatchObject({ amr: ['pwd'], acr: 'urn:latchkey:acr:single' });
    await journey.open();
    expect(journey.done).toBe(true);
    await customer.repositories.update(customer.tenant.machine, customer.slug, { secondFactor: 'forced' });
    await journey.open();
    expect([journey.done, /\/interaction\//.test(journey.at.pathname)]).toEqual([false, true]);
  });
});

describe('a code of an authenticator app', () => {
  it('is asked for at every sign-in from then on, and each is accepted once', async () => {
    const { customer, app } = await withApp(running);
    const first = new Journey(customer);
    await first.password();
    expect(first.page).toBe('factor');
    const code = app.code();
    await first.send({ code });
    expect(await first.context()).toMatchObject({ amr: ['pwd', 'otp', 'mfa'], acr: mfa });
    const second = new Journey(customer);
    await second.password();
    expect(await second.send({ code })).toContain('wrong or was used before');
    expect(await second.send({ code: app.code(-1) })).toContain('wrong or was used before');
    expect(second.done).toBe(false);
    await second.send({ code: app.code(1) });
    expect(second.done).toBe(true);
  });

  it('is accepted by one of two that send it at once', async () => {
    const { customer, app } = await withApp(running);
    const both = [new Journey(customer), new Journey(customer)];
    for (const each of both) await each.password();
    const code = app.code();
    await Promise.all(both.map((each) => each.send({ code })));
    expect(both.filter((each) => each.done)).toHaveLength(1);
  });

  it('cannot be guessed: after five wrong ones nothing is looked at for a while, at any sign-in and for whoever has the right one', async () => {
    const { customer, app } = await withApp(running);
    const guesser = new Journey(customer);
    await guesser.password();
    await Promise.all(Array.from({ length: 12 }, () => guesser.browser.go(guesser.at, { code: app.wrong() })));
    const [counted] = await factsOf(customer, 'factor_guesses');
    expect(counted?.['failures']).toBe(5);
    const html = await guesser.send({ code: app.code() });
    expect([guesser.status, html.includes('Too many wrong codes')]).toEqual([429, true]);
    const anew = new Journey(customer);
    await anew.password();
    await anew.send({ code: app.code() });
    expect([anew.status, anew.done]).toEqual([429, false]);
    await running.test.owner.query(`UPDATE factor_guesses SET refused_until = now() - interval '1 s'`);
    await anew.send({ code: app.wrong() });
    const [waiting] = await factsOf(customer, 'factor_guesses');
    expect((waiting as { refused_until: Date }).refused_until.getTime() - Date.now()).toBeGreaterThan(50_000);
    await running.test.owner.query(`UPDATE factor_guesses SET refused_until = now() - interval '1 s'`);
    await anew.send({ code: app.code() });
    expect(anew.done).toBe(true);
    expect(await factsOf(customer, 'factor_guesses')).toMatchObject([{ failures: 0, refused_until: null }]);
  });

  it('is waited for as long, however far the clock of a node is behind that of the database', async () => {
    const { customer, app } = await withApp(running);
    const guesser = new Journey(customer);
    await guesser.password();
    const { now } = Date;
    Date.now = () => now() - 600_000;
    try {
      for (let i = 0; i < 5; i++) await guesser.send({ code: app.wrong() });
    } finally {
      Date.now = now;
    }
    await guesser.send({ code: app.code() });
    expect([guesser.status, guesser.done]).toEqual([429, false]);
  });

  it('is nothing that a stranger can use to keep somebody out: without the password no guess is counted', async () => {
    const { customer, app } = await withApp(running);
    const stranger = new Journey(customer);
    await stranger.open();
    for (let i = 0; i < 6; i++) await stranger.browser.go(`${stranger.at.href}/factor`, { code: app.wrong() });
    expect(await factsOf(customer, 'factor_guesses')).toEqual([]);
  });

  it('that was wrong is in the audit trail, without the code', async () => {
    const { customer, app } = await withApp(running);
    const journey = new Journey(customer);
    await journey.password();
    await journey.send({ code: app.wrong() });
    await running.authority.refusals.flush();
    const { rows } = await running.test.owner.query<{ details: object; target_id: string }>(
      `SELECT * FROM audit_events WHERE repository_id = $1 AND action = 'sign-in.refused'`,
      [customer.repository.id],
    );
    expect(rows).toMatchObject([{ target_id: String(customer.anna.id), details: { reason: 'wrong code' } }]);
    expect(JSON.stringify(rows)).not.toContain(app.wrong());
  });
});

describe('a recovery code', () => {
  it('lets its user in once, however it is typed', async () => {
    const { customer, codes } = await withApp(running);
    const [code = ''] = codes;
    const first = new Journey(customer);
    await first.password();
    await first.send({ recovery: ` ${code.toUpperCase().replace('-', ' ')} ` });
    expect(await first.context()).toMatchObject({ amr: ['pwd', 'otp', 'mfa'], acr: mfa });
    const second = new Journey(customer);
    await second.password();
    await second.send({ recovery: code });
    expect([second.status, second.done]).toEqual([401, false]);
  });

  it('is nothing in another repository', async () => {
    const { codes } = await withApp(running);
    const other = await withApp(running);
    const journey = new Journey(other.customer);
    await journey.password();
    await journey.send({ recovery: codes[0] ?? '' });
    expect(journey.done).toBe(false);
  });
});

describe('no step can be left out', () => {
  it('by opening a later one, or the way back to the app', async () => {
    const { customer } = await withApp(running);
    const journey = new Journey(customer);
    await journey.open();
    const uid = journey.page;
    for (const page of ['factor', 'enrol', 'codes']) {
      await journey.type(`${uid}/${page}`);
      expect(journey.page).toBe(uid);
      await journey.send({}, new URL(page, `${journey.at.href}/`));
      expect([journey.page, journey.done]).toEqual([uid, false]);
    }
    await journey.send({ login: 'anna', password });
    for (const page of ['enrol', 'codes']) {
      await journey.type(page);
      expect(journey.page).toBe('factor');
      await journey.send({}, new URL(page, journey.at));
      expect([journey.page, journey.done]).toEqual(['factor', false]);
    }
    await journey.type(`/${customer.slug}/connect/authorize/${uid}`);
    expect([journey.done, journey.status]).not.toContain(true);
  });

  it('by a browser that has another request, whose password another has typed', async () => {
    const { customer, app } = await withApp(running);
    const [victim, attacker] = [new Journey(customer), new Journey(customer)];
    await victim.password();
    await attacker.open();
    await attacker.send({ code: app.code() }, victim.at);
    expect([attacker.status, attacker.done]).toEqual([400, false]);
    await attacker.send({ code: app.code() }, victim.at.href.replace(/[^/]+\/factor$/, `${attacker.page}/factor`));
    expect(attacker.done).toBe(false);
  });

  it('when the password has changed, the user was disabled, or five minutes have passed in between', async () => {
    const { customer, app } = await withApp(running);
    const { machine } = customer.tenant;
    const attempt = async (meanwhile: () => Promise<unknown>) => {
      const journey = new Journey(customer);
      await journey.password();
      expect(journey.page).toBe('factor');
      await meanwhile();
      await journey.send({ code: app.code(1) });
      return journey.done;
    };
    const users = customer.users;
    expect(await attempt(() => users.update(machine, customer.slug, customer.anna.id, { password }))).toBe(false);
    expect(await attempt(() => users.update(machine, customer.slug, customer.anna.id, { enabled: false }))).toBe(false);
    await users.update(machine, customer.slug, customer.anna.id, { enabled: true });
    const late = () => running.test.owner.query(`UPDATE oidc_records SET expires_at = now() WHERE kind = 'SignInStep'`);
    expect(await attempt(late)).toBe(false);
    expect(await attempt(async () => undefined)).toBe(true);
  });

  it('while setting one up: the secret is the same at every look, and another for everyone who knows the password', async () => {
    const customer = await strict(running);
    const [anna, thief] = [new Journey(customer), new Journey(customer)];
    const secretOf = (html: string) => /<p class="secret"><code>([^<]*)/.exec(html)?.[1];
    const mine = secretOf(await anna.password());
    expect(secretOf(await anna.type('enrol'))).toBe(mine);
    expect(secretOf(await thief.password())).not.toBe(mine);
  });
});

describe('refresh tokens, once two factors are demanded', () => {
  const force = (customer: Customer, secondFactor: 'forced' | 'optional') =>
    customer.repositories.update(customer.tenant.machine, customer.slug, { secondFactor });

  it('of who proved one are refused until they have signed in anew, and of who proved two are not', async () => {
    const customer = await Customer.open(running);
    const configuration = await customer.discover();
    const refresh = async (token: string | undefined) => (await client.refreshTokenGrant(configuration, token ?? '')).refresh_token;
    const once = await refresh((await customer.signIn(configuration)).refresh_token);
    await force(customer, 'forced');
    await expect(refresh(once)).rejects.toMatchObject({ error: 'invalid_grant' });
    const journey = new Journey(customer);
    const app = new App(await journey.password());
    await journey.send({ code: app.code() });
    await journey.keep();
    const twice = (await journey.finish(journey.at)) as { refresh_token?: string };
    expect(await refresh(twice.refresh_token)).toBeDefined();
    // It was put by, not used up.
    await expect(refresh(once)).rejects.toMatchObject({ error: 'invalid_grant' });
    await force(customer, 'optional');
    expect(await refresh(once)).toBeDefined();
  });

  it('of a tenant’s members at the console are refused too', async () => {
    const [tenant, other] = [await running.newTenant('Late'), await running.newTenant('Never')];
    const [mine, theirs] = [await tenant.addMember('viewer'), await other.addMember('viewer')];
    const tenants = new Tenants(running.database, undefined as never);
    await tenants.update(tenant.machine, { mfaEnforced: true });
    for (const [{ userId }, refused] of [
      [mine, true],
      [theirs, false],
    ] as const) {
      const asked = refuseLesserProof(running.authority, { repository: running.console, secondFactor: 'optional' } as Issuer, {
        accountId: String(userId),
      });
      expect(
        await asked.then(
          () => false,
          () => true,
        ),
      ).toBe(refused);
    }
  });
});

describe('an app that asks for two factors', () => {
  it.each([
    ['acr_values', { acr_values: mfa }],
    ['claims', { claims: JSON.stringify({ id_token: { acr: { essential: true, values: ['urn:other', mfa] } } }) }],
    ['one value', { claims: JSON.stringify({ id_token: { acr: { value: mfa } } }) }],
  ])('gets them from somebody who has a session of one, by %s', async (_by, parameters) => {
    const customer = await Customer.open(running);
    const journey = new Journey(customer);
    await journey.password();
    expect(journey.done).toBe(true);
    await journey.open(parameters);
    expect(journey.done).toBe(false);
    const app = new App(await journey.send({ login: 'anna', password }));
    await journey.send({ code: app.code() });
    await journey.keep();
    expect(await journey.context()).toMatchObject({ amr: ['pwd', 'otp', 'mfa'], acr: mfa });
    await journey.open(parameters);
    expect(journey.done).toBe(true);
  });

  it('is told so where it may not ask, and where nobody can', async () => {
    const customer = await Customer.open(running);
    const journey = new Journey(customer);
    await journey.password();
    await journey.open({ acr_values: mfa, prompt: 'none' });
    expect(journey.at.searchParams.get('error')).toBe('login_required');
    const unknown = { claims: JSON.stringify({ id_token: { acr: { essential: true, value: 'urn:unknown' } } }) };
    await journey.open(unknown);
    expect(journey.at.searchParams.get('error')).toBe('unmet_authentication_requirements');
    await customer.repositories.update(customer.tenant.machine, customer.slug, { secondFactor: 'disabled' });
    await journey.password({ acr_values: mfa, prompt: 'login' });
    expect(journey.at.searchParams.get('error')).toBe('unmet_authentication_requirements');
  });

  it('learns from discovery what it can ask for', async () => {
    const customer = await Customer.open(running);
    const { acr_values_supported: values } = (await customer.discover()).serverMetadata();
    expect(values).toEqual(['urn:latchkey:acr:single', mfa]);
  });
});

describe('at the console', () => {
  it('a tenant demands a second factor of its own members, and of nobody else', async () => {
    const [strictTenant, other] = [await running.newTenant('Strict'), await running.newTenant('Other')];
    const [mine, theirs] = [await strictTenant.addMember('viewer'), await other.addMember('viewer')];
    const tenants = new Tenants(running.database, undefined as never);
    expect(await tenants.update(strictTenant.machine, { mfaEnforced: true })).toMatchObject({ mfaEnforced: true });
    const landsAt = async ({ loginName }: { loginName: string }) => {
      const browser = new Browser(running);
      const sent = await browser.go(await browser.openSignIn(), { login: loginName, password });
      return sent.headers.get('location') ?? '';
    };
    expect(await landsAt(mine)).toMatch(/\/interaction\/[\w-]+\/enrol$/);
    expect(await landsAt(theirs)).toMatch(/\/connect\/authorize\//);
  });
});
