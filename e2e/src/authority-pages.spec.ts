import pg from 'pg';
import { openKeptInstallation } from '@latchkey/start/kept-installation';
import { decodeJwt } from 'jose';
import * as client from 'openid-client';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import type { ProvisionedRepositoryView, UserView } from '@latchkey/contracts';
import { accessibilityFaults, keepPicture, keepPictures, layoutFaults, look, openBrowser, submitSignIn } from './browser.js';
import type { RunningProduct } from './product.js';
import { authorizeWithCode, discover, openPassingOn, openRelyingParty, openSinglePageApp, type RelyingParty } from './relying-party.js';
import { sharedProduct } from './shared-product.js';
import { freshSlug, Tenant } from './tenant.js';

/** The pages of an authority in a browser: whom they belong to, who can use them, what apps make of them, and signing in with another authority. */
let product: RunningProduct;
let tenant: Tenant;
let browser: Browser;
let app: RelyingParty;
let home: ProvisionedRepositoryView;
let elsewhere: ProvisionedRepositoryView;
let anna: UserView;

const password = 'correct horse battery staple';
/** A red square. */
const logo =
  'iVBORw0KGgoAAAANSUhEUgAAABgAAAAYCAIAAABvFaqvAAAAJElEQVR42mO4paZGFcQwatCoQaMGjRo0atCoQaMGjRo0atBAGAQAVQfyLYLNHbsAAAAASUVORK5CYII=';

beforeAll(async () => {
  product = sharedProduct();
  tenant = new Tenant(product.credential);
  browser = await openBrowser();
  app = await openRelyingParty();
  home = await tenant.createRepository(freshSlug('home'), { name: 'Harbour Books', redirectUris: [app.redirectUri] });
  elsewhere = await tenant.createRepository(freshSlug('elsewhere'), {
    name: 'Elsewhere',
    redirectUris: [`${home.authorityUrl}/federation/callback/elsewhere`],
  });
  const person = { loginName: 'anna', password, email: 'anna@example.com' };
  anna = await tenant.createUser(home.slug, person);
  await tenant.createUser(elsewhere.slug, person);
  await verifyAddresses(elsewhere);
  await change('PATCH', home, '', { branding: { accentColor: '#c2410c' } });
  await change('PUT', home, '/logo', { image: logo });
  const provider = {
    id: 'elsewhere',
    kind: 'oidc',
    name: 'Elsewhere',
    issuer: elsewhere.authorityUrl,
    clientId: elsewhere.appClient.clientId,
  };
  await change('POST', home, '/identity-providers', provider);
});

afterAll(async () => {
  await browser?.close();
  await app?.close();
});

