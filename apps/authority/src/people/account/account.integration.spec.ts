import { createHash } from 'node:crypto';
import { decodeJwt } from 'jose';
import type { CreateIdentityProviderBody } from '@latchkey/contracts';
import { newId } from '@latchkey/database';
import { IdentityLinks, IdentityProviders, UserSessions } from '@latchkey/tenancy';
import { Browser } from '../../testing/browser.js';
import { Customer } from '../../testing/customer.js';
import { People } from '../../testing/people.js';
import { startAuthority, type RunningAuthority } from '../../testing/running-authority.js';

let running: RunningAuthority;
let people: People;
let acme: Customer;
let other: Customer;

const password = 'correct horse battery staple';
const next = 'seven purple tractors sing';

beforeAll(async () => {
  running = await startAuthority();
});
afterAll(() => running.close());
beforeEach(async () => {
  other = await Customer.open(running);
  people = await People.of(running);
  acme = people.customer;
});

describe('the page of an account', () => {
  it('asks for a sign-in, gives nobody a token for it, and shows where one is signed in and what has access', async () => {
    const anna = people.browser();
    await acme.signIn(people.configuration, {}, { browser: anna });
    const elsewhere = people.browser();
    await acme.signIn(people.configuration, {}, { browser: elsewhere });
    const html = await people.openAccount(anna);
    expect(html.match(/this browser/g)).toHaveLength(1);
    expect(html.match(/name="session"/g)).toHaveLength(2);
    expect(html).toContain('End access');

    const verifier = 'v'.repeat(43);
    const parameters = new URLSearchParams({
      client_id: 'account',
      redirect_uri: `${acme.issuer}/account`,
      response_type: 'code',
      scope: 'openid',
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
    });
    const sent = await anna.go(`${acme.issuer}/connect/authorize?${parameters.toString()}`);
    const code = new URL(sent.headers.get('location') ?? '').searchParams.get('code') ?? '';
    expect(code).not.toBe('');
    const exchange = await fetch(`${acme.issuer}/connect/token`, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'authorization_code',
        code,
        client_id: 'account',
        redirect_uri: `${acme.issuer}/account`,
        code_verifier: verifier,
      }),
    });
    expect([exchange.status, await exchange.json()]).toEqual([
      400,
      expect.not.objectContaining({ access_token: expect.anything() as never }) as object,
    ]);
  });

  it('takes no form of another site, and none that does not say where it is from', async () => {
    const anna = people.browser();
    await people.openAccount(anna);
    for (const [action, form] of [
      ['password', { present: password, password: next, again: next }],
      ['name', { name: 'Mallory' }],
      ['email', { email: 'mallory@example.com' }],
      ['sign-out-everywhere', {}],
      ['end-app', { app: acme.repository.appClient.clientId }],
    ] as const) {
      for (const headers of [
        { 'sec-fetch-site': 'cross-site' },
        { 'sec-fetch-site': 'same-site' },
        { origin: 'https://evil.example.com' },
        { origin: 'null' },
      ]) {
        expect([action, headers, (await people.act(anna, action, { ...form }, headers as never)).status]).toEqual([action, headers, 403]);
      }
      expect((await people.act(anna, action, { ...form }, {})).headers.get('location')).toMatch(/\/account$/);
    }
    expect(await people.openAccount(anna)).toContain('value="Anna"'.replace('Anna', acme.anna.name));
    expect((await people.mails()).map(({ template }) => template)).toEqual(['person.new-device']);
  });

  it('lets a person change things for ten minutes after signing in, and then asks for it again', async () => {
    const anna = people.browser();
    expect(await people.openAccount(anna)).toContain('Change password');
    await people.age(590);
    expect(await (await people.act(anna, 'name', { name: 'Anna A.' })).text()).toContain('Saved.');
    await people.age(20);
    expect(await people.openAccount(anna)).not.toContain('Change password');
    const refused = await people.act(anna, 'name', { name: 'Anna B.' });
    expect(new URL(refused.headers.get('location') ?? '', acme.issuer).searchParams.get('prompt')).toBe('login');
    expect(await acme.users.get(acme.tenant.machine, acme.slug, acme.anna.id)).toMatchObject({ name: 'Anna A.' });
  });

  it('changes the password for whoever knows the present one, and ends everything but this session', async () => {
    const [here, there] = [people.browser(), people.browser()];
    const [mine, theirs] = [
      await acme.signIn(people.configuration, {}, { browser: here }),
      await acme.signIn(people.configuration, {}, { browser: there }),
    ];
    await people.openAccount(here);
    const wrong = await people.act(here, 'password', { present: 'not the right password', password: next, again: next });
    expect([wrong.status, await wrong.text()]).toEqual([422, expect.stringContaining('The present password is wrong') as string]);
    expect(await people.alive(theirs)).toMatchObject({ userinfo: true });

    const changed = await people.act(here, 'password', { present: password, password: next, again: next });
    expect([changed.status, await changed.text()]).toEqual([200, expect.stringContaining('Your password is changed') as string]);
    expect(await people.alive(mine)).toEqual({ userinfo: false, refresh: false });
    expect(await people.alive(theirs)).toEqual({ userinfo: false, refresh: false });
    expect(await people.openAccount(here)).toContain('this browser');
    // An app in this browser gets new tokens from the session that stayed; one in the other has to sign in.
    const silent = (who: Browser) =>
      acme.request(people.configuration, { prompt: 'none' }).then(async ({ url }) => (await who.go(url)).headers.get('location') ?? '');
    expect(await silent(here)).toContain('code=');
    expect(await silent(there)).toContain('error=login_required');
    expect((await people.mailed('person.password-changed')).to).toBe('anna@example.com');
  });

  it('ends one session with the tokens of its apps, and leaves the others', async () => {
    const [here, there] = [people.browser(), people.browser()];
    const [mine, theirs] = [
      await acme.signIn(people.configuration, {}, { browser: here }),
      await acme.signIn(people.configuration, {}, { browser: there }),
    ];
    const html = await people.openAccount(here);
    const ids = [...html.matchAll(/name="session" value="([^"]+)"/g)].map(([, id]) => id ?? '');
    const own = html.slice(0, html.indexOf('this browser')).match(/name="session"/g)?.length ?? 0;
    const foreign = ids.find((_, index) => index !== own) ?? '';
    await people.act(here, 'end-session', { session: foreign });
    expect(await people.alive(theirs)).toEqual({ userinfo: false, refresh: false });
    expect(await people.alive(mine)).toEqual({ userinfo: true, refresh: true });
  });

  it('does not end what is another person’s', async () => {
    await acme.users.create(acme.tenant.machine, acme.slug, { loginName: 'mallory', password, administrator: false });
    const tokens = await acme.signIn(people.configuration);
    const { rows } = await running.test.owner.query<{ uid: string }>(
      `SELECT uid FROM oidc_records WHERE repository_id = $1 AND kind = 'Session' AND user_id = $2`,
      [acme.repository.id, acme.anna.id],
    );
    const mallory = people.browser();
    await people.openAccount(mallory, password, 'mallory');
    await people.act(mallory, 'end-session', { session: rows[0]?.uid ?? '' });
    await people.act(mallory, 'end-app', { app: acme.repository.appClient.clientId });
    await people.act(mallory, 'sign-out-everywhere');
    expect(await people.alive(tokens)).toEqual({ userinfo: true, refresh: true });
  });

  it('ends the access of an app, and signs out everywhere by a cut-off', async () => {
    const anna = people.browser();
    const first = await acme.signIn(people.configuration, {}, { browser: anna });
    await people.openAccount(anna);
    await people.act(anna, 'end-app', { app: acme.repository.appClient.clientId });
    expect(await people.alive(first)).toEqual({ userinfo: false, refresh: false });
    const second = await acme.signIn(people.configuration, {}, { browser: anna });
    expect(await (await people.act(anna, 'sign-out-everywhere')).text()).toContain('You are signed out everywhere');
    expect(await people.alive(second)).toEqual({ userinfo: false, refresh: false });
    const { url } = await acme.request(people.configuration, { prompt: 'none' });
    expect((await anna.go(url)).headers.get('location')).toContain('error=login_required');
    const { rows } = await running.test.owner.query<{ kind: string; effective: boolean }>(
      'SELECT kind, effective_at IS NOT NULL AS effective FROM cutoffs WHERE repository_id = $1 AND user_id = $2',
      [acme.repository.id, acme.anna.id],
    );
    expect(rows).toEqual([{ kind: 'user.signed-out', effective: true }]);
  });

  it('is what the tenant sees and ends too, and another tenant does not', async () => {
    const sessions = new UserSessions(running.database);
    const tokens = await acme.signIn(people.configuration);
    const { items } = await sessions.list(acme.tenant.machine, acme.slug, acme.anna.id);
    expect(items).toEqual([expect.objectContaining({ address: expect.stringContaining('127.0.0.1') as string }) as object]);
    const id = items[0]?.id ?? '';
    await expect(sessions.list(other.tenant.machine, acme.slug, acme.anna.id)).rejects.toMatchObject({ type: 'not-found' });
    await expect(sessions.end(other.tenant.machine, acme.slug, acme.anna.id, id)).rejects.toMatchObject({ type: 'not-found' });
    await expect(sessions.end(acme.tenant.machine, acme.slug, acme.anna.id + 1, id)).rejects.toMatchObject({ type: 'not-found' });
    expect(await people.alive(tokens)).toMatchObject({ userinfo: true });
    await sessions.end(acme.tenant.machine, acme.slug, acme.anna.id, id);
    expect(await people.alive(tokens)).toEqual({ userinfo: false, refresh: false });
    const again = await acme.signIn(people.configuration);
    expect(await sessions.signOut(acme.tenant.machine, acme.slug, acme.anna.id)).toEqual({
      cutoff: { id: expect.any(String) as string, effectiveAt: expect.any(String) as string },
    });
    expect(await people.alive(again)).toEqual({ userinfo: false, refresh: false });
  });
});

