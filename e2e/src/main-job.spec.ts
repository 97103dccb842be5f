import { createRemoteJWKSet, jwtVerify } from 'jose';
import * as client from 'openid-client';
import type { Browser, Page } from 'playwright-core';
import type { ProvisionedRepositoryView } from '@latchkey/contracts';
import { openBrowser, submitSignIn } from './browser.js';
import type { RunningProduct } from './product.js';
import { authorizeWithCode, discover, openRelyingParty, type RelyingParty } from './relying-party.js';
import { sharedProduct } from './shared-product.js';
import { freshSlug, Tenant } from './tenant.js';

/** The customer's way through the product, on two authorities and two repository APIs behind one port each. */
let product: RunningProduct;
let tenant: Tenant;
let browser: Browser;
let page: Page;
let app: RelyingParty;
let repository: ProvisionedRepositoryView;

const password = 'correct horse battery staple';

beforeAll(async () => {
  product = sharedProduct();
  tenant = new Tenant(product.credential);
  browser = await openBrowser();
  page = await (await browser.newContext()).newPage();
  app = await openRelyingParty();
  repository = await tenant.createRepository(freshSlug('acme'), { redirectUris: [app.redirectUri] });
  const posted = await tenant.call('PATCH', `/v1/repositories/${repository.slug}/clients/${repository.appClient.clientId}`, {
    postLogoutRedirectUris: [app.postLogoutUri],
  });
  expect(posted.status).toBe(200);
  await tenant.createUser(repository.slug, { loginName: 'anna', password, email: 'anna@example.com' });
});

afterAll(async () => {
  await browser?.close();
  await app?.close();
});

/** Each process of an app by its own port, and all of them by the shared one. */
const nodes = (offset: number) => [0, 1, 2].map((node) => `http://localhost:${product.portBase + offset + node}/${repository.slug}`);

const patience = () => AbortSignal.timeout(10_000);

async function requestToken(authority: string, secret: string, how: 'basic' | 'form' = 'basic') {
  const { clientId } = repository.toolClient;
  const form = new URLSearchParams({ grant_type: 'client_credentials', scope: 'sensenet' });
  if (how === 'form') {
    form.set('client_id', clientId);
    form.set('client_secret', secret);
  }
  const headers: Record<string, string> = how === 'basic' ? { authorization: `Basic ${btoa(`${clientId}:${secret}`)}` } : {};
  const response = await fetch(`${authority}/connect/token`, { method: 'POST', body: form, headers, signal: patience() });
  return {
    status: response.status,
    body: (await response.json()) as {
      access_token: string;
      error?: string;
      error_description?: string;
      expires_in: number;
      token_type: string;
    },
  };
}

const readRepository = (url: string, token: string, path = `('Root')/GetCurrentUser`) =>
  fetch(`${url}/odata.svc/${path}`, { headers: { authorization: `Bearer ${token}` }, signal: patience() });

async function introspect(authority: string, token: string, secret: string) {
  const { clientId } = repository.toolClient;
  const headers = { authorization: `Basic ${btoa(`${clientId}:${secret}`)}` };
  const response = await fetch(`${authority}/connect/introspect`, {
    method: 'POST',
    body: new URLSearchParams({ token }),
    headers,
    signal: patience(),
  });
  return { status: response.status, body: (await response.json()) as { active: boolean } };
}

