import { createHash } from 'node:crypto';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import * as client from 'openid-client';
import type { Tokens } from '@latchkey/authority/testing';
import { subject } from './subject.js';

/* Tokens and the endpoints that give, tell and take them back, clause by clause. */

let app: client.Configuration;
let tool: client.Configuration;
let tokens: Tokens;

beforeAll(async () => {
  app = await subject.discover();
  tool = await subject.discoverTool();
  tokens = await subject.signIn(app);
});

const basic = () => {
  const { clientId, secret } = subject.repository.toolClient;
  return { authorization: `Basic ${btoa(`${clientId}:${secret.value}`)}` };
};
async function post(path: string, form: Record<string, string>, headers: Record<string, string> = {}) {
  const response = await fetch(`${subject.issuer}${path}`, { method: 'POST', body: new URLSearchParams(form), headers });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, body: (text ? JSON.parse(text) : {}) as Record<string, unknown> };
}

describe('OpenID Connect Core 1.0', () => {
  it('§2: an ID token names its issuer, person, app, times and nonce, and the app is its one audience', () => {
    const claims = decodeJwt(tokens.id_token ?? '');
    expect(claims).toMatchObject({
      iss: subject.issuer,
      sub: String(subject.anna.id),
      aud: subject.appId,
      exp: expect.any(Number) as number,
      iat: expect.any(Number) as number,
      nonce: expect.any(String) as string,
    });
    expect(String(claims.sub).length).toBeLessThanOrEqual(255);
  });

  it('§3.1.3.6: at_hash, where it is there, is that of the access token', () => {
    const { at_hash: hash } = decodeJwt(tokens.id_token ?? '');
    const digest = createHash('sha256').update(tokens.access_token).digest();
    if (hash !== undefined) expect(hash).toBe(digest.subarray(0, 16).toString('base64url'));
  });

  it('§3.1.3.3: the answer is not kept by anybody', async () => {
    const { headers } = await post('/connect/token', { grant_type: 'client_credentials' }, basic());
    expect(headers.get('cache-control')).toContain('no-store');
    expect(headers.get('content-type')).toMatch(/^application\/json/);
  });

  it('§5.3: userinfo answers GET, and POST with the token in its form', async () => {
    const byGet = await fetch(`${subject.issuer}/connect/userinfo`, { headers: { authorization: `Bearer ${tokens.access_token}` } });
    const byPost = await post('/connect/userinfo', { access_token: tokens.access_token });
    expect([byGet.status, byPost.status]).toEqual([200, 200]);
    expect(await byGet.json()).toEqual(byPost.body);
  });

  it('§5.3.2: sub is always there and that of the ID token', async () => {
    const told = await client.fetchUserInfo(app, tokens.access_token, tokens.claims()?.sub ?? '');
    expect(told.sub).toBe(tokens.claims()?.sub);
  });

  it('§5.4: claims are those of the scopes that were granted', async () => {
    const narrow = await subject.signIn(app, { scope: 'openid' });
    expect(await client.fetchUserInfo(app, narrow.access_token, narrow.claims()?.sub ?? '')).toEqual({ sub: narrow.claims()?.sub });
    const wide = await client.fetchUserInfo(app, tokens.access_token, tokens.claims()?.sub ?? '');
    expect(wide).toMatchObject({ name: 'anna', preferred_username: 'anna', email: 'anna@example.com' });
  });

  it('§12.2: after a refresh the ID token is about the same person, app and sign-in', async () => {
    const first = await subject.signIn(app, { max_age: '600' });
    const renewed = await client.refreshTokenGrant(app, first.refresh_token ?? '');
    const [before, after] = [first.claims(), renewed.claims()];
    expect([after?.iss, after?.sub, after?.aud, after?.auth_time]).toEqual([before?.iss, before?.sub, before?.aud, before?.auth_time]);
  });
});

