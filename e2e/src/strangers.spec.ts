import { createHmac, generateKeyPairSync } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { decodeJwt, SignJWT } from 'jose';
import type { Browser, Page } from 'playwright-core';
import type { ProvisionedRepositoryView } from '@latchkey/contracts';
import { openBrowser, submitSignIn } from './browser.js';
import type { RunningProduct } from './product.js';
import { authorizeWithCode, discover, openRelyingParty, type RelyingParty } from './relying-party.js';
import { sharedProduct } from './shared-product.js';
import { freshSlug, Tenant } from './tenant.js';

/** What somebody can do at one repository with everything that another one gave them, and with things they made up. */
let product: RunningProduct;
let tenant: Tenant;
let browser: Browser;
let page: Page;
let app: RelyingParty;
let acme: ProvisionedRepositoryView;
let other: ProvisionedRepositoryView;
/** Tokens of the other repository, all alive there. */
let foreign: { tool: string; person: string; refresh: string; idToken: string };

const password = 'correct horse battery staple';
const patience = () => AbortSignal.timeout(10_000);

beforeAll(async () => {
  product = sharedProduct();
  tenant = new Tenant(product.credential);
  browser = await openBrowser();
  app = await openRelyingParty();
  acme = await tenant.createRepository(freshSlug('acme'), { redirectUris: [app.redirectUri] });
  other = await tenant.createRepository(freshSlug('other'), { redirectUris: [app.redirectUri] });
  for (const { slug } of [acme, other]) await tenant.createUser(slug, { loginName: 'anna', password });
  page = await (await browser.newContext()).newPage();
  const tokens = await authorizeWithCode(await discover(other.authorityUrl, other.appClient.clientId), page, app, {
    atTheAuthority: () => submitSignIn(page, 'anna', password),
  });
  foreign = {
    tool: await toolToken(other),
    person: tokens.access_token,
    refresh: tokens.refresh_token ?? '',
    idToken: tokens.id_token ?? '',
  };
});
afterAll(async () => {
  await browser?.close();
  await app?.close();
});

const basic = (clientId: string, secret: string) => ({ authorization: `Basic ${btoa(`${clientId}:${secret}`)}` });
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

async function post(url: string, form: Record<string, string>, headers: Record<string, string> = {}) {
  const response = await fetch(url, { method: 'POST', body: new URLSearchParams(form), headers, signal: patience() });
  const text = await response.text();
  return { status: response.status, body: text ? (JSON.parse(text) as Record<string, unknown>) : {} };
}

async function toolToken(repository: ProvisionedRepositoryView): Promise<string> {
  const { clientId, secret } = repository.toolClient;
  const { body } = await post(
    `${repository.authorityUrl}/connect/token`,
    { grant_type: 'client_credentials' },
    basic(clientId, secret.value),
  );
  return String(body['access_token']);
}

const read = async (repository: ProvisionedRepositoryView, headers: Record<string, string>, query = '') =>
  (await fetch(`${repository.repositoryUrl}/odata.svc/('Root')/GetCurrentUser${query}`, { headers, signal: patience() })).status;

describe('what another repository gave', () => {
  it('works there, so that its refusal here means something', async () => {
    for (const token of [foreign.tool, foreign.person]) expect(await read(other, bearer(token))).toBe(200);
  });

  it('gets no token here: its client is the same invalid_client as one that never was', async () => {
    const secret = other.toolClient.secret.value;
    const url = `${acme.authorityUrl}/connect/token`;
    const attempts = [
      basic(other.toolClient.clientId, secret),
      basic(acme.toolClient.clientId, secret),
      basic('tool_0000000000000000000000', secret),
      basic(other.toolClient.clientId, 'lk_live_cs_nonsense'),
    ];
    const answers = await Promise.all(attempts.map((headers) => post(url, { grant_type: 'client_credentials' }, headers)));
    for (const answer of answers)
      expect(answer).toEqual({ status: 401, body: { error: 'invalid_client', error_description: 'client authentication failed' } });
  });

  it('opens nothing at the repository API, by any way of sending it', async () => {
    for (const token of [foreign.tool, foreign.person, foreign.idToken, foreign.refresh]) {
      expect(await read(acme, bearer(token))).toBe(401);
      expect(await read(acme, { apikey: token })).toBe(401);
      expect(await read(acme, {}, `?apikey=${encodeURIComponent(token)}`)).toBe(401);
    }
  });

  it('is unknown to introspection, revocation, userinfo and refresh', async () => {
    const mine = basic(acme.toolClient.clientId, acme.toolClient.secret.value);
    for (const token of Object.values(foreign)) {
      expect((await post(`${acme.authorityUrl}/connect/introspect`, { token }, mine)).body).toEqual({ active: false });
      expect((await post(`${acme.authorityUrl}/connect/revocation`, { token }, mine)).status).toBe(200);
      expect((await fetch(`${acme.authorityUrl}/connect/userinfo`, { headers: bearer(token), signal: patience() })).status).toBe(401);
      expect(
        (
          await post(`${acme.authorityUrl}/connect/token`, {
            grant_type: 'refresh_token',
            refresh_token: token,
            client_id: acme.appClient.clientId,
          })
        ).body,
      ).toMatchObject({ error: 'invalid_grant' });
    }
    // Revoking it here has not hurt it there.
    expect(await read(other, bearer(foreign.tool))).toBe(200);
  });

  it('is no session here: whoever is signed in there is asked to sign in', async () => {
    const url = `${acme.authorityUrl}/connect/authorize?client_id=${acme.appClient.clientId}&response_type=code&redirect_uri=${encodeURIComponent(app.redirectUri)}&scope=openid&code_challenge=${'x'.repeat(43)}&code_challenge_method=S256`;
    await page.goto(url);
    expect(await page.getByLabel('Password').count()).toBe(1);
    await page.goto(`${url}&prompt=none`);
    expect(new URL(page.url()).searchParams.get('error')).toBe('login_required');
    // And the session there has survived.
    await authorizeWithCode(await discover(other.authorityUrl, other.appClient.clientId), page, app);
  });

  it('opens nothing at the tenant API', async () => {
    for (const token of Object.values(foreign)) {
      const response = await fetch(`${product.tenantApiUrl}/v1/repositories`, { headers: bearer(token), signal: patience() });
      expect(response.status).toBe(401);
    }
  });
});