describe('a tool', () => {
  it.each(['basic', 'form'] as const)(
    'gets a token with its client ID and secret by %s, and reads the repository as the default administrator',
    async (how) => {
      const { status, body } = await requestToken(repository.authorityUrl, repository.toolClient.secret.value, how);
      expect(status).toBe(200);
      expect(body).toMatchObject({ token_type: 'Bearer', expires_in: 3600 });
      const jwks = createRemoteJWKSet(new URL(`${repository.authorityUrl}/.well-known/jwks`));
      const { payload, protectedHeader } = await jwtVerify(body.access_token, jwks, {
        issuer: repository.authorityUrl,
        audience: repository.repositoryUrl,
        typ: 'at+jwt',
      });
      expect(protectedHeader.alg).toBe('ES256');
      expect(payload).toMatchObject({ client_id: repository.toolClient.clientId, sub: '12', client_sub: 'builtin\\publicadmin' });

      const current = await readRepository(repository.repositoryUrl, body.access_token);
      expect(current.status).toBe(200);
      expect(((await current.json()) as { d: { Id: number } }).d.Id).toBe(12);
    },
  );

  it('makes a folder, reads it back as an entity and finds it in its collection', async () => {
    const { body } = await requestToken(repository.authorityUrl, repository.toolClient.secret.value);
    const headers = { authorization: `Bearer ${body.access_token}` };
    // Existing clients send JSON without saying so.
    const made = await fetch(`${repository.repositoryUrl}/odata.svc/Root/Content`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ __ContentType: 'Folder', Name: 'IT', DisplayName: 'Information technology' }),
      signal: patience(),
    });
    expect(made.status).toBe(201);
    const { d } = (await made.json()) as { d: { Id: number; Path: string } };
    expect(d.Path).toBe('/Root/Content/IT');
    for (const address of [`Root/Content/('IT')`, `Root/Content('IT')`, `content(${d.Id})`]) {
      const read = await readRepository(repository.repositoryUrl, body.access_token, address);
      expect(await read.json()).toMatchObject({ d: { Id: d.Id, Name: 'IT', Type: 'Folder' } });
    }
    const collection = await readRepository(repository.repositoryUrl, body.access_token, 'Root/Content');
    expect(await collection.json()).toMatchObject({ d: { __count: 1, results: [{ Id: d.Id }] } });
    const missing = await readRepository(repository.repositoryUrl, body.access_token, `Root/Content/('Nowhere')`);
    expect([missing.status, await missing.text()]).toEqual([404, '']);
  });

  it('is told 401 for a token that is not right', async () => {
    const { body } = await requestToken(repository.authorityUrl, repository.toolClient.secret.value);
    for (const token of ['nonsense', `${body.access_token.slice(0, -6)}AAAAAA`]) {
      const response = await readRepository(repository.repositoryUrl, token);
      expect(response.status).toBe(401);
      expect(response.headers.get('www-authenticate')).toContain('Bearer');
    }
  });
});