describe('RFC 6749', () => {
  it.each([
    ['§5.2: a grant type that is not offered', { grant_type: 'password', username: 'anna', password: 'x' }, 400, 'unsupported_grant_type'],
    ['§5.2: no grant type', {}, 400, 'invalid_request'],
    ['§5.2: a scope that is none', { grant_type: 'client_credentials', scope: 'a"b' }, 400, 'invalid_scope'],
  ])('%s is told as such', async (_, form, status, error) => {
    const answer = await post('/connect/token', form as Record<string, string>, basic());
    expect([answer.status, answer.body['error']]).toEqual([status, error]);
  });

  it('§5.2: a grant that the client may not use is told as such', async () => {
    const { status, body } = await post('/connect/token', { grant_type: 'refresh_token', refresh_token: 'x' }, basic());
    expect([status, body['error']]).toEqual([400, 'unauthorized_client']);
    const asApp = { grant_type: 'client_credentials', client_id: subject.appId };
    expect((await post('/connect/token', asApp)).body['error']).toBe('unauthorized_client');
  });

  it('§5.2: a client that fails with Basic is answered 401 with a challenge for Basic', async () => {
    const answer = await post('/connect/token', { grant_type: 'client_credentials' }, { authorization: `Basic ${btoa('tool_x:y')}` });
    expect([answer.status, answer.body['error'], answer.headers.get('www-authenticate')]).toEqual([
      401,
      'invalid_client',
      expect.stringMatching(/^Basic /),
    ]);
  });

  it('§2.3: two ways to authenticate at once are refused', async () => {
    const { clientId, secret } = subject.repository.toolClient;
    const answer = await post(
      '/connect/token',
      { grant_type: 'client_credentials', client_id: clientId, client_secret: secret.value },
      basic(),
    );
    expect([answer.status, answer.body['error']]).toEqual([400, 'invalid_request']);
  });

  it('§3.2: a parameter that comes twice is refused; the token endpoint takes no GET', async () => {
    const body = 'grant_type=client_credentials&scope=content:read&scope=content:write';
    const twice = await fetch(`${subject.issuer}/connect/token`, {
      method: 'POST',
      headers: { ...basic(), 'content-type': 'application/x-www-form-urlencoded' },
      body,
    });
    expect([twice.status, ((await twice.json()) as { error: string }).error]).toEqual([400, 'invalid_request']);
    expect((await fetch(`${subject.issuer}/connect/token?grant_type=client_credentials`, { headers: basic() })).status).toBe(404);
  });

  it('§6: a refresh may narrow the scope and never widens it', async () => {
    const narrow = await subject.signIn(app, { scope: 'openid offline_access content:read' }).catch(() => undefined);
    const first = narrow ?? (await subject.signIn(app, { scope: 'openid offline_access' }));
    await expect(client.refreshTokenGrant(app, first.refresh_token ?? '', { scope: 'openid offline_access email' })).rejects.toMatchObject({
      error: 'invalid_scope',
    });
    expect((await client.refreshTokenGrant(app, first.refresh_token ?? '', { scope: 'openid' })).access_token).toBeDefined();
  });
});

describe('RFC 6750', () => {
  it('§3: without a token there is a challenge and no error; with a bad one invalid_token', async () => {
    const none = await fetch(`${subject.issuer}/connect/userinfo`);
    const bad = await fetch(`${subject.issuer}/connect/userinfo`, { headers: { authorization: 'Bearer nonsense' } });
    expect([none.status, bad.status]).toEqual([401, 401]);
    expect(none.headers.get('www-authenticate')).toMatch(/^Bearer /);
    expect(none.headers.get('www-authenticate')).not.toContain('error');
    expect(bad.headers.get('www-authenticate')).toMatch(/^Bearer .*error="invalid_token"/);
  });

  it('§2.3 with RFC 9700 §4.3.2: a token in the address is refused', async () => {
    const response = await fetch(`${subject.issuer}/connect/userinfo?access_token=${tokens.access_token}`);
    expect([response.status, await response.text()]).toEqual([400, expect.stringContaining('invalid_request')]);
  });

  it('§3.1: a token that lacks openid is told insufficient_scope', async () => {
    const { access_token: token } = await subject
      .signIn(app, { scope: 'content:read' })
      .catch(async () => client.clientCredentialsGrant(tool));
    const response = await fetch(`${subject.issuer}/connect/userinfo`, { headers: { authorization: `Bearer ${token}` } });
    expect([401, 403]).toContain(response.status);
  });
});

