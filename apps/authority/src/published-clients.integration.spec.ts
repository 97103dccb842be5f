import oidcClient from 'oidc-client';
import { InMemoryWebStorage, OidcClient, WebStorageStateStore } from 'oidc-client-ts';
import * as client from 'openid-client';
import { Browser } from './testing/browser.js';
import { Customer, postLogoutRedirectUri, redirectUri } from './testing/customer.js';
import { startAuthority, type RunningAuthority } from './testing/running-authority.js';

/* What single-page apps use, as published: oidc-client-ts, and the earlier oidc-client, which existing apps still have. `openid-client` is in every other file here. */

let running: RunningAuthority;
let customer: Customer;
let app: OidcClient;

beforeAll(async () => {
  running = await startAuthority();
  customer = await Customer.open(running);
  app = new OidcClient({
    authority: customer.issuer,
    client_id: customer.repository.appClient.clientId,
    redirect_uri: redirectUri,
    post_logout_redirect_uri: postLogoutRedirectUri,
    response_type: 'code',
    scope: 'openid profile offline_access sensenet',
    loadUserInfo: true,
    stateStore: new WebStorageStateStore({ store: new InMemoryWebStorage() }),
  });
});
afterAll(() => running.close());

describe('oidc-client-ts', () => {
  it('signs in, reads the person, renews and signs out', async () => {
    const browser = new Browser(running);
    // As existing apps do, with the repository's address beside.
    const request = await app.createSigninRequest({ extraQueryParams: { snrepo: customer.repository.repositoryUrl } });
    const arrived = await customer.visit(browser, new URL(request.url));
    const signedIn = await app.processSigninResponse(arrived.url.href);
    expect(signedIn.profile).toMatchObject({ sub: String(customer.anna.id), name: 'anna', preferred_username: 'anna' });
    expect(signedIn.refresh_token).toBeDefined();

    const renewed = await app.useRefreshToken({
      state: {
        data: undefined,
        id_token: signedIn.id_token,
        session_state: null,
        scope: signedIn.scope,
        refresh_token: signedIn.refresh_token ?? '',
        profile: signedIn.profile,
      } as never,
    });
    expect([renewed.access_token === signedIn.access_token, renewed.refresh_token === signedIn.refresh_token]).toEqual([false, false]);

    const silent = await app.createSigninRequest({ prompt: 'none', request_type: 'si:s' });
    const again = await browser.follow(silent.url, (at) => at.href.startsWith(customer.issuer));
    expect((await app.processSigninResponse(again.url.href)).profile.sub).toBe(signedIn.profile.sub);

    const out = await app.createSignoutRequest({ id_token_hint: renewed.id_token ?? signedIn.id_token ?? '' });
    expect((await browser.go(out.url)).status).toBe(200);
  });

  it('refuses an answer that is not of the request that it made', async () => {
    const [one, two] = [await app.createSigninRequest({}), await app.createSigninRequest({})];
    const arrived = await customer.visit(new Browser(running), new URL(one.url));
    const mixed = new URL(arrived.url);
    mixed.searchParams.set('state', new URL(two.url).searchParams.get('state') ?? '');
    await expect(app.processSigninResponse(mixed.href)).rejects.toMatchObject({ error: 'invalid_grant' });
  });
});

/** What oidc-client asks with; Node has none. */
class Requests {
  status = 0;
  statusText = '';
  responseText = '';
  responseType = '';
  onload = () => {};
  onerror = () => {};
  #method = 'GET';
  #url = '';
  #type = '';
  readonly #headers = new Headers();

  open(method: string, url: string) {
    this.#method = method;
    this.#url = url;
  }
  setRequestHeader(name: string, value: string) {
    this.#headers.set(name, value);
  }
  getResponseHeader() {
    return this.#type;
  }
  send(body?: string) {
    fetch(this.#url, { method: this.#method, headers: this.#headers, body: body ?? null, signal: AbortSignal.timeout(10_000) })
      .then(async (response) => {
        Object.assign(this, { status: response.status, responseText: await response.text() });
        this.#type = response.headers.get('content-type') ?? '';
        this.onload();
      })
      .catch(() => this.onerror());
  }
}

describe('oidc-client 1.11.5', () => {
  afterAll(() => {
    for (const name of ['window', 'XMLHttpRequest']) Reflect.deleteProperty(globalThis, name);
  });

  it('signs in and reads the person', async () => {
    Object.assign(globalThis, { window: globalThis, XMLHttpRequest: Requests });
    const old = new oidcClient.OidcClient({
      authority: customer.issuer,
      client_id: customer.repository.appClient.clientId,
      redirect_uri: redirectUri,
      response_type: 'code',
      scope: 'openid profile sensenet',
      stateStore: new oidcClient.WebStorageStateStore({ store: new oidcClient.InMemoryWebStorage() }),
    });
    const request = await old.createSigninRequest({ extraQueryParams: { snrepo: customer.repository.repositoryUrl } });
    const arrived = await customer.visit(new Browser(running), new URL(request.url));
    const signedIn = await old.processSigninResponse(arrived.url.href);
    expect(signedIn.profile).toMatchObject({ sub: String(customer.anna.id), name: 'anna' });
    expect(signedIn.access_token).toBeDefined();
  });
});

describe('openid-client', () => {
  it('finds the metadata where OAuth clients look for it (RFC 8414 §3.1), which is not below an issuer with a path', async () => {
    const { clientId } = customer.repository.appClient;
    const options = { algorithm: 'oauth2' as const, execute: [client.allowInsecureRequests] };
    const found = await client.discovery(new URL(customer.issuer), clientId, undefined, client.None(), options);
    expect(found.serverMetadata()).toMatchObject({ issuer: customer.issuer, token_endpoint: `${customer.issuer}/connect/token` });
    const nobody = new URL('/.well-known/oauth-authorization-server/nobody', customer.issuer);
    expect((await fetch(nobody)).status).toBe(404);
  });
});