describe('the console’s token', () => {
  it('opens no repository', async () => {
    const { tokenUrl, clientId, clientSecret } = product.credential;
    const { body } = await post(tokenUrl, { grant_type: 'client_credentials' }, basic(clientId, clientSecret));
    expect(await read(acme, bearer(String(body['access_token'])))).toBe(401);
  });
});

describe('a token that somebody made up', () => {
  it('is refused whatever key, algorithm or type it claims', async () => {
    const real = await toolToken(acme);
    const claims = decodeJwt(real);
    const [header = '', payload = '', signature = ''] = real.split('.');
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const jwks = (await (await fetch(`${acme.authorityUrl}/.well-known/jwks`, { signal: patience() })).json()) as {
      keys: { kid: string }[];
    };
    const kid = jwks.keys[0]?.kid ?? '';
    const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const sign = (protectedHeader: Record<string, unknown>, body = claims) =>
      new SignJWT(body).setProtectedHeader({ alg: 'ES256', ...protectedHeader } as never).sign(privateKey);
    const forged = [
      await sign({ kid, typ: 'at+jwt' }),
      await sign({ typ: 'at+jwt' }),
      await sign({ kid, typ: 'at+jwt', jwk: publicKey.export({ format: 'jwk' }) }),
      `${encode({ alg: 'none', typ: 'at+jwt', kid })}.${payload}.`,
      `${encode({ alg: 'HS256', typ: 'at+jwt', kid })}.${payload}.${createHmac('sha256', JSON.stringify(jwks.keys[0]))
        .update(`${encode({ alg: 'HS256', typ: 'at+jwt', kid })}.${payload}`)
        .digest('base64url')}`,
      `${header}.${encode({ ...claims, sub: '1' })}.${signature}`,
      `${header}.${payload}.${'A'.repeat(signature.length)}`,
      `${header}.${payload}`,
    ];
    for (const token of forged) {
      expect(await read(acme, bearer(token))).toBe(401);
      expect((await fetch(`${acme.authorityUrl}/connect/userinfo`, { headers: bearer(token), signal: patience() })).status).toBe(401);
    }
    expect(await read(acme, bearer(real))).toBe(200);
  });

  it('does not authenticate a client by a JWT that is signed with a guessed secret (client_secret_jwt)', async () => {
    const { clientId } = acme.toolClient;
    for (const secret of ['', 'secret', clientId, acme.toolClient.secret.value]) {
      const assertion = await new SignJWT({})
        .setProtectedHeader({ alg: 'HS256' })
        .setIssuer(clientId)
        .setSubject(clientId)
        .setAudience(acme.authorityUrl)
        .setJti('j')
        .setIssuedAt()
        .setExpirationTime('1m')
        .sign(Buffer.from(secret || '0'));
      const { status, body } = await post(`${acme.authorityUrl}/connect/token`, {
        grant_type: 'client_credentials',
        client_assertion: assertion,
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      });
      expect([status >= 400, 'access_token' in body]).toEqual([true, false]);
    }
  });
});