describe('an app', () => {
  let configuration: client.Configuration;
  beforeAll(async () => {
    configuration = await discover(repository.authorityUrl, repository.appClient.clientId);
  });

  it('finds everything it needs below the authority URL', async () => {
    const server = configuration.serverMetadata();
    expect(server.issuer).toBe(repository.authorityUrl);
    for (const [name, value] of Object.entries(server)) {
      if (/_endpoint$|^jwks_uri$/.test(name)) expect(value).toEqual(expect.stringContaining(`${repository.authorityUrl}/`));
    }
  });

  it('signs a person in through the sign-in page, after a wrong password was refused in words', async () => {
    const tokens = await authorizeWithCode(configuration, page, app, {
      atTheAuthority: async () => {
        expect(await page.textContent('main')).toContain(`Repository ${repository.slug}`);
        await submitSignIn(page, 'anna', 'not the password at all');
        expect(await page.getByRole('alert').textContent()).toBe('User name or password is wrong.');
        await submitSignIn(page, 'anna', password);
      },
    });
    const claims = tokens.claims();
    expect(claims).toMatchObject({ iss: repository.authorityUrl, aud: repository.appClient.clientId });
    expect(claims?.sub).toMatch(/^\d+$/);
    expect(await client.fetchUserInfo(configuration, tokens.access_token, claims?.sub ?? '')).toMatchObject({
      preferred_username: 'anna',
      email: 'anna@example.com',
    });

    const current = await readRepository(repository.repositoryUrl, tokens.access_token);
    expect(await current.json()).toMatchObject({ d: { Id: Number(claims?.sub), Name: 'anna' } });
  });

  it('signs the same person in again without a page, refreshes, introspects and revokes', async () => {
    const tokens = await authorizeWithCode(configuration, page, app);
    const refreshed = await client.refreshTokenGrant(configuration, tokens.refresh_token ?? '');
    expect(await client.tokenIntrospection(configuration, refreshed.access_token)).toMatchObject({
      active: true,
      client_id: repository.appClient.clientId,
    });
    await client.tokenRevocation(configuration, refreshed.access_token);
    expect(await client.tokenIntrospection(configuration, refreshed.access_token)).toEqual({ active: false });
    expect((await readRepository(repository.repositoryUrl, refreshed.access_token)).status).toBe(401);
  });

  it('that presents a used refresh token ends the whole grant', async () => {
    const tokens = await authorizeWithCode(configuration, page, app);
    const refreshed = await client.refreshTokenGrant(configuration, tokens.refresh_token ?? '');
    await expect(client.refreshTokenGrant(configuration, tokens.refresh_token ?? '')).rejects.toMatchObject({ error: 'invalid_grant' });
    await expect(client.refreshTokenGrant(configuration, refreshed.refresh_token ?? '')).rejects.toMatchObject({ error: 'invalid_grant' });
    expect((await readRepository(repository.repositoryUrl, refreshed.access_token)).status).toBe(401);
  });

  it('signs the person out and is sent back; the tokens are dead', async () => {
    const tokens = await authorizeWithCode(configuration, page, app);
    const url = client.buildEndSessionUrl(configuration, {
      id_token_hint: tokens.id_token ?? '',
      post_logout_redirect_uri: app.postLogoutUri,
      state: 'bye',
    });
    await page.goto(url.href);
    await page.waitForURL(`${app.postLogoutUri}?state=bye`);
    expect(await client.tokenIntrospection(configuration, tokens.access_token)).toEqual({ active: false });
    expect((await readRepository(repository.repositoryUrl, tokens.access_token)).status).toBe(401);
  });

  it('loses a person’s tokens and session the moment the person is disabled', async () => {
    const slug = repository.slug;
    const user = await tenant.createUser(slug, { loginName: 'bert', password });
    const tokens = await authorizeWithCode(configuration, page, app, { atTheAuthority: () => submitSignIn(page, 'bert', password) });
    expect((await readRepository(repository.repositoryUrl, tokens.access_token)).status).toBe(200);
    expect((await tenant.call('PATCH', `/v1/repositories/${slug}/users/${user.id}`, { enabled: false })).status).toBe(200);
    for (const url of nodes(200)) expect((await readRepository(url, tokens.access_token)).status).toBe(401);
    await expect(client.refreshTokenGrant(configuration, tokens.refresh_token ?? '')).rejects.toMatchObject({ error: 'invalid_grant' });
    await page.goto(
      client.buildAuthorizationUrl(configuration, {
        redirect_uri: app.redirectUri,
        scope: 'openid',
        code_challenge: 'x'.repeat(43),
        code_challenge_method: 'S256',
      }).href,
    );
    expect(await page.getByLabel('Password').count()).toBe(1);
  });
});

describe('a regenerated secret', () => {
  it('is dead on every node when the call has answered, with the token that it minted; the new one works, and no client ID has changed', async () => {
    const before = repository.toolClient.secret.value;
    const minted = (await requestToken(repository.authorityUrl, before)).body.access_token;
    for (const url of nodes(200)) expect((await readRepository(url, minted)).status).toBe(200);

    const { secret, cutoff } = await tenant.regenerate(repository);
    expect(Date.parse(cutoff.effectiveAt)).toBeLessThanOrEqual(Date.now() + 1000);
    for (const authority of nodes(100)) {
      for (const how of ['basic', 'form'] as const) {
        expect(await requestToken(authority, before, how)).toMatchObject({
          status: 401,
          body: { error: 'invalid_client', error_description: expect.stringMatching(/^this secret was replaced at /) as string },
        });
      }
      expect((await introspect(authority, minted, secret.value)).body).toEqual({ active: false });
      expect((await requestToken(authority, secret.value)).status).toBe(200);
    }
    for (const url of nodes(200)) expect((await readRepository(url, minted)).status).toBe(401);

    const after = (await (await tenant.call('GET', `/v1/repositories/${repository.slug}`)).json()) as ProvisionedRepositoryView;
    expect(after.appClient.clientId).toBe(repository.appClient.clientId);
    expect(after.toolClient.clientId).toBe(repository.toolClient.clientId);
    repository.toolClient.secret = secret;
  });
});

