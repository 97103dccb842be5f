import { InMemoryWebStorage, OidcClient, WebStorageStateStore } from 'oidc-client-ts';
import { Browser } from './testing/browser.js';
import { Customer, postLogoutRedirectUri, redirectUri } from './testing/customer.js';
import { startAuthority, type RunningAuthority } from './testing/running-authority.js';

/* oidc-client-ts, which single-page apps use, as published. `openid-client` is in every other file here. */

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
