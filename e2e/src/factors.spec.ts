import { decodeJwt } from 'jose';
import * as OTPAuth from 'otpauth';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import type { ProvisionedRepositoryView } from '@latchkey/contracts';
import { look, openBrowser, submitSignIn } from './browser.js';
import { authorizeWithCode, discover, openRelyingParty, type RelyingParty } from './relying-party.js';
import { sharedProduct } from './shared-product.js';
import { freshSlug, Tenant } from './tenant.js';

/** People who prove more than a password, in a browser with a device that makes passkeys. */
let tenant: Tenant;
let browser: Browser;
let app: RelyingParty;
let repository: ProvisionedRepositoryView;
/** What the browser was told and did not like: a refused script, a refused style. */
const complaints: string[] = [];

const password = 'correct horse battery staple';

beforeAll(async () => {
  tenant = new Tenant(sharedProduct().credential);
  browser = await openBrowser();
  app = await openRelyingParty();
  repository = await tenant.createRepository(freshSlug('acme'), { redirectUris: [app.redirectUri] });
  await tenant.call('PATCH', `/v1/repositories/${repository.slug}`, { secondFactor: 'forced' });
  for (const loginName of ['anna', 'bert']) await tenant.createUser(repository.slug, { loginName, password });
});
afterAll(async () => {
  await browser?.close();
  await app?.close();
});

/** A profile in which nobody is signed in. */
async function openPage(): Promise<Page> {
  const context: BrowserContext = await browser.newContext();
  const page = await context.newPage();
  // A wrong code answers 401, which the browser mentions too.
  page.on('console', (message) => {
    const expected = message.text().includes('status of 401') || message.location().url.endsWith('/favicon.ico');
    if (message.type() === 'error' && !expected) complaints.push(message.text());
  });
  page.on('pageerror', (error) => void complaints.push(error.message));
  return page;
}

/** A device with a fingerprint reader, as far as the browser can tell, and a finger that is on it or not. */
async function addDevice(page: Page): Promise<{ finger: (on: boolean) => Promise<void> }> {
  const session = await page.context().newCDPSession(page);
  await session.send('WebAuthn.enable');
  const { authenticatorId } = await session.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
  return {
    finger: async (on) => {
      await session.send('WebAuthn.setAutomaticPresenceSimulation', { authenticatorId, enabled: on });
    },
  };
}

/** Signs in for the app. @returns how the ID token says that it was done. */
async function signIn(page: Page, atTheAuthority: () => Promise<void>) {
  const configuration = await discover(repository.authorityUrl, repository.appClient.clientId);
  const tokens = await authorizeWithCode(configuration, page, app, { atTheAuthority });
  const { amr, acr } = decodeJwt(tokens.id_token ?? '');
  return { amr, acr };
}

const enterCode = async (page: Page, code: string) => {
  await page.getByLabel('Code', { exact: true }).fill(code);
  await page
    .getByRole('button', { name: /Continue|Set up/ })
    .first()
    .click();
};

describe('a repository that demands a second factor', () => {
  let totp: OTPAuth.TOTP;
  let codes: string[];

  it('has somebody set up an authenticator app at the first sign-in, and gives them recovery codes', async () => {
    const page = await openPage();
    const how = await signIn(page, async () => {
      await submitSignIn(page, 'anna', password);
      await page.getByRole('heading', { name: 'Set up a second factor' }).waitFor();
      expect(await page.getByRole('img', { name: /QR code/ }).boundingBox()).toMatchObject({ width: 240, height: 240 });
      expect(await look(page, 'second-factor-set-up')).toEqual([]);
      const secret = (await page.locator('.secret').innerText()).replaceAll(' ', '');
      totp = new OTPAuth.TOTP({ secret });
      await enterCode(page, totp.generate());
      await page.getByRole('button', { name: 'I have kept them' }).waitFor();
      codes = await page.locator('.codes code').allInnerTexts();
      expect(await look(page, 'second-factor-recovery-codes')).toEqual([]);
      await page.getByRole('button', { name: 'I have kept them' }).click();
    });
    expect(codes).toHaveLength(10);
    expect(how).toEqual({ amr: ['pwd', 'otp', 'mfa'], acr: 'urn:latchkey:acr:mfa' });
  });

  it('asks for a new code at the next one, and takes no old one', async () => {
    const page = await openPage();
    const how = await signIn(page, async () => {
      await submitSignIn(page, 'anna', password);
      await enterCode(page, totp.generate({ timestamp: Date.now() - 60_000 }));
      await page.getByRole('alert').filter({ hasText: 'wrong or was used before' }).waitFor();
      expect(await look(page, 'second-factor-refused')).toEqual([]);
      await enterCode(page, totp.generate({ timestamp: Date.now() + 30_000 }));
    });
    expect(how.amr).toEqual(['pwd', 'otp', 'mfa']);
  });

  it('lets somebody without their phone in by a recovery code, also without script', async () => {
    const context = await browser.newContext({ javaScriptEnabled: false });
    const page = await context.newPage();
    const how = await signIn(page, async () => {
      await submitSignIn(page, 'anna', password);
      await page.getByText('Use a recovery code').click();
      await page.getByLabel('Recovery code').fill(codes[3] ?? '');
      await page.getByRole('button', { name: 'Continue' }).last().click();
    });
    expect(how.amr).toEqual(['pwd', 'otp', 'mfa']);
  });

  it('takes a passkey as the second factor, and instead of the password', async () => {
    const page = await openPage();
    const device = await addDevice(page);
    await signIn(page, async () => {
      await submitSignIn(page, 'bert', password);
      await page.getByRole('button', { name: 'Use a passkey instead' }).click();
      await page.getByRole('button', { name: 'I have kept them' }).click();
    });

    // The browser may offer a passkey where the user name is typed, and with a finger on it that is a sign-in.
    await page.context().clearCookies();
    await device.finger(false);
    const second = await signIn(page, async () => {
      await submitSignIn(page, 'bert', password);
      await page.getByRole('button', { name: 'Use a passkey' }).waitFor();
      expect(await look(page, 'second-factor-passkey')).toEqual([]);
      await device.finger(true);
      await page.getByRole('button', { name: 'Use a passkey' }).click();
    });
    expect(second.amr).toEqual(['pwd', 'hwk', 'user', 'mfa']);

    await page.context().clearCookies();
    await device.finger(false);
    await page.addInitScript(
      `const { get } = CredentialsContainer.prototype; CredentialsContainer.prototype.get = function (...args) {
        globalThis.asked = true;
        return get.apply(this, args);
      };`,
    );
    const alone = await signIn(page, async () => {
      await page.getByLabel('User name or e-mail').waitFor();
      await page.waitForFunction('globalThis.asked');
      await device.finger(true);
      await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
    });
    expect(alone).toEqual({ amr: ['hwk', 'user', 'mfa'], acr: 'urn:latchkey:acr:mfa' });

    await page.context().clearCookies();
    expect((await signIn(page, async () => {})).amr).toEqual(['hwk', 'user', 'mfa']);
  });

  it('never made the browser complain about what a page may do', () => {
    expect(complaints).toEqual([]);
  });
});