describe('RFC 9068', () => {
  it('§2.1: an access token is a JWT of the type at+jwt, signed, by a key that it names', () => {
    expect(decodeProtectedHeader(tokens.access_token)).toMatchObject({ typ: 'at+jwt', alg: 'ES256', kid: expect.any(String) as string });
  });

  it('§2.2: it has every claim that is required; §3: its audience is the repository API', () => {
    expect(decodeJwt(tokens.access_token)).toMatchObject({
      iss: subject.issuer,
      exp: expect.any(Number) as number,
      aud: subject.repository.repositoryUrl,
      sub: String(subject.anna.id),
      client_id: subject.appId,
      iat: expect.any(Number) as number,
      jti: expect.any(String) as string,
    });
  });

  it('§2.2.3: it says which scopes it has', () => {
    expect(String(decodeJwt(tokens.access_token)['scope']).split(' ')).toEqual(expect.arrayContaining(['openid', 'sensenet']));
  });

  it('§4: an ID token is no access token', async () => {
    const response = await fetch(`${subject.issuer}/connect/userinfo`, { headers: { authorization: `Bearer ${tokens.id_token}` } });
    expect(response.status).toBe(401);
  });
});

describe('RFC 7009', () => {
  it('§2.1: a token that was given back is worth nothing from the answer on', async () => {
    const { access_token: token } = await client.clientCredentialsGrant(tool);
    expect((await client.tokenIntrospection(tool, token)).active).toBe(true);
    await client.tokenRevocation(tool, token);
    expect((await client.tokenIntrospection(tool, token)).active).toBe(false);
  });

  it('§2.1: the hint may be wrong', async () => {
    const { access_token: token } = await client.clientCredentialsGrant(tool);
    await client.tokenRevocation(tool, token, { token_type_hint: 'refresh_token' });
    expect((await client.tokenIntrospection(tool, token)).active).toBe(false);
  });

  it('§2.1: a client that does not authenticate is refused', async () => {
    const { clientId } = subject.repository.toolClient;
    const answer = await post('/connect/revocation', { token: 'x', client_id: clientId });
    expect([answer.status, answer.body['error']]).toEqual([401, 'invalid_client']);
  });

  it('§2.1: nobody gives back the token of another', async () => {
    const { access_token: token } = await client.clientCredentialsGrant(tool);
    await post('/connect/revocation', { token, client_id: subject.appId });
    expect((await client.tokenIntrospection(tool, token)).active).toBe(true);
  });

  it('§2.2: a token that is none is answered 200', async () => {
    expect((await post('/connect/revocation', { token: 'nonsense' }, basic())).status).toBe(200);
    expect((await post('/connect/revocation', { token: 'eyJhbGciOiJFUzI1NiJ9.e30.AA' }, basic())).status).toBe(200);
  });

  it('§2.2.1: without a token it is invalid_request', async () => {
    expect((await post('/connect/revocation', {}, basic())).body['error']).toBe('invalid_request');
  });
});

describe('RFC 7662', () => {
  it('§2.1: whoever asks authenticates', async () => {
    expect((await post('/connect/introspect', { token: 'x' })).status).toBeGreaterThanOrEqual(400);
    expect((await post('/connect/introspect', {}, basic())).body['error']).toBe('invalid_request');
  });

  it('§2.2: a live token is active, with what it is', async () => {
    expect(await client.tokenIntrospection(tool, tokens.access_token)).toMatchObject({
      active: true,
      client_id: subject.appId,
      sub: String(subject.anna.id),
      iss: subject.issuer,
      aud: subject.repository.repositoryUrl,
      token_type: 'Bearer',
      exp: expect.any(Number) as number,
      scope: expect.stringContaining('openid') as string,
    });
  });

  it('§2.2: of every other token nothing is told but that it is not active', async () => {
    const foreign = await subject.foreignToken();
    const [header, claims, signature = ''] = tokens.access_token.split('.');
    const forged = `${header}.${claims}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`;
    for (const token of ['nonsense', foreign, forged, tokens.id_token ?? '']) {
      expect((await post('/connect/introspect', { token }, basic())).body).toEqual({ active: false });
    }
  });

  it('§4: it is not kept by anybody', async () => {
    const { headers } = await post('/connect/introspect', { token: tokens.access_token }, basic());
    expect(headers.get('cache-control')).toContain('no-store');
  });
});
