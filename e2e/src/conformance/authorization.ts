import * as client from 'openid-client';
import { CookieBrowser, hiddenField, parameterOf, redirectUri } from '@latchkey/authority/testing';
import { subject } from './subject.js';

/* The authorization endpoint, clause by clause. */

let app: client.Configuration;

beforeAll(async () => {
  app = await subject.discover();
});

const stay = (at: URL) => at.href.startsWith(subject.issuer);

/** Sends a request that is changed: a member that is undefined is left out. @returns where it leads. */
async function send(change: Record<string, string | undefined>, browser = new CookieBrowser()) {
  const { url, finish } = await subject.request(app);
  for (const [name, value] of Object.entries(change)) {
    if (value === undefined) url.searchParams.delete(name);
    else url.searchParams.set(name, value);
  }
  const arrived = await browser.follow(url, stay);
  const state = parameterOf(url, 'state');
  return { ...arrived, finish, state, error: parameterOf(arrived.url, 'error') };
}

describe('OpenID Connect Core 1.0', () => {
  it('§3.1.2.1: requests come by GET and by POST', async () => {
    const { url } = await subject.request(app);
    const browser = new CookieBrowser();
    const byPost = await browser.go(`${subject.issuer}/connect/authorize`, Object.fromEntries(url.searchParams));
    expect(byPost.status).toBe(303);
    const { url: page } = await browser.follow(byPost.headers.get('location') ?? '', stay);
    expect(page.pathname).toContain('/interaction/');
    const json = await fetch(`${subject.issuer}/connect/authorize`, {
      method: 'POST',
      body: '{}',
      headers: { 'content-type': 'application/json' },
    });
    expect(json.status).toBe(415);
  });

  it('§3.1.2.1: a request without openid is one of OAuth, and gets no ID token', async () => {
    const tokens = await subject.signIn(app, { scope: 'content:read' }).catch((error: unknown) => error);
    expect(tokens).not.toHaveProperty('id_token', expect.any(String));
  });

  it.each([
    ['§3.1.2.2: without response_type', { response_type: undefined }, 'invalid_request'],
    ['§3.1.2.2: with a response type that is not offered', { response_type: 'token' }, 'unsupported_response_type'],
    ['§3.1.2.2: with an implicit one', { response_type: 'id_token' }, 'unsupported_response_type'],
    ['§3.1.2.2: with a hybrid one', { response_type: 'code id_token' }, 'unsupported_response_type'],
    ['§3.1.2.1: prompt=none with another prompt', { prompt: 'none login' }, 'invalid_request'],
    ['§3.1.2.1: a prompt that is none', { prompt: 'nonsense' }, 'invalid_request'],
    ['§3.1.2.1: a max_age that is no number', { max_age: 'x' }, 'invalid_request'],
    ['§6.1: a request object', { request: 'eyJhbGciOiJub25lIn0.e30.' }, 'request_not_supported'],
    ['§6.2: a request by reference', { request_uri: 'https://app.example.com/request' }, 'request_uri_not_supported'],
    ['§7.2.1: a registration', { registration: '{}' }, 'registration_not_supported'],
    ['§3.1.2.6: prompt=none while nobody is signed in', { prompt: 'none' }, 'login_required'],
  ] as const)('%s is told to the app as §3.1.2.6 says, with its state', async (_, change, error) => {
    const { url, state } = await send(change);
    // For a type that would be answered in the fragment, errors are too (OAuth 2.0 Multiple Response Type Encoding Practices §5).
    const told = new URLSearchParams(url.search || url.hash.slice(1));
    expect([url.origin + url.pathname, told.get('error'), told.get('state')]).toEqual([redirectUri, error, state]);
  });

  it('§3.1.2.5: the answer has code and state, and nothing in the fragment', async () => {
    const { url: request } = await subject.request(app);
    const { url } = await subject.visit(new CookieBrowser(), request);
    expect([parameterOf(url, 'code') !== null, parameterOf(url, 'state'), url.hash]).toEqual([true, parameterOf(request, 'state'), '']);
  });

  it('§15.1: scopes and parameters that nobody knows are passed over', async () => {
    const tokens = await subject
      .signIn(app, { scope: 'openid nonsense:scope', nonsense: 'x' })
      .catch((error: unknown) => error as { error: string });
    // A scope that the repository does not know may be refused (RFC 6749 §3.3), but as that.
    if ('error' in tokens) expect(tokens.error).toBe('invalid_scope');
  });

  it('§11: offline_access gives a refresh token, and without it there is none', async () => {
    expect((await subject.signIn(app, { scope: 'openid offline_access' })).refresh_token).toBeDefined();
    expect((await subject.signIn(app, { scope: 'openid' })).refresh_token).toBeUndefined();
  });
});

