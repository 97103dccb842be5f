import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose';
import * as client from 'openid-client';
import { sendLogoutToken } from '@latchkey/credentials';
import { newId } from '@latchkey/database';
import type { JobData } from '@latchkey/jobs';
import { endSession, OwnAccounts, UserSessions } from '@latchkey/tenancy';
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

const call = { requestId: newId(), address: '192.0.2.7' };
const act = { call, language: 'en' } as const;
const home = () => ({ ...customer.repository, tenantId: customer.tenant.id });
const sessions = () => new UserSessions(running.database);
const accounts = () => new OwnAccounts(running.database, running.options.peppers);
const setEnabled = (enabled: boolean) => customer.users.update(customer.tenant.machine, customer.slug, customer.anna.id, { enabled });
async function changePassword(session: string): Promise<void> {
  const password = 'correct horse battery staple';
  await accounts().changePassword(home(), { userId: customer.anna.id, session }, { present: password, next: password }, act);
}
const tellAt = (backchannelLogoutUri: string | null) =>
  customer.clients.update(customer.tenant.machine, customer.slug, customer.repository.appClient.clientId, { backchannelLogoutUri });
const receiver = () => `http://localhost:${(server.address() as AddressInfo).port}/signed-out`;

async function signOut(
  browser: Browser,
  parameters: Record<string, string>,
  choice: Record<string, string> = { logout: 'yes' },
  url = client.buildEndSessionUrl(app, parameters),
) {
  const page = await (await browser.go(url)).text();
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

  it('can be asked for by a form too (RP-Initiated Logout 1.0 §2)', async () => {
    const browser = new Browser(running);
    const tokens = await customer.signIn(app, {}, { browser });
    const form = { id_token_hint: tokens.id_token ?? '', post_logout_redirect_uri: postLogoutRedirectUri, state: 'kept' };
    const sent = await browser.go(`${customer.issuer}/connect/endsession`, form, { origin: 'https://app.example.com' });
    const { location } = await signOut(browser, {}, { logout: 'yes' }, new URL(sent.headers.get('location') ?? ''));
    expect([sent.status, location, await isSignedIn(browser)]).toEqual([303, `${postLogoutRedirectUri}?state=kept`, false]);
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

/** Does what the worker does with what it is asked for. */
async function tell(allowPrivateAddresses = true): Promise<unknown[]> {
  const { database, authority, test } = running;
  const { rows } = await test.owner.query<{ data: JobData<'logout.tell'> }>(
    `DELETE FROM outbox WHERE name = 'logout.tell' AND data->>'repositoryId' = $1 RETURNING data`,
    [customer.repository.id],
  );
  const options = { database, encryption: authority.encryption, authorityUrls: running.options.authorityUrls, allowPrivateAddresses };
  const sent = rows.map(({ data }) => sendLogoutToken(options, data, new AbortController().signal));
  return (await Promise.allSettled(sent)).map((each) => (each.status === 'rejected' ? (each.reason as Error).message : 'understood'));
}
const sidOf = (token: string) => decodeJwt(token)['sid'];

describe('an app that wants to be told', () => {
  it('gets a logout token that it can verify, for the session that ended', async () => {
    await tellAt(receiver());
    const browser = new Browser(running);
    const tokens = await customer.signIn(app, {}, { browser });
    await signOut(browser, { id_token_hint: tokens.id_token ?? '' });
    expect(await tell()).toEqual(['understood']);
    expect(told).toHaveLength(1);
    const { payload, protectedHeader } = await jwtVerify(
      told[0] ?? '',
      createRemoteJWKSet(new URL(`${customer.issuer}/.well-known/jwks`)),
      {
        issuer: customer.issuer,
        audience: customer.repository.appClient.clientId,
      },
    );
    // Back-Channel Logout 1.0 §2.4: an event, an id, whose session, its end; and no nonce, so that it is not taken for an ID token.
    expect(protectedHeader.typ).toBe('logout+jwt');
    expect(payload).toMatchObject({
      sub: String(customer.anna.id),
      sid: tokens.claims()?.['sid'],
      jti: expect.any(String) as string,
      exp: (payload.iat ?? 0) + 120,
      events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
    });
    expect(payload).not.toHaveProperty('nonce');
    expect(tokens.claims()?.['sid']).toBeDefined();
  });

  it.each<[string, (session: string) => Promise<unknown>, 'latest' | 'first' | 'both']>([
    ['they end at the page of their account', (session) => endSession(running.database, home(), customer.anna.id, session, call), 'latest'],
    ['the tenant ends', (session) => sessions().end(customer.tenant.machine, customer.slug, customer.anna.id, session), 'latest'],
    ['ends when they sign out everywhere', () => accounts().signOutEverywhere(home(), customer.anna.id, act), 'both'],
    ['ends when the tenant signs them out', () => sessions().signOut(customer.tenant.machine, customer.slug, customer.anna.id), 'both'],
    ['ends when their password is changed, but not of the one in which it was', (session) => changePassword(session), 'first'],
    ['ends when they are disabled', () => setEnabled(false), 'both'],
  ])('is told of each session that %s', async (_, end, which) => {
    await tellAt(receiver());
    const [one, other] = [await customer.signIn(app), await customer.signIn(app)];
    const { items } = await sessions().list(customer.tenant.machine, customer.slug, customer.anna.id);
    // The one used last comes first.
    await end(items[0]?.id ?? '');
    expect(await tell()).toEqual(Array<string>(which === 'both' ? 2 : 1).fill('understood'));
    const [latest, first] = [other.claims()?.['sid'], one.claims()?.['sid']];
    const expected = { latest: [latest], first: [first], both: [latest, first] }[which];
    expect(new Set(told.map(sidOf))).toEqual(new Set(expected));
    await tellAt(null);
    await setEnabled(true);
    await sessions().signOut(customer.tenant.machine, customer.slug, customer.anna.id);
  });

  it('is told again until it answers, and keeps nobody signed in by redirecting or being away', async () => {
    status = 302;
    await tellAt(receiver());
    const browser = new Browser(running);
    await customer.signIn(app, {}, { browser });
    await signOut(browser, {});
    expect(await isSignedIn(browser)).toBe(false);
    expect([await tell(), told.length]).toEqual([['the app answered 302'], 1]);
    await tellAt('http://localhost:1/gone');
    const other = new Browser(running);
    await customer.signIn(app, {}, { browser: other });
    await signOut(other, {});
    expect([await isSignedIn(other), await tell()]).toEqual([false, ['The receiver could not be reached: ECONNREFUSED']]);
    await tellAt(null);
  });

  it('is never called inside unless the operator allows it', async () => {
    await tellAt(receiver());
    const browser = new Browser(running);
    await customer.signIn(app, {}, { browser });
    await signOut(browser, {});
    expect([await tell(false), told]).toEqual([['The receiver is at an address that is not public, which is refused'], []]);
  });

  it('that no longer wants to know, or never did, is not told', async () => {
    await tellAt(receiver());
    const [one, other] = [new Browser(running), new Browser(running)];
    await customer.signIn(app, {}, { browser: one });
    await customer.signIn(app, {}, { browser: other });
    await signOut(one, {});
    await tellAt(null);
    await signOut(other, {});
    expect([await tell(), told]).toEqual([['understood'], []]);
  });
});
