import { decodeJwt } from 'jose';
import * as client from 'openid-client';
import { IdentityProviders } from '@latchkey/tenancy';
import { deviceGrantType } from './device-flow.js';
import { Browser, hiddenField } from './testing/browser.js';
import { Customer, parameterOf, redirectUri } from './testing/customer.js';
import { password } from './testing/app-and-person.js';
import { startAuthority, type RunningAuthority } from './testing/running-authority.js';

/* What an app can ask for when it sends somebody to sign in, with a published client. */

let running: RunningAuthority;
let customer: Customer;
let app: client.Configuration;

beforeAll(async () => {
  running = await startAuthority();
  customer = await Customer.open(running);
  await customer.repositories.update(customer.tenant.machine, customer.slug, { deviceFlow: true });
  app = await customer.discover();
});
afterAll(() => running.close());

const stay = (at: URL) => at.href.startsWith(customer.issuer);

describe('a pushed request (RFC 9126)', () => {
  it('signs in with nothing but its name in the address, and is good for one sign-in', async () => {
    const { parameters, finish } = await customer.request(app);
    const url = await client.buildAuthorizationUrlWithPAR(app, parameters);
    expect([...url.searchParams.keys()].toSorted()).toEqual(['client_id', 'request_uri']);
    const arrived = await customer.visit(new Browser(running), url);
    const tokens = await finish(arrived.url);
    expect([tokens.claims()?.sub, typeof tokens.refresh_token]).toEqual([String(customer.anna.id), 'string']);
    const again = await customer.visit(new Browser(running), url);
    expect(parameterOf(again.url, 'code')).toBeNull();
  });

  it('gets the scopes that were pushed, and none that is beside its name', async () => {
    const { parameters, finish } = await customer.request(app, { scope: 'openid' });
    const url = await client.buildAuthorizationUrlWithPAR(app, parameters);
    url.searchParams.set('scope', 'openid offline_access');
    const arrived = await customer.visit(new Browser(running), url);
    const { scope, refresh_token: refreshToken } = await finish(arrived.url);
    expect([scope, refreshToken]).toEqual(['openid', undefined]);
  });

  it('is not taken up by another client, nor by another repository', async () => {
    const { parameters } = await customer.request(app);
    const url = await client.buildAuthorizationUrlWithPAR(app, parameters);
    const other = await Customer.open(running);
    const moved = new URL(`${other.issuer}/connect/authorize${url.search}`);
    moved.searchParams.set('client_id', other.repository.appClient.clientId);
    const answer = await new Browser(running).go(moved);
    expect([answer.status, await answer.text()]).toEqual([400, expect.stringContaining('invalid_request_uri')]);
  });
});

describe('form_post', () => {
  it('sends the code in a form, on a page that may run that one script and be framed by nobody', async () => {
    const { url, finish } = await customer.request(app, { response_mode: 'form_post' });
    const { page } = await customer.visit(new Browser(running), url);
    if (!page) throw new Error('redirected');
    const policy = page.headers.get('content-security-policy') ?? '';
    expect(policy).toMatch(/script-src 'report-sample' 'sha256-[^']+'/);
    expect(policy).toContain(`frame-ancestors 'none'`);
    const html = await page.text();
    expect(html).toContain(`<form method="post" action="${redirectUri}">`);
    const body = new URLSearchParams(['code', 'state', 'iss'].map((name) => [name, hiddenField(html, name)]));
    const posted = new Request(redirectUri, { method: 'POST', body });
    expect((await finish(posted)).claims()?.sub).toBe(String(customer.anna.id));
  });
});

describe('the claims parameter', () => {
  it('gets single claims into the ID token and from userinfo, without their scope', async () => {
    const claims = JSON.stringify({ id_token: { name: null }, userinfo: { email: { essential: true } } });
    const tokens = await customer.signIn(app, { scope: 'openid', claims });
    expect(tokens.claims()).toMatchObject({ name: 'anna' });
    expect(tokens.claims()).not.toHaveProperty('email');
    const told = await client.fetchUserInfo(app, tokens.access_token, tokens.claims()?.sub ?? '');
    expect(told).toEqual({ sub: String(customer.anna.id), email: 'anna@example.com' });
  });

  it('that is no JSON object is refused', async () => {
    const { url } = await customer.request(app, { claims: '[1' });
    const { url: back } = await new Browser(running).follow(url, stay);
    expect([parameterOf(back, 'error'), back.origin]).toEqual(['invalid_request', new URL(redirectUri).origin]);
  });
});

