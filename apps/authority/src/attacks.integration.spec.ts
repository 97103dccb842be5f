import { request } from 'node:http';
import * as client from 'openid-client';
import { Browser, hiddenField } from './testing/browser.js';
import { Customer, parameterOf, redirectUri } from './testing/customer.js';
import { startAuthority, type RunningAuthority } from './testing/running-authority.js';

/* What an attacker tries at an authority (RFC 9700 §4, RFC 6819), each as they would. */

let running: RunningAuthority;
let customer: Customer;
let other: Customer;
let app: client.Configuration;

beforeAll(async () => {
  running = await startAuthority();
  [customer, other] = [await Customer.open(running), await Customer.open(running)];
  app = await customer.discover();
});
afterAll(() => running.close());

const stay = (at: URL) => at.href.startsWith(customer.issuer);
const invalidGrant = { error: 'invalid_grant' };

/** Signs in. @returns where the app is told, and what would take it up. */
async function arrive(of = customer, configuration = app, browser = new Browser(running)) {
  const { url, finish } = await of.request(configuration);
  const { url: back } = await of.visit(browser, url);
  return { back, finish, state: parameterOf(url, 'state') ?? '' };
}

describe('a stolen code', () => {
  it('that is put into the answer of another sign-in is worth nothing (§4.5)', async () => {
    const [victim, attacker] = [await arrive(), await arrive()];
    const injected = new URL(attacker.back);
    injected.searchParams.set('code', parameterOf(victim.back, 'code') ?? '');
    await expect(attacker.finish(injected)).rejects.toMatchObject(invalidGrant);
  });

  it('is worth nothing with another redirect URI, to another client, or at another authority (§4.4)', async () => {
    const second = await customer.clients.create(
      customer.tenant.machine,
      customer.slug,
      { kind: 'app', name: 'Second', redirectUris: [redirectUri], postLogoutRedirectUris: [] },
      1,
    );
    const attempts = [
      { client_id: customer.repository.appClient.clientId, redirect_uri: 'https://app.example.com/other' },
      { client_id: second.clientId, redirect_uri: redirectUri },
    ];
    for (const attempt of attempts) {
      const { back } = await arrive();
      const body = { grant_type: 'authorization_code', code: parameterOf(back, 'code') ?? '', code_verifier: 'x'.repeat(43), ...attempt };
      const response = await fetch(`${customer.issuer}/connect/token`, { method: 'POST', body: new URLSearchParams(body) });
      expect([response.status, ((await response.json()) as { error: string }).error]).toEqual([400, 'invalid_grant']);
    }
    const { back } = await arrive();
    const elsewhere = new URL(back);
    elsewhere.searchParams.set('iss', other.issuer);
    const away = await other.discover();
    await expect(
      client.authorizationCodeGrant(away, elsewhere, {
        pkceCodeVerifier: 'x'.repeat(43),
        expectedState: parameterOf(back, 'state') ?? '',
      }),
    ).rejects.toMatchObject(invalidGrant);
  });

  it('of a mix-up is noticed by the app, since the answer names its issuer (§4.4.2.1)', async () => {
    const mine = await arrive();
    const away = await other.discover();
    await expect(
      client.authorizationCodeGrant(away, mine.back, { pkceCodeVerifier: 'x'.repeat(43), expectedState: mine.state }),
    ).rejects.toThrow('invalid response encountered');
  });
});