describe('RFC 6749', () => {
  it.each([
    ['§3.1.2.4: another redirect URI', { redirect_uri: 'https://evil.example/callback' }],
    ['§4.1.2.1: a client that does not exist', { client_id: 'app_nobody' }],
    ['§4.1.2.1: no client', { client_id: undefined }],
  ])('%s is shown to the person and redirected nowhere', async (_, change) => {
    const { url, page } = await send(change);
    expect([url.href.startsWith(subject.issuer), page?.status, page?.headers.get('location')]).toEqual([true, 400, null]);
  });

  it('§3.1: a parameter that comes twice is refused', async () => {
    const { url } = await subject.request(app);
    url.searchParams.append('scope', 'openid');
    const { url: back } = await new CookieBrowser().follow(url, stay);
    expect(parameterOf(back, 'error')).toBe('invalid_request');
  });

  it('§4.1.2.1: somebody who cancels is told to the app as access_denied', async () => {
    const browser = new CookieBrowser();
    const { url } = await subject.request(app);
    const { url: page } = await browser.follow(url, stay);
    const answer = await browser.go(page, { cancel: 'yes' });
    const { url: back } = await browser.follow(new URL(answer.headers.get('location') ?? '', page), stay);
    expect([back.origin + back.pathname, parameterOf(back, 'error')]).toEqual([redirectUri, 'access_denied']);
  });
});

describe('RFC 7636', () => {
  const verifier = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk';
  const challenge = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM';

  it('appendix B: its own example works', async () => {
    const { url } = await subject.request(app, { code_challenge: challenge });
    const { url: back } = await subject.visit(new CookieBrowser(), url);
    const tokens = await client.authorizationCodeGrant(app, back, {
      pkceCodeVerifier: verifier,
      expectedState: parameterOf(url, 'state') ?? '',
      expectedNonce: parameterOf(url, 'nonce') ?? '',
    });
    expect(tokens.access_token).toBeDefined();
  });

  it.each([
    ['§4.4.1: without a challenge', { code_challenge: undefined, code_challenge_method: undefined }],
    ['§4.4.1: with the method plain', { code_challenge: verifier, code_challenge_method: 'plain' }],
    ['§4.3: with no method, which means plain', { code_challenge: verifier, code_challenge_method: undefined }],
    ['§4.2: with a challenge that is none', { code_challenge: 'short' }],
  ])('%s a request is refused', async (_, change) => {
    expect((await send(change)).error).toBe('invalid_request');
  });

  it.each([
    ['§4.6: with another verifier', { code_verifier: 'x'.repeat(43) }],
    ['§4.6: with the challenge as verifier', { code_verifier: challenge }],
    ['§4.5: with no verifier', {}],
  ])('%s the code is worth nothing, and is used up', async (_, more) => {
    const { url } = await subject.request(app, { code_challenge: challenge });
    const { url: back } = await subject.visit(new CookieBrowser(), url);
    const ask = async (form: Record<string, string>) => {
      const body = new URLSearchParams({
        grant_type: 'authorization_code',
        client_id: subject.appId,
        redirect_uri: redirectUri,
        code: parameterOf(back, 'code') ?? '',
        ...form,
      });
      return (await fetch(`${subject.issuer}/connect/token`, { method: 'POST', body })).json();
    };
    expect(await ask(more)).toMatchObject({ error: expect.stringMatching(/invalid_(grant|request)/) as string });
  });
});