describe('a provisioned repository', () => {
  it('works on every node the moment the call has answered', async () => {
    const fresh = await tenant.createRepository(freshSlug('fresh'));
    for (const node of [1, 2]) {
      const at = (offset: number) => `http://localhost:${product.portBase + offset + node}/${fresh.slug}`;
      const discovery = await fetch(`${at(100)}/.well-known/openid-configuration`, { signal: patience() });
      expect(await discovery.json()).toMatchObject({ issuer: fresh.authorityUrl });
      const token = await fetch(`${at(100)}/connect/token`, {
        method: 'POST',
        headers: { authorization: `Basic ${btoa(`${fresh.toolClient.clientId}:${fresh.toolClient.secret.value}`)}` },
        body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'sensenet' }),
        signal: patience(),
      });
      const { access_token: accessToken } = (await token.json()) as { access_token: string };
      expect((await readRepository(at(200), accessToken)).status).toBe(200);
    }
  });

  it('is made once under one Idempotency-Key', async () => {
    const slug = freshSlug('once');
    const key = { 'idempotency-key': slug };
    const body = { slug, name: 'Once', environment: 'production' };
    const answers = await Promise.all([1, 2, 3].map(() => tenant.call('POST', '/v1/repositories', body, key)));
    expect(answers.map((answer) => answer.status).toSorted((a, b) => a - b)).toEqual([201, 409, 409]);
    const again = await tenant.call('POST', '/v1/repositories', body, key);
    expect(await again.json()).toMatchObject({ status: 409, type: expect.stringMatching(/idempotency-replayed$/) as string });
    const taken = await tenant.call('POST', '/v1/repositories', body);
    expect(await taken.json()).toMatchObject({ status: 409, type: expect.stringMatching(/slug-taken$/) as string });
  });

  it('is not made of a bad request, and every fault is named at once', async () => {
    const response = await tenant.call('POST', '/v1/repositories', { slug: 'Bad--slug', environment: 'staging', colour: 'red' });
    expect(response.status).toBe(400);
    expect(response.headers.get('content-type')).toContain('application/problem+json');
    const problem = (await response.json()) as { errors: { pointer: string }[] };
    expect([...new Set(problem.errors.map((fault) => fault.pointer))].toSorted()).toEqual(['/colour', '/environment', '/name', '/slug']);
  });

  it('that is suspended or deleted is dead with its tokens, and comes back when resumed or restored', async () => {
    const fresh = await tenant.createRepository(freshSlug('pause'));
    const basic = { authorization: `Basic ${btoa(`${fresh.toolClient.clientId}:${fresh.toolClient.secret.value}`)}` };
    const mint = async () => {
      const response = await fetch(`${fresh.authorityUrl}/connect/token`, {
        method: 'POST',
        headers: basic,
        body: new URLSearchParams({ grant_type: 'client_credentials' }),
        signal: patience(),
      });
      return response.ok ? ((await response.json()) as { access_token: string }).access_token : undefined;
    };
    for (const [stop, start] of [
      [
        ['POST', 'suspend'],
        ['POST', 'resume'],
      ],
      [
        ['DELETE', ''],
        ['POST', 'restore'],
      ],
    ] as const) {
      const token = (await mint()) ?? '';
      expect((await readRepository(fresh.repositoryUrl, token)).status).toBe(200);
      expect((await tenant.call(stop[0], `/v1/repositories/${fresh.slug}/${stop[1]}`.replace(/\/$/, ''))).status).toBe(200);
      expect(await mint()).toBeUndefined();
      expect((await readRepository(fresh.repositoryUrl, token)).ok).toBe(false);
      expect((await tenant.call(start[0], `/v1/repositories/${fresh.slug}/${start[1]}`)).status).toBe(200);
      expect((await readRepository(fresh.repositoryUrl, token)).status).toBe(401);
      expect((await readRepository(fresh.repositoryUrl, (await mint()) ?? '')).status).toBe(200);
    }
  });
});
