import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import * as client from 'openid-client';
import { Browser, hiddenField } from './testing/browser.js';
import { Customer, parameterOf, postLogoutRedirectUri } from './testing/customer.js';
import { startAuthority, type RunningAuthority } from './testing/running-authority.js';

/* Signing out (OpenID Connect RP-Initiated Logout 1.0), and telling the apps (Back-Channel Logout 1.0). */

let running: RunningAuthority;
let customer: Customer;
let app: client.Configuration;
let server: Server;
let told: string[] = [];
let status = 200;

beforeAll(async () => {
  running = await startAuthority();
  customer = await Customer.open(running);
  app = await customer.discover();
  server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      told.push(new URLSearchParams(body).get('logout_token') ?? '');
      response.writeHead(status, { location: '/elsewhere' }).end();
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
});
afterAll(async () => {
  server.close();
  await running.close();
});
beforeEach(() => {
  told = [];
  status = 200;
});

const tellAt = (backchannelLogoutUri: string | null) =>
  customer.clients.update(customer.tenant.machine, customer.slug, customer.repository.appClient.clientId, { backchannelLogoutUri });
const receiver = () => `http://localhost:${(server.address() as AddressInfo).port}/signed-out`;

async function signOut(browser: Browser, parameters: Record<string, string>, choice: Record<string, string> = { logout: 'yes' }) {
  const page = await (await browser.go(client.buildEndSessionUrl(app, parameters))).text();
  const answer = await browser.go(`${customer.issuer}/connect/endsession/confirm`, { xsrf: hiddenField(page, 'xsrf'), ...choice });
  return { page, answer, location: answer.headers.get('location') ?? '' };
}
const isSignedIn = async (browser: Browser) => {
  const { url } = await customer.request(app, { prompt: 'none' });
  const { url: back } = await browser.follow(url, (at) => at.href.startsWith(customer.issuer));
  return parameterOf(back, 'code') !== null;
};

describe('signing out', () => {
  it('leads back to the app with its state, and ends session, refresh token and access token', async () => {
    const browser = new Browser(running);
    const tokens = await customer.signIn(app, {}, { browser });
    const { location } = await signOut(browser, {
      id_token_hint: tokens.id_token ?? '',
      post_logout_redirect_uri: postLogoutRedirectUri,
      state: 'kept',
    });
    expect(location).toBe(`${postLogoutRedirectUri}?state=kept`);
    expect(await isSignedIn(browser)).toBe(false);
    await expect(client.refreshTokenGrant(app, tokens.refresh_token ?? '')).rejects.toMatchObject({ error: 'invalid_grant' });
    await expect(client.fetchUserInfo(app, tokens.access_token, client.skipSubjectCheck)).rejects.toMatchObject({ status: 401 });
  });

  it('asks first, and somebody who stays is still signed in', async () => {
    const browser = new Browser(running);
    await customer.signIn(app, {}, { browser });
    const { page } = await signOut(browser, { post_logout_redirect_uri: postLogoutRedirectUri }, {});
    expect(page).toContain('Sign out?');
    expect(page).not.toContain('<script');
    expect(await isSignedIn(browser)).toBe(true);
  });

  it('leads nowhere that was not registered, be it only by a path, a port or a look-alike', async () => {
    for (const uri of [
      'https://app.example.com/other',
      'https://app.example.com:444/bye',
      'https://app.example.com.evil.example/bye',
      'javascript:alert(1)',
    ]) {
      const browser = new Browser(running);
      const tokens = await customer.signIn(app, {}, { browser });
      const answer = await browser.go(
        client.buildEndSessionUrl(app, { id_token_hint: tokens.id_token ?? '', post_logout_redirect_uri: uri }),
      );
      expect([uri, answer.status, answer.headers.get('location')]).toEqual([uri, 400, null]);
    }
  });

  it('takes a form from its own page alone', async () => {
    const browser = new Browser(running);
    await customer.signIn(app, {}, { browser });
    const forged = await browser.go(`${customer.issuer}/connect/endsession/confirm`, { logout: 'yes', xsrf: 'made up' });
    expect(forged.status).toBe(400);
    expect(await isSignedIn(browser)).toBe(true);
  });
});

describe('an app that wants to be told', () => {
  it('gets a logout token that it can verify, for the session that ended', async () => {
    await tellAt(receiver());
    const browser = new Browser(running);
    const tokens = await customer.signIn(app, {}, { browser });
    await signOut(browser, { id_token_hint: tokens.id_token ?? '' });
    expect(told).toHaveLength(1);
    const { payload, protectedHeader } = await jwtVerify(
      told[0] ?? '',
      createRemoteJWKSet(new URL(`${customer.issuer}/.well-known/jwks`)),
      {
        issuer: customer.issuer,
        audience: customer.repository.appClient.clientId,
      },
    );
    // Back-Channel Logout 1.0 §2.4: an event, an id, whose session; and no nonce, so that it is not taken for an ID token.
    expect(protectedHeader.typ).toBe('logout+jwt');
    expect(payload).toMatchObject({
      sub: String(customer.anna.id),
      sid: tokens.claims()?.['sid'],
      jti: expect.any(String) as string,
      events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
    });
    expect(payload).not.toHaveProperty('nonce');
    expect(tokens.claims()?.['sid']).toBeDefined();
  });

  it('that does not answer, or redirects, keeps nobody signed in', async () => {
    status = 302;
    await tellAt(receiver());
    const browser = new Browser(running);
    await customer.signIn(app, {}, { browser });
    await signOut(browser, {});
    expect([told.length, await isSignedIn(browser)]).toEqual([1, false]);
    await tellAt('http://localhost:1/gone');
    const other = new Browser(running);
    await customer.signIn(app, {}, { browser: other });
    await signOut(other, {});
    expect(await isSignedIn(other)).toBe(false);
    await tellAt(null);
  });

  it('is never called inside unless the operator allows it', async () => {
    await tellAt(receiver());
    const browser = new Browser(running);
    await customer.signIn(app, {}, { browser });
    Object.assign(running.authority, { allowPrivateAddresses: false });
    try {
      await signOut(browser, {});
    } finally {
      Object.assign(running.authority, { allowPrivateAddresses: true });
    }
    expect(told).toEqual([]);
    expect(await isSignedIn(browser)).toBe(false);
  });
});