describe('a redirect URI', () => {
  const tricks = [
    'https://app.example.com.evil.example/callback',
    'https://app.example.com@evil.example/callback',
    'https://evil.example/https://app.example.com/callback',
    'https://app.example.com:444/callback',
    'http://app.example.com/callback',
    'https://app.example.com/callback/../evil',
    'https://app.example.com/callback/',
    'https://app.example.com/callback?next=https://evil.example',
    'https://app.example.com/callback#evil',
    'https://app.example.com/callback%2f..%2fevil',
    'https://app.example.com/CALLBACK',
    'https://APP.example.com/callback',
    'https://app.example.com\\@evil.example/callback',
    'https://аpp.example.com/callback',
    '//app.example.com/callback',
    '/callback',
    'javascript:alert(1)//https://app.example.com/callback',
    'data:text/html,x',
    ' https://app.example.com/callback',
    'https://app.example.com/callback\r\nset-cookie: x=1',
    '',
  ];
  it.each(tricks)('that only looks right is never followed: %j', async (trick) => {
    const ways: Record<string, string>[] = [{}, { prompt: 'none' }, { response_mode: 'form_post' }];
    for (const more of ways) {
      const { url } = await customer.request(app, { redirect_uri: trick, ...more });
      const arrived = await new Browser(running).follow(url, stay);
      expect([arrived.url.href.startsWith(customer.issuer), arrived.page?.status]).toEqual([true, 400]);
      expect(await arrived.page?.text()).not.toContain('evil.example/callback" ');
    }
  });
});

describe('a session', () => {
  it('that somebody planted before is not the one that is signed in (session fixation)', async () => {
    const attacker = new Browser(running);
    const { url } = await customer.request(app);
    await attacker.follow(url, stay);
    const planted = new Map(attacker.cookies);
    const victim = new Browser(running);
    for (const [name, value] of planted) victim.cookies.set(name, value);
    await customer.visit(victim, url);
    const sessions = [...victim.cookies].filter(([name]) => name.endsWith('session'));
    expect([sessions.length, sessions.some(([name, value]) => planted.get(name) === value)]).toEqual([1, false]);
    for (const [name, value] of planted) attacker.cookies.set(name, value);
    const { url: silent } = await customer.request(app, { prompt: 'none' });
    expect(parameterOf((await attacker.follow(silent, stay)).url, 'error')).toBe('login_required');
  });

  it('is not made by changing its cookie, nor by one of another issuer', async () => {
    const browser = new Browser(running);
    await customer.signIn(app, {}, { browser });
    const silent = async (cookies: Map<string, string>, at = customer, configuration = app) => {
      const carrier = new Browser(running);
      for (const [name, value] of cookies) carrier.cookies.set(name, value);
      const { url } = await at.request(configuration, { prompt: 'none' });
      return parameterOf((await carrier.follow(url, (to) => to.href.startsWith(at.issuer))).url, 'error');
    };
    expect(await silent(browser.cookies)).toBeNull();
    const unsigned = new Map([...browser.cookies].filter(([name]) => !name.endsWith('.sig')));
    const another = (signature: string) => `${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`;
    const forged = new Map([...browser.cookies].map(([name, value]) => [name, name.endsWith('.sig') ? another(value) : value]));
    expect([await silent(unsigned), await silent(forged)]).toEqual(['login_required', 'login_required']);
    expect(await silent(browser.cookies, other, await other.discover())).toBe('login_required');
  });

  it('has cookies that no script reads and that lie below its issuer alone', async () => {
    const { url } = await customer.request(app);
    const response = await fetch(url, { redirect: 'manual' });
    const cookies = response.headers.getSetCookie();
    expect(cookies.length).toBeGreaterThan(0);
    for (const cookie of cookies) {
      expect(cookie).toMatch(/; httponly/i);
      expect(cookie).toMatch(new RegExp(`; path=/${customer.slug}/`, 'i'));
      expect(cookie).toMatch(/; samesite=(lax|none)/i);
      expect(cookie).not.toMatch(/; domain=/i);
    }
  });
});