describe('an identity provider with which somebody is connected', () => {
  const connect = async (id: string) => {
    const providers = new IdentityProviders(running.database, running.authority.encryption, running.options.authorityUrls);
    const body = {
      id,
      kind: 'github',
      clientId: 'mine',
      clientSecret: 'mine',
      allowSignUp: false,
      emailDomains: [],
      trustsSecondFactor: false,
      enabled: true,
    };
    await providers.create(acme.tenant.machine, acme.slug, body as CreateIdentityProviderBody);
    const repository = { ...acme.repository, tenantId: acme.tenant.id };
    await new IdentityLinks(running.database, repository).connect({ providerId: id, subject: `${id}-1` }, acme.anna.id, {
      requestId: newId(),
    });
  };
  const links = async () =>
    (await running.test.owner.query('SELECT provider_id FROM identity_links WHERE repository_id = $1', [acme.repository.id])).rows;
  const run = (statement: string) => running.test.owner.query(statement, [acme.repository.id]);

  it('is disconnected by its user, which ends what came from it and nothing else, by a cut-off', async () => {
    await connect('github');
    const [came, own] = [await acme.signIn(people.configuration), await acme.signIn(people.configuration)];
    const { g: grant } = decodeJwt(came.access_token)['lk'] as { g: string };
    await running.test.owner.query(
      `UPDATE oidc_records SET identity_provider_id = 'github' WHERE repository_id = $1 AND kind = 'Grant' AND id = $2`,
      [acme.repository.id, grant],
    );
    const anna = people.browser();
    expect(await people.openAccount(anna)).toContain('Disconnect GitHub');
    expect((await people.act(anna, 'end-link', { provider: 'github' })).status).toBe(200);
    expect(await links()).toEqual([]);
    expect([await people.alive(came), await people.alive(own)]).toEqual([
      { userinfo: false, refresh: false },
      { userinfo: true, refresh: true },
    ]);
    const { rows } = await run(
      `SELECT c.kind, a.action FROM cutoffs c JOIN audit_events a ON a.details->>'cutoffId' = c.id::text WHERE c.repository_id = $1`,
    );
    expect(rows).toEqual([{ kind: 'user.unlinked', action: 'user.unlinked' }]);
    expect((await people.act(anna, 'end-link', { provider: 'github' })).status).toBe(200);
  });

  it('stays while it is the only way to sign in, also when two are disconnected at once', async () => {
    await connect('github');
    await connect('other');
    const anna = people.browser();
    await people.openAccount(anna);
    await run('UPDATE repository_users SET password_hash = NULL WHERE repository_id = $1');
    const both = await Promise.all(['github', 'other'].map((provider) => people.act(anna, 'end-link', { provider })));
    expect(both.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 422]);
    expect(await links()).toHaveLength(1);
    expect(await people.openAccount(anna)).toContain('Your only way to sign in');
    await run(`UPDATE identity_providers SET enabled = false WHERE repository_id = $1`);
    await connect('third');
    expect((await people.act(anna, 'end-link', { provider: 'third' })).status).toBe(422);
  });
});