async function change(method: string, { slug }: ProvisionedRepositoryView, path: string, body: unknown): Promise<void> {
  const response = await tenant.call(method, `/v1/repositories/${slug}${path}`, body);
  if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${await response.text()}`);
}

/** As if everybody there had opened the link in their mail. */
async function verifyAddresses({ id }: ProvisionedRepositoryView): Promise<void> {
  const owner = new pg.Client({ connectionString: (await openKeptInstallation(product.dataDir, {})).ownerUrl });
  await owner.connect();
  await owner.query('UPDATE latchkey.repository_users SET email_verified_at = now() WHERE repository_id = $1', [id]);
  await owner.end();
}

async function openPage(options: BrowserContextOptions = {}): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 390, height: 844 }, ...options });
  return context.newPage();
}

/** Signs in at home as an app sends somebody there. @returns who they are. */
async function signIn(page: Page, atTheAuthority: (page: Page) => Promise<void>): Promise<{ sub: string | undefined; amr: unknown }> {
  const configuration = await discover(home.authorityUrl, home.appClient.clientId);
  const tokens = await authorizeWithCode(configuration, page, app, { scope: 'openid', atTheAuthority });
  const { sub, amr } = decodeJwt(tokens.id_token ?? '');
  return { sub, amr };
}

/** A request of an app that is at another address than ours. */
async function authorizationUrl(configuration: client.Configuration, redirectUri: string): Promise<URL> {
  return client.buildAuthorizationUrl(configuration, {
    redirect_uri: redirectUri,
    scope: 'openid',
    code_challenge: await client.calculatePKCECodeChallenge(client.randomPKCECodeVerifier()),
    code_challenge_method: 'S256',
  });
}

/** Opens the sign-in page and stays there. */
async function openSignIn(page: Page): Promise<void> {
  const arrived = signIn(page, (at) => at.waitForURL('nowhere', { timeout: 1 }).catch(() => Promise.reject(new Error('stays')))).catch(
    (error: Error) => error.message,
  );
  expect(await arrived).toBe('stays');
}

/** What is wrong with a page, for whoever cannot see it or uses no mouse, and in its layout. */
async function faults(page: Page): Promise<string[]> {
  const found = [...(await accessibilityFaults(page)), ...(await layoutFaults(page, [page.viewportSize()?.width ?? 390]))];
  return found.map((fault) => `${page.url().replace(/[\w-]{30,}/g, '…')}: ${fault}`);
}

/** Run in the browser. */
const background = (element: unknown) =>
  (globalThis as never as { getComputedStyle: (of: unknown) => { backgroundColor: string } }).getComputedStyle(element).backgroundColor;
const width = (image: unknown) => (image as { naturalWidth: number }).naturalWidth;

const sizes = [
  { width: 390, height: 844 },
  { width: 1440, height: 900 },
];

describe('the pages of an authority', () => {
  it('can be used by everybody (WCAG 2.2 AA), on a phone and a wide screen, in light and in dark', async () => {
    const page = await openPage();
    const found: string[] = [];
    const see = async (name: string) => {
      const faults = [...(await look(page, `${name}-390`)), ...(await layoutFaults(page, [1440, 390]))];
      found.push(...faults.map((fault) => `${name}: ${fault}`));
      if (name === 'sign-in') await keepPictures(page, name, [1440, 390]);
    };
    await openSignIn(page);
    await see('sign-in');
    await submitSignIn(page, 'anna', 'wrong');
    await page.getByRole('alert').waitFor();
    await see('sign-in-refused');
    for (const [name, path] of [
      ['message', '/invitation/' + 'a'.repeat(43)],
      ['forgotten-password', '/forgotten-password'],
      ['request-refused', '/connect/authorize?client_id=nobody'],
      ['nowhere', '/nowhere'],
    ] as const) {
      await page.goto(home.authorityUrl + path);
      await see(name);
    }
    const { link } = (await (await tenant.call('POST', `/v1/repositories/${home.slug}/users/${anna.id}/invite`, {})).json()) as {
      link: string;
    };
    await page.goto(link);
    await see('invitation');
    await page.goto(`${home.authorityUrl}/account`);
    await submitSignIn(page, 'anna', password);
    await page.waitForURL(`${home.authorityUrl}/account`);
    await see('account');
    await page.goto(`${home.authorityUrl}/connect/endsession`);
    await see('sign-out');
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByText('You are signed out').waitFor();
    await see('signed-out');
    expect(found).toEqual([]);
    await page.context().close();
  });

  it('are in the colours and with the logo of their repository, which the policy of the page allows', async () => {
    const page = await openPage();
    const refused: string[] = [];
    page.on('console', (message) => void refused.push(message.text()));
    await openSignIn(page);
    const button = page.getByRole('button', { name: 'Sign in', exact: true });
    expect(await button.evaluate(background)).toBe('rgb(194, 65, 12)');
    expect(await page.locator('img.logo').evaluate(width)).toBe(24);
    expect(refused).toEqual([]);
    await page.context().close();
  });

  it('work with the keyboard alone and without scripts: focus goes from top to bottom, and what is wrong is announced', async () => {
    const page = await openPage({ javaScriptEnabled: false });
    // A page gives the focus a moment after it is there; who types waits to see where.
    const focused = (name: string) => page.locator(`input[name=${name}]:focus`).waitFor();
    const type = async (login: string, secret: string) => {
      await focused('login');
      await page.keyboard.type(login);
      await page.keyboard.press('Tab');
      await page.keyboard.type(secret);
      await page.keyboard.press('Tab');
      await page.keyboard.press('Enter');
    };
    const { sub, amr } = await signIn(page, async () => {
      await type('anna', 'wrong');
      await page.getByRole('alert').waitFor();
      expect(await page.getByRole('alert').textContent()).toBe('User name or password is wrong.');
      expect(await page.getByLabel('Password').getAttribute('aria-describedby')).toContain('fault');
      // The name is still there, and what was wrong has the focus.
      await focused('password');
      await page.keyboard.type(password);
      await page.keyboard.press('Enter');
    });
    expect([sub, amr]).toEqual([String(anna.id), ['pwd']]);
    await page.context().close();
  });
});

describe('signing in with another authority', () => {
  it('connects a person who proves both, once; from then on the other is enough', async () => {
    const page = await openPage({ viewport: sizes[1] ?? null });
    const first = await signIn(page, async () => {
      await page.getByRole('link', { name: 'Sign in with Elsewhere' }).click();
      await page.getByText('Elsewhere', { exact: true }).first().waitFor();
      await submitSignIn(page, 'anna', password);
      await page.getByRole('status').waitFor();
      await page.setViewportSize(sizes[0] ?? { width: 390, height: 844 });
      expect(await faults(page)).toEqual([]);
      await keepPicture(page, 'connect-390-light');
      await submitSignIn(page, 'anna', password);
    });
    expect(first).toEqual({ sub: String(anna.id), amr: ['pwd'] });
    await page.context().close();

    // Now the account says with whom one is connected.
    const theirs = await openPage();
    await theirs.goto(`${home.authorityUrl}/account`);
    await submitSignIn(theirs, 'anna', password);
    await theirs.getByRole('heading', { name: 'Signing in with others' }).waitFor();
    expect(await faults(theirs)).toEqual([]);
    await keepPicture(theirs, 'account-connected-390-light');
    await theirs.context().close();

    const later = await openPage();
    const second = await signIn(later, async () => {
      await later.getByRole('link', { name: 'Sign in with Elsewhere' }).click();
      await later.getByText('Elsewhere', { exact: true }).first().waitFor();
      await submitSignIn(later, 'anna', password);
    });
    expect(second).toEqual({ sub: String(anna.id), amr: ['fed'] });
    await later.context().close();
  });
});

describe('an app', () => {
  /** Lets the app client be sent back to an app. */
  const register = (origin: string, callbacks: string[]) =>
    change('PATCH', home, `/clients/${home.appClient.clientId}`, {
      redirectUris: [app.redirectUri, ...callbacks.map((path) => `${origin}${path}`)],
      postLogoutRedirectUris: [`${origin}/bye`],
    });

  it('on another origin renews silently in a hidden frame, by itself, until its user is signed out', async () => {
    const spa = await openSinglePageApp();
    await register(spa.origin, ['/callback', '/silent']);
    const settings = JSON.stringify({
      authority: home.authorityUrl,
      client_id: home.appClient.clientId,
      redirect_uri: `${spa.origin}/callback`,
      silent_redirect_uri: `${spa.origin}/silent`,
      // Without offline_access there is no refresh token, and so the library renews in a frame.
      scope: 'openid profile',
      automaticSilentRenew: false,
    });
    const page = await openPage();
    const frames: string[] = [];
    page.on('framenavigated', (frame) => void (frame === page.mainFrame() || frames.push(new URL(frame.url()).origin)));
    await page.goto(spa.origin);
    await page.evaluate(`void new oidc.UserManager(${settings}).signinRedirect()`);
    await submitSignIn(page, 'anna', password);
    await page.waitForURL(`${spa.origin}/callback?*`);
    const first = await page.evaluate<[string, string, boolean]>(
      `(async () => {
        globalThis.manager = new oidc.UserManager(${settings});
        const user = await manager.signinRedirectCallback();
        return [user.profile.sub, user.access_token, 'refresh_token' in user && user.refresh_token !== undefined];
      })()`,
    );
    expect([first[0], first[2]]).toEqual([String(anna.id), false]);

    // As if the token were about to end, so that no test waits ten minutes.
    const renewed = await page.evaluate<[string, string]>(
      `new Promise((resolve, reject) => {
        const early = { accessTokenExpiringNotificationTimeInSeconds: 599, automaticSilentRenew: true };
        const renewing = new oidc.UserManager({ ...${settings}, ...early });
        renewing.events.addUserLoaded((user) => { renewing.stopSilentRenew(); resolve([user.profile.sub, user.access_token]); });
        renewing.events.addSilentRenewError(reject);
        void renewing.getUser();
      })`,
    );
    expect([renewed[0], renewed[1] === first[1]]).toEqual([String(anna.id), false]);
    expect(frames).toContain(spa.origin);

    await tenant.call('POST', `/v1/repositories/${home.slug}/users/${anna.id}/sign-out`);
    // It is told so, and no page to sign in at is shown where nobody sees it.
    expect(await page.evaluate<string>(`manager.signinSilent().then(() => 'renewed', ({ error }) => error)`)).toBe('login_required');
    await page.context().close();
    await spa.close();
  });

  it('that sends people on to another origin at once gets them back, from signing in and from signing out', async () => {
    const passing = await openPassingOn(new URL(app.redirectUri).origin);
    await register(passing.origin, ['/callback']);
    const configuration = await discover(home.authorityUrl, home.appClient.clientId);
    for (const javaScriptEnabled of [true, false]) {
      const page = await openPage({ javaScriptEnabled });
      await page.goto((await authorizationUrl(configuration, `${passing.origin}/callback`)).href);
      await submitSignIn(page, 'anna', password);
      await page.waitForURL(`${app.redirectUri}?*code=*`);
      const out = client.buildEndSessionUrl(configuration, { post_logout_redirect_uri: `${passing.origin}/bye` });
      await page.goto(out.href);
      await page.getByRole('button', { name: 'Sign out' }).click();
      await page.waitForURL(`${app.postLogoutUri}*`);
      await page.context().close();
    }
    await passing.close();
  });

  it('on a command line gets tokens when its code is entered in a browser, confirmed and signed in with', async () => {
    await change('PATCH', home, '', { deviceFlow: true });
    const configuration = await discover(home.authorityUrl, home.appClient.clientId);
    const device = await client.initiateDeviceAuthorization(configuration, { scope: 'openid' });
    const poll = () =>
      client.genericGrantRequest(configuration, 'urn:ietf:params:oauth:grant-type:device_code', { device_code: device.device_code });
    await expect(poll()).rejects.toMatchObject({ error: 'authorization_pending' });
    const page = await openPage();
    const look = async (name: string) => {
      expect(await faults(page)).toEqual([]);
      await keepPicture(page, `${name}-390-light`);
    };
    await page.goto(device.verification_uri);
    await look('device-code');
    await page.getByLabel('Code').fill('BBBB-BBBB');
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.getByRole('alert').filter({ hasText: 'There is no such code' }).waitFor();
    await page.getByLabel('Code').fill(device.user_code.toLowerCase());
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.getByText(device.user_code).waitFor();
    await look('device-confirm');
    await page.getByRole('button', { name: 'Yes, sign it in' }).click();
    await submitSignIn(page, 'anna', password);
    await page.getByText('Your device is signed in').waitFor();
    await look('device-done');
    const tokens = await poll();
    expect(decodeJwt(tokens.access_token).sub).toBe(String(anna.id));
    await page.context().close();
  });
});