describe('a form', () => {
  it('of another site signs nobody in (CSRF)', async () => {
    const browser = new Browser(running);
    const { url } = await customer.request(app);
    const { url: page } = await browser.follow(url, stay);
    const form = { login: 'anna', password: 'correct horse battery staple' };
    const foreign: Record<string, string>[] = [
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      { origin: 'https://evil.example' },
      { origin: 'null' },
    ];
    for (const headers of foreign) expect((await browser.go(page, form, headers)).status).toBe(403);
  });

  it('of one browser is nothing in another: nobody is signed in as somebody else by a link', async () => {
    const attacker = new Browser(running);
    const { url } = await customer.request(app);
    const { url: page } = await attacker.follow(url, stay);
    const victim = new Browser(running);
    expect((await victim.go(page)).status).toBe(400);
    const signedIn = await attacker.go(page, { login: 'anna', password: 'correct horse battery staple' });
    const resumed = await victim.go(new URL(signedIn.headers.get('location') ?? '', page));
    expect([resumed.status, resumed.headers.get('location')]).toEqual([400, null]);
  });

  it('is shown in no frame', async () => {
    const { url } = await customer.request(app);
    const { page } = await new Browser(running).follow(url, stay);
    expect(page?.headers.get('content-security-policy')).toContain(`frame-ancestors 'none'`);
    expect(page?.headers.get('x-frame-options')).toBe('DENY');
  });

  it('leads nowhere but to this issuer, or to the scheme of an app that is not on the web', async () => {
    const native = 'com.example.app:/callback';
    await customer.clients.update(customer.tenant.machine, customer.slug, customer.repository.appClient.clientId, {
      redirectUris: [redirectUri, native],
    });
    for (const [target, allowed, status] of [
      [redirectUri, `'self'`, 200],
      [native, `'self' com.example.app:`, 303],
    ] as const) {
      const browser = new Browser(running);
      const { url } = await customer.request(app, { redirect_uri: target });
      const { page, url: at } = await browser.follow(url, stay);
      expect(page?.headers.get('content-security-policy')).toContain(`form-action ${allowed};`);
      const cookie = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
      const body = new URLSearchParams({ login: 'anna', password: 'correct horse battery staple' });
      const sent = await fetch(at, { method: 'POST', body, headers: { cookie, accept: 'text/html' }, redirect: 'manual' });
      expect(sent.status).toBe(status);
    }
  });
});

describe('the Host header', () => {
  /** Sends exactly these headers, which fetch would not. */
  const raw = (path: string, headers: Record<string, string>, method = 'GET') =>
    new Promise<{ status: number; text: string; location: string }>((resolve, reject) => {
      const { hostname, port } = new URL(customer.issuer);
      const sent = request({ hostname, port, path, method, headers, setHost: false }, (answer) => {
        let text = '';
        answer.on('data', (chunk: Buffer) => (text += chunk.toString()));
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text, location: answer.headers.location ?? '' }));
      });
      sent.on('error', reject);
      sent.end();
    });

  it('of somebody else changes no address that is given out', async () => {
    const path = `/${customer.slug}/.well-known/openid-configuration`;
    for (const host of ['evil.example', 'evil.example:80', 'localhost@evil.example', '']) {
      const answer = await raw(path, { host, 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'https' });
      expect([host, answer.text.includes('evil.example')]).toEqual([host, false]);
    }
  });

  it('does not lead a sign-in astray', async () => {
    const { url } = await customer.request(app);
    const answer = await raw(url.pathname + url.search, { host: 'evil.example', 'x-forwarded-host': 'evil.example' });
    expect(answer.location + answer.text).not.toContain('evil.example');
  });

  it('with a path that climbs out finds nothing', async () => {
    const { host } = new URL(customer.issuer);
    for (const path of [
      `/${customer.slug}/../${other.slug}/.well-known/jwks/x`,
      `//${customer.slug}`,
      `/${customer.slug}%2f..%2fhealthz`,
      '/%00',
      '/..%5c',
    ]) {
      expect([path, (await raw(path, { host })).status]).toEqual([path, expect.any(Number)]);
      expect((await raw(path, { host })).status).toBeLessThan(500);
    }
  });
});