describe('OAuth 2.0 Form Post Response Mode', () => {
  it('§2: the answer is a form that posts itself to the app, errors too', async () => {
    const { page } = await send({ response_mode: 'form_post', prompt: 'none' });
    const html = (await page?.text()) ?? '';
    expect(html).toContain(`<form method="post" action="${redirectUri}">`);
    expect(hiddenField(html, 'error')).toBe('login_required');
  });

  it('§4: it is not kept by a browser', async () => {
    const { page } = await send({ response_mode: 'form_post', prompt: 'none' });
    expect(page?.headers.get('cache-control')).toContain('no-store');
  });

  it('§5: what was sent is escaped in it', async () => {
    const { page } = await send({ response_mode: 'form_post', prompt: 'none', state: '"><script>alert(1)</script>' });
    expect(await page?.text()).not.toContain('<script>alert');
  });
});

describe('RFC 9207', () => {
  it('§2: answers name the issuer, errors too, and so do forms', async () => {
    const { url: request } = await subject.request(app);
    const { url } = await subject.visit(new CookieBrowser(), request);
    const refused = await send({ prompt: 'none' });
    const { page } = await send({ prompt: 'none', response_mode: 'form_post' });
    expect([parameterOf(url, 'iss'), parameterOf(refused.url, 'iss'), hiddenField((await page?.text()) ?? '', 'iss')]).toEqual(
      Array(3).fill(subject.issuer),
    );
  });
});

describe('RFC 9126', () => {
  const push = async (parameters: Record<string, string>) => {
    const body = new URLSearchParams({ client_id: subject.appId, response_type: 'code', ...parameters });
    const response = await fetch(`${subject.issuer}/connect/par`, { method: 'POST', body });
    return { status: response.status, headers: response.headers, body: (await response.json()) as Record<string, unknown> };
  };

  it('§2.2: a pushed request gets 201, a URI that nobody guesses and its life', async () => {
    const { parameters } = await subject.request(app);
    const { status, headers, body } = await push(parameters);
    expect([status, headers.get('cache-control')]).toEqual([201, expect.stringContaining('no-store')]);
    expect(body).toEqual({
      request_uri: expect.stringMatching(/^urn:ietf:params:oauth:request_uri:[\w-]{40,}$/) as string,
      expires_in: 60,
    });
  });

  it('§2.1: a request_uri is not pushed', async () => {
    expect(await push({ request_uri: 'urn:x' })).toMatchObject({ status: 400 });
  });

  it('§2.3: what would be refused later is refused now', async () => {
    const { parameters } = await subject.request(app);
    expect(await push({ ...parameters, redirect_uri: 'https://evil.example/' })).toMatchObject({
      status: 400,
      body: { error: 'invalid_request' },
    });
    expect(await push({ ...parameters, code_challenge_method: 'plain' })).toMatchObject({
      status: 400,
      body: { error: 'invalid_request' },
    });
  });

  it('§2.3: only by POST', async () => {
    expect((await fetch(`${subject.issuer}/connect/par`)).status).toBe(404);
  });

  it('§4: it is used by the client that pushed it, and what is beside it does not count', async () => {
    const { parameters } = await subject.request(app);
    const { body } = await push(parameters);
    const beside = { client_id: subject.appId, request_uri: String(body['request_uri']), state: 'other' };
    const { url } = await subject.visit(
      new CookieBrowser(),
      new URL(`${subject.issuer}/connect/authorize?${new URLSearchParams(beside).toString()}`),
    );
    expect(parameterOf(url, 'state')).toBe(parameters['state']);
  });
});