describe('who is signed in already', () => {
  it('is not asked again, and prompt=none answers without a page', async () => {
    const browser = new Browser(running);
    await customer.signIn(app, {}, { browser });
    const tokens = await customer.signIn(app, { prompt: 'none' }, { browser });
    expect(tokens.claims()?.sub).toBe(String(customer.anna.id));
  });

  it('is asked again by prompt=login and by max_age=0, and by max_age once it has passed; auth_time says when', async () => {
    const browser = new Browser(running);
    const before = Date.now() / 1000;
    const first = await customer.signIn(app, { max_age: '600' }, { browser });
    const { auth_time: authTime } = first.claims() ?? {};
    expect(authTime).toBeGreaterThan(before - 1);
    expect(authTime).toBeLessThanOrEqual(Date.now() / 1000);
    const asked: Record<string, string>[] = [{ prompt: 'login' }, { max_age: '0' }];
    for (const parameters of asked) {
      const { url } = await customer.request(app, parameters);
      expect((await browser.follow(url, stay)).url.pathname).toMatch(/\/interaction\//);
    }
    await running.test.owner.query(
      `UPDATE oidc_records SET payload = jsonb_set(payload, '{loginTs}', to_jsonb((payload->>'loginTs')::int - 700)) WHERE kind = 'Session'`,
    );
    const { url } = await customer.request(app, { max_age: '600' });
    expect((await browser.follow(url, stay)).url.pathname).toMatch(/\/interaction\//);
    const { url: silent } = await customer.request(app, { max_age: '600', prompt: 'none' });
    expect(parameterOf((await browser.follow(silent, stay)).url, 'error')).toBe('login_required');
  });

  it('gets an app that asks for consent what it asks for: it has it (§11 wants prompt=consent with offline_access)', async () => {
    const browser = new Browser(running);
    for (const prompt of ['consent', 'login consent', 'consent'])
      expect((await customer.signIn(app, { prompt }, { browser })).refresh_token).toBeDefined();
    const { url } = await customer.request(app, { prompt: 'select_account' });
    expect(parameterOf((await browser.follow(url, stay)).url, 'error')).toBe('invalid_request');
  });

  it('with prompt=none and nobody signed in, the app is told login_required', async () => {
    const { url } = await customer.request(app, { prompt: 'none' });
    expect(parameterOf((await new Browser(running).follow(url, stay)).url, 'error')).toBe('login_required');
  });

  it('can sign in as somebody else, whom the app gets; nothing of the first goes on', async () => {
    const { slug, tenant } = customer;
    const bob = await customer.users.create(tenant.machine, slug, { loginName: 'bob', password, administrator: false });
    const browser = new Browser(running);
    const before = await customer.signIn(app, {}, { browser });
    const { url, finish } = await customer.request(app, { prompt: 'login' });
    const { url: page } = await browser.follow(url, stay);
    const sent = await browser.go(page, { login: 'bob', password });
    const between = await browser.follow(new URL(sent.headers.get('location') ?? '', page), stay);
    // A page of the library's that sends itself on: it signs the first out.
    const form = { xsrf: hiddenField((await between.page?.text()) ?? '', 'xsrf'), logout: 'yes' };
    const ended = await browser.go(`${customer.issuer}/connect/endsession/confirm`, form);
    const { url: back } = await browser.follow(new URL(ended.headers.get('location') ?? ''), stay);
    expect((await finish(back)).claims()?.sub).toBe(String(bob.id));
    await expect(client.refreshTokenGrant(app, before.refresh_token ?? '')).rejects.toMatchObject({ error: 'invalid_grant' });
  });

  it('elsewhere signs in there anew where the app wants that, or a sign-in of a certain age', async () => {
    const providers = new IdentityProviders(running.database, running.options.encryption, running.options.authorityUrls);
    const outside = { id: 'github', name: 'GitHub', issuer: 'https://github.com', clientId: 'latchkey', clientSecret: 'unused' };
    const settings = { kind: 'github' as const, allowSignUp: false, emailDomains: [], trustsSecondFactor: false, enabled: true };
    await providers.create(customer.tenant.machine, customer.slug, { ...outside, ...settings });
    const asked: [Record<string, string>, string | null][] = [
      [{}, null],
      [{ prompt: 'login' }, 'select_account'],
      [{ max_age: '600' }, 'select_account'],
    ];
    for (const [parameters, prompt] of asked) {
      const browser = new Browser(running);
      const { url: page } = await browser.follow((await customer.request(app, parameters)).url, stay);
      const sent = await browser.go(`${page.href}/federation/github`);
      const told = new URL(sent.headers.get('location') ?? '');
      expect([parameters, told.origin, parameterOf(told, 'prompt')]).toEqual([parameters, 'https://github.com', prompt]);
    }
  });

  it('is the one that id_token_hint names, or has to sign in', async () => {
    const browser = new Browser(running);
    const tokens = await customer.signIn(app, {}, { browser });
    const hinted = await customer.signIn(app, { prompt: 'none', id_token_hint: tokens.id_token ?? '' }, { browser });
    expect(decodeJwt(hinted.id_token ?? '').sub).toBe(String(customer.anna.id));
    const { url } = await customer.request(app, { prompt: 'none', id_token_hint: tokens.id_token ?? '' });
    expect(parameterOf((await new Browser(running).follow(url, stay)).url, 'error')).toBe('login_required');
  });
});

describe('login_hint', () => {
  it('is filled into the form, as text', async () => {
    const { url } = await customer.request(app, { login_hint: '"><script>alert(1)</script>' });
    const { page } = await new Browser(running).follow(url, stay);
    const html = (await page?.text()) ?? '';
    expect(html).not.toContain('<script>alert');
    expect(html).toContain('&quot;>&lt;script>alert(1)');
  });
});

describe('a client id with a zero in it', () => {
  it('is that of nobody, and no fault', async () => {
    const issuer = running.issuerOf('console');
    const token = (form: Record<string, string>) => fetch(`${issuer}/connect/token`, { method: 'POST', body: new URLSearchParams(form) });
    const answers = await Promise.all([
      token({ grant_type: 'client_credentials', client_id: 'a\0', client_secret: 'x' }),
      token({ grant_type: 'authorization_code', client_id: 'a\0', code: 'x' }),
      fetch(`${issuer}/connect/authorize?client_id=%00&response_type=code&scope=openid`),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([401, 401, 400]);
  });
});

describe('a token that is asked about, or ended, twice in one request', () => {
  it('is refused', async () => {
    const { clientId, secret } = customer.repository.toolClient;
    const headers = { authorization: `Basic ${btoa(`${clientId}:${secret.value}`)}` };
    const body = new URLSearchParams([
      ['token', 'eyJ'],
      ['token', 'eyJ'],
    ]);
    for (const path of ['/connect/introspect', '/connect/revocation']) {
      const answer = await fetch(`${customer.issuer}${path}`, { method: 'POST', headers, body });
      expect([answer.status, await answer.json()]).toMatchObject([400, { error: 'invalid_request' }]);
    }
  });
});

describe('a zero, which is in no text of ours,', () => {
  const post = (path: string, form: Record<string, string>, headers: Record<string, string> = {}) =>
    fetch(`${customer.issuer}${path}`, { method: 'POST', redirect: 'manual', headers, body: new URLSearchParams(form) });
  const refused = async (name: string, answers: Response[]) => {
    for (const answer of answers) expect([name, answer.status < 500 || (await answer.text())]).toEqual([name, true]);
  };

  /** The form once for each of its fields, with a zero in that one. */
  const eachWithZero = (form: Record<string, string>) =>
    Object.keys(form).map((name) => [name, { ...form, [name]: `${form[name]}\0` }] as const);

  it('in a request for a code is refused, or of no matter', async () => {
    const more = 'login_hint acr_values claims display prompt ui_locales max_age id_token_hint resource request_uri dpop_jkt made_up';
    const { parameters } = await customer.request(app);
    const asked = { ...parameters, response_type: 'code', client_id: customer.repository.appClient.clientId };
    expect((await post('/connect/par', asked)).status).toBe(201);
    for (const name of [...Object.keys(asked), ...more.split(' ')]) {
      const form = { ...asked, [name]: `${(asked as Record<string, string>)[name] ?? ''}\0` };
      const { page, url } = await new Browser(running).follow(
        `${customer.issuer}/connect/authorize?${new URLSearchParams(form).toString()}`,
        stay,
      );
      expect([name, parameterOf(url, 'error')]).not.toEqual([name, 'server_error']);
      await refused(name, [...(page ? [page] : []), await post('/connect/par', form)]);
    }
  });

  it('in a request for a token, or in one about a token, is refused', async () => {
    const { clientId, secret } = customer.repository.toolClient;
    const { clientId: appId } = customer.repository.appClient;
    const basic = (id: string, value: string) => ({ authorization: `Basic ${Buffer.from(`${id}:${value}`).toString('base64')}` });
    const { refresh_token: refreshToken = '', access_token: token } = await customer.signIn(app, { scope: 'openid offline_access' });
    const forms: [string, Record<string, string>, Record<string, string>?][] = [
      ['/connect/token', { grant_type: 'client_credentials', client_id: clientId, client_secret: secret.value, scope: 'repository' }],
      ['/connect/token', { grant_type: 'authorization_code', client_id: appId, code: 'x', code_verifier: 'x', redirect_uri: redirectUri }],
      ['/connect/token', { grant_type: 'refresh_token', client_id: appId, refresh_token: refreshToken, scope: 'openid' }],
      ['/connect/token', { grant_type: deviceGrantType, client_id: appId, device_code: 'x' }],
      ['/connect/token', { grant_type: 'client_credentials', client_id: clientId, client_assertion: 'x', client_assertion_type: 'x' }],
      ['/connect/introspect', { token, token_type_hint: 'refresh_token' }, basic(clientId, secret.value)],
      ['/connect/revocation', { token: 'x', token_type_hint: 'refresh_token' }, basic(clientId, secret.value)],
      ['/connect/deviceauthorization', { client_id: appId, scope: 'openid', made_up: 'x' }],
      ['/connect/userinfo', { access_token: token }],
    ];
    for (const [path, form, headers] of forms)
      for (const [name, withZero] of eachWithZero(form)) await refused(`${path} ${name}`, [await post(path, withZero, headers)]);
    const ids = [basic(`${clientId}\0`, secret.value), basic(clientId, `${secret.value}\0`), basic('%00', '%00')];
    for (const path of ['/connect/token', '/connect/introspect', '/connect/revocation'])
      for (const headers of ids) await refused(path, [await post(path, { grant_type: 'client_credentials', token: 'x' }, headers)]);
  });

  it('in what a browser sends is refused, or of no matter', async () => {
    const { url } = await customer.request(app);
    const browser = new Browser(running);
    const { url: signIn } = await browser.follow(url, (at) => stay(at) && !at.pathname.includes('/interaction/'));
    const interaction = signIn.pathname.slice(new URL(customer.issuer).pathname.length);
    const cookie = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const zeros = [...browser.cookies.keys()].map((name) => `${name}=%00`).join('; ');
    const fields = 'login password email name loginName code user_code token tenant xsrf current repeat';
    const form = Object.fromEntries(fields.split(' ').map((name) => [name, `${name}@example.com\0`]));
    const paths = `${interaction} ${interaction}/factor ${interaction}/enrol ${interaction}/federation/x /account /account/password`;
    const open = `/forgotten-password /sign-up /device /connect/endsession /invitation/${'a'.repeat(43)} /new-password/${'a'.repeat(72)}`;
    for (const path of `${paths} ${open}`.split(' ')) {
      const get = (address: string, cookies = cookie) =>
        fetch(`${customer.issuer}${address}`, { redirect: 'manual', headers: { cookie: cookies, accept: 'text/html' } });
      const query = new URLSearchParams({ ...form, id_token_hint: '\0', state: '\0', client_id: '\0' }).toString();
      await refused(path, [
        await get(`${path}%00`),
        await get(`${path}/%00`),
        await get(`${path}?${query}`),
        await get(path, zeros),
        await post(path, form, { cookie }),
        await post(path, form, { cookie: zeros }),
      ]);
    }
    const device = await browser.go(`${customer.issuer}/device`);
    const xsrf = hiddenField(await device.text(), 'xsrf');
    await refused('user_code', [await browser.go(`${customer.issuer}/device`, { xsrf, user_code: 'BCDF-\0' })]);
  });
});