describe('what belongs to one repository', () => {
  it('is nothing at any endpoint of another', async () => {
    const tokens = await customer.signIn(app);
    const { clientId, secret } = other.repository.toolClient;
    const basic = { authorization: `Basic ${btoa(`${clientId}:${secret.value}`)}` };
    const post = async (path: string, form: Record<string, string>, headers: Record<string, string> = {}) => {
      const response = await fetch(`${other.issuer}${path}`, { method: 'POST', body: new URLSearchParams(form), headers });
      return { status: response.status, text: await response.text() };
    };
    for (const token of [tokens.access_token, tokens.refresh_token ?? '', tokens.id_token ?? '']) {
      expect((await post('/connect/introspect', { token }, basic)).text).toBe('{"active":false}');
      expect((await post('/connect/revocation', { token }, basic)).status).toBe(200);
      expect((await fetch(`${other.issuer}/connect/userinfo`, { headers: { authorization: `Bearer ${token}` } })).status).toBe(401);
      const refreshed = await post('/connect/token', {
        grant_type: 'refresh_token',
        refresh_token: token,
        client_id: other.repository.appClient.clientId,
      });
      expect(refreshed.text).toContain('invalid_grant');
      const hinted = await new Browser(running).go(`${other.issuer}/connect/endsession?id_token_hint=${token}`);
      expect([hinted.status, hinted.headers.get('location')]).toEqual([400, null]);
    }
    const mine = customer.repository.toolClient;
    const stolen = { authorization: `Basic ${btoa(`${mine.clientId}:${mine.secret.value}`)}` };
    expect((await post('/connect/token', { grant_type: 'client_credentials' }, stolen)).text).toContain('invalid_client');
    expect((await client.fetchUserInfo(app, tokens.access_token, tokens.claims()?.sub ?? '')).sub).toBe(String(customer.anna.id));
  });

  it('cannot be asked for by naming its resource elsewhere (RFC 8707 §2)', async () => {
    const tool = await other.discoverTool();
    await expect(client.clientCredentialsGrant(tool, { resource: customer.repository.repositoryUrl })).rejects.toMatchObject({
      error: 'invalid_target',
    });
    const { url } = await customer.request(app, { resource: other.repository.repositoryUrl });
    expect(parameterOf((await new Browser(running).follow(url, stay)).url, 'error')).toBe('invalid_target');
  });
});

describe('a page of another origin', () => {
  it('reads no answer about tokens, nor does one without any, as in a sandbox, be the app of a scheme of its own', async () => {
    const redirectUris = [redirectUri, 'com.example.app:/callback'];
    await other.clients.update(other.tenant.machine, other.slug, other.repository.appClient.clientId, { redirectUris });
    const form = { grant_type: 'refresh_token', client_id: other.repository.appClient.clientId, refresh_token: 'x' };
    const allowed = async (origin: string) => {
      const answer = await fetch(`${other.issuer}/connect/token`, { method: 'POST', headers: { origin }, body: new URLSearchParams(form) });
      return answer.headers.get('access-control-allow-origin');
    };
    const origins = ['https://app.example.com', 'https://app.example.com.evil.example', 'null'];
    expect(await Promise.all(origins.map(allowed))).toEqual(['https://app.example.com', null, null]);
  });
});

describe('what is reflected', () => {
  it('is text: no parameter of a request becomes part of a page', async () => {
    const script = '"><script>alert(1)</script>';
    for (const name of ['client_id', 'redirect_uri', 'scope', 'login_hint', 'ui_locales', 'error_description']) {
      const { url } = await customer.request(app);
      url.searchParams.set(name, script);
      const { page } = await new Browser(running).follow(url, stay);
      expect((await page?.text()) ?? '').not.toContain('<script>alert');
    }
    const page = await (await new Browser(running).go(`${customer.issuer}/connect/endsession?state=${encodeURIComponent(script)}`)).text();
    expect(page).not.toContain('<script>alert');
    expect(hiddenField(page, 'xsrf')).toMatch(/^\w+$/);
  });
});