describe('an authorization request', () => {
  const authorize = (parameters: Record<string, string>) => {
    const defaults = {
      client_id: acme.appClient.clientId,
      response_type: 'code',
      redirect_uri: app.redirectUri,
      scope: 'openid',
      code_challenge: 'x'.repeat(43),
      code_challenge_method: 'S256',
    };
    return fetch(`${acme.authorityUrl}/connect/authorize?${new URLSearchParams({ ...defaults, ...parameters }).toString()}`, {
      redirect: 'manual',
      signal: patience(),
    });
  };

  it.each([
    ['another path', (uri: URL) => `${uri.origin}/elsewhere`],
    ['a path below', (uri: URL) => `${uri.href}/more`],
    ['a path that climbs', (uri: URL) => `${uri.origin}/x/../callback`],
    ['a query', (uri: URL) => `${uri.href}?next=1`],
    ['a fragment', (uri: URL) => `${uri.href}#x`],
    ['user info', (uri: URL) => uri.href.replace('http://', 'http://evil.example@')],
    ['a look-alike host', (uri: URL) => uri.href.replace('localhost', 'localhost.evil.example')],
    ['another scheme', (uri: URL) => uri.href.replace('http:', 'https:')],
    ['another host', () => 'https://evil.example/callback'],
    ['a script', () => 'javascript:alert(1)'],
  ])('with a redirect URI that has %s is not redirected', async (_, change) => {
    const response = await authorize({ redirect_uri: change(new URL(app.redirectUri)) });
    expect(response.status).toBe(400);
    expect(response.headers.get('location')).toBeNull();
  });

  it.each([
    ['without PKCE', { code_challenge: '', code_challenge_method: '' }],
    ['with the plain method', { code_challenge_method: 'plain' }],
    ['for the implicit flow', { response_type: 'id_token token', nonce: 'n' }],
    ['that names another repository in snrepo', { snrepo: 'https://elsewhere.example' }],
  ])('%s is refused', async (_, parameters) => {
    const response = await authorize(parameters as Record<string, string>);
    const location = URL.parse(response.headers.get('location') ?? '');
    expect(
      location?.searchParams.get('error') ?? new URLSearchParams(location?.hash.slice(1)).get('error') ?? String(response.status),
    ).toMatch(/invalid_request|unsupported_response_type|400/);
    expect(location?.pathname.includes('/interaction/') ?? false).toBe(false);
  });

  it('that names this repository in snrepo, as existing clients do, is taken', async () => {
    const response = await authorize({ snrepo: `${acme.repositoryUrl}/` });
    expect(response.headers.get('location')).toContain('/interaction/');
  });
});

describe('a request with a strange host', () => {
  it('gets the addresses of the issuer and no others', async () => {
    const body = await new Promise<string>((resolve, reject) => {
      const { hostname, port, pathname } = new URL(`${acme.authorityUrl}/.well-known/openid-configuration`);
      const headers = {
        host: 'evil.example',
        'x-forwarded-host': 'evil.example',
        'x-forwarded-proto': 'https',
        forwarded: 'host=evil.example',
      };
      httpRequest({ hostname, port, path: pathname, headers, timeout: 5_000 }, (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => void (text += chunk.toString()));
        response.on('end', () => resolve(text));
      })
        .on('error', reject)
        .end();
    });
    expect(JSON.parse(body)).toMatchObject({ issuer: acme.authorityUrl, token_endpoint: `${acme.authorityUrl}/connect/token` });
    expect(body).not.toContain('evil');
  });
});

describe('the sign-in form', () => {
  it('is not taken from another site, without its cookie, or for another interaction', async () => {
    const start = await fetch(
      `${acme.authorityUrl}/connect/authorize?client_id=${acme.appClient.clientId}&response_type=code&redirect_uri=${encodeURIComponent(app.redirectUri)}&scope=openid&code_challenge=${'x'.repeat(43)}&code_challenge_method=S256`,
      { redirect: 'manual', signal: patience() },
    );
    const url = new URL(start.headers.get('location') ?? '', acme.authorityUrl).href;
    const cookie = start.headers
      .getSetCookie()
      .map((each) => each.split(';')[0])
      .join('; ');
    const submit = (headers: Record<string, string>, address = url) =>
      fetch(address, {
        method: 'POST',
        redirect: 'manual',
        body: new URLSearchParams({ login: 'anna', password }),
        headers,
        signal: patience(),
      });
    expect((await submit({ cookie, 'sec-fetch-site': 'cross-site' })).status).toBe(403);
    expect((await submit({ cookie, 'sec-fetch-site': 'same-site' })).status).toBe(403);
    expect((await submit({ cookie, origin: 'https://evil.example' })).status).toBe(403);
    expect((await submit({})).status).toBe(400);
    expect((await submit({ cookie }, `${url.slice(0, -5)}AAAAA`)).status).toBe(400);
    expect((await submit({ cookie, 'sec-fetch-site': 'same-origin' })).status).toBe(303);
  });

  it('is never framed and runs no foreign script', async () => {
    await page.context().clearCookies();
    const response = await page.goto(
      `${acme.authorityUrl}/connect/authorize?client_id=${acme.appClient.clientId}&response_type=code&redirect_uri=${encodeURIComponent(app.redirectUri)}&scope=openid&code_challenge=${'x'.repeat(43)}&code_challenge_method=S256`,
    );
    const headers = response?.headers() ?? {};
    expect(headers['content-security-policy']).toMatch(
      /default-src 'none'.*script-src ('none'|'sha256-[\w+/=]+');.*frame-ancestors 'none'/,
    );
    expect(headers['x-frame-options']).toBe('DENY');
    expect(headers['cache-control']).toBe('no-store');
  });
});
