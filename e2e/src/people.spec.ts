import { decodeJwt } from 'jose';
import type { Configuration } from 'openid-client';
import * as client from 'openid-client';
import type { Browser, Page } from 'playwright-core';
import type { ProvisionedRepositoryView, UserSessionView, UserView } from '@latchkey/contracts';
import { look, openBrowser, submitSignIn } from './browser.js';
import { linkIn, takeMail } from './mail.js';
import type { RunningProduct } from './product.js';
import { authorizeWithCode, discover, openLogoutReceiver, openRelyingParty, type RelyingParty } from './relying-party.js';
import { sharedProduct } from './shared-product.js';
import { freshSlug, Tenant } from './tenant.js';

/** What a person does with their own account, in a browser and with the mails that really went out. */
let product: RunningProduct;
let tenant: Tenant;
let browser: Browser;
let app: RelyingParty;
let repository: ProvisionedRepositoryView;
let configuration: Configuration;
let anna: UserView;

const first = 'correct horse battery staple';
const second = 'seven purple tractors sing';
const third = 'nine quiet rivers bend west';

beforeAll(async () => {
  product = sharedProduct();
  tenant = new Tenant(product.credential);
  browser = await openBrowser();
  app = await openRelyingParty();
  repository = await tenant.createRepository(freshSlug('people'), { redirectUris: [app.redirectUri] });
  configuration = await discover(repository.authorityUrl, repository.appClient.clientId);
  const made = await tenant.call('POST', `/v1/repositories/${repository.slug}/users`, { loginName: 'anna', email: 'anna@people.example' });
  anna = (await made.json()) as UserView;
});

afterAll(async () => {
  await browser?.close();
  await app?.close();
});

const openPage = async () => (await browser.newContext()).newPage();
const accountUrl = () => `${repository.authorityUrl}/account`;

async function setPassword(page: Page, password: string): Promise<void> {
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByLabel('Password again').fill(password);
  await page.getByRole('button', { name: 'Set password' }).click();
}

async function openAccount(page: Page, password: string): Promise<void> {
  await page.goto(accountUrl());
  await submitSignIn(page, 'anna', password);
  await page.waitForURL(accountUrl());
}

describe('a person', () => {
  let here: Page;

  it('takes up an account by the link that was mailed, which also verifies the address', async () => {
    await tenant.call('POST', `/v1/repositories/${repository.slug}/users/${anna.id}/invite`);
    here = await openPage();
    await here.goto(linkIn(await takeMail(product, 'anna@people.example', 'Your invitation')));
    await setPassword(here, 'too short');
    expect(
      await here.getByLabel('Password', { exact: true }).evaluate((field: { validity: { tooShort: boolean } }) => field.validity.tooShort),
    ).toBe(true);
    await setPassword(here, first);
    await here.getByText('You can now sign in as anna.').waitFor();
    const tokens = await authorizeWithCode(configuration, here, app, { atTheAuthority: (page) => submitSignIn(page, 'anna', first) });
    expect(tokens.claims()).toBeDefined();
    const claims = await client.fetchUserInfo(configuration, tokens.access_token, client.skipSubjectCheck);
    expect(claims).toMatchObject({ email: 'anna@people.example', email_verified: true });
  });

  it('is told when the password is wrong, and replaces a forgotten one by mail, which ends every session', async () => {
    const there = await openPage();
    await there.goto(accountUrl());
    await submitSignIn(there, 'anna', 'not the right one');
    await there.getByText('User name or password is wrong.').waitFor();
    await there.getByRole('link', { name: 'Forgotten your password?' }).click();
    await there.getByLabel('User name or e-mail').fill('anna@people.example');
    await there.getByRole('button', { name: 'Send the link' }).click();
    await there.getByText('Look into your e-mail').waitFor();
    const link = linkIn(await takeMail(product, 'anna@people.example', 'Set a new password'));
    await there.goto(link);
    expect(await look(there, 'new-password')).toEqual([]);
    await setPassword(there, second);
    await there.getByText('Your password is set').waitFor();
    expect(await takeMail(product, 'anna@people.example', 'was changed')).toContain('If it was not you');
    await there.goto(link);
    await there.getByText('This link works no longer').waitFor();

    await here.goto(accountUrl());
    await submitSignIn(here, 'anna', second);
    await here.waitForURL(accountUrl());
  });

  it('changes the address, which counts once the link that was sent there is opened', async () => {
    await here.getByLabel('E-mail').fill('new@people.example');
    await here.getByRole('button', { name: 'Send a link to this address' }).click();
    await here.getByText('A link is on its way').waitFor();
    expect(await here.getByLabel('E-mail').inputValue()).toBe('anna@people.example');
    const elsewhere = await openPage();
    await elsewhere.goto(linkIn(await takeMail(product, 'new@people.example', 'Confirm your e-mail address')));
    expect(await look(elsewhere, 'verify-email')).toEqual([]);
    await elsewhere.getByRole('button', { name: 'Confirm' }).click();
    await elsewhere.getByText('new@people.example is now the address').waitFor();
    await takeMail(product, 'anna@people.example', 'Your e-mail address');
    await here.goto(accountUrl());
    expect(await here.getByLabel('E-mail').inputValue()).toBe('new@people.example');
    expect(await here.getByText('Confirmed.').count()).toBe(1);
    await here.getByRole('button', { name: 'Add an authenticator app' }).click();
    await here.getByRole('img', { name: /QR code/ }).waitFor();
    expect(await look(here, 'account-set-up-authenticator')).toEqual([]);
    await here.goto(accountUrl());
  });

  it('sees where they are signed in, and a change of password ends the other browser’s session', async () => {
    const there = await openPage();
    const tokens = await authorizeWithCode(configuration, there, app, { atTheAuthority: (page) => submitSignIn(page, 'anna', second) });
    expect(await takeMail(product, 'new@people.example', 'New sign-in')).toContain('Chrome on Linux');
    await here.goto(accountUrl());
    expect(await here.getByRole('button', { name: /^Sign out (?!everywhere)/ }).count()).toBe(2);
    expect(await here.getByText('this browser').count()).toBe(1);
    await here.getByLabel('Present password').fill(second);
    await here.getByLabel('New password').fill(third);
    await here.getByLabel('Password again').fill(third);
    await here.getByRole('button', { name: 'Change password' }).click();
    await here.getByText('Your password is changed.').waitFor();
    expect(await here.getByRole('button', { name: /^Sign out (?!everywhere)/ }).count()).toBe(1);
    await expect(client.fetchUserInfo(configuration, tokens.access_token, client.skipSubjectCheck)).rejects.toThrow();
    await there.goto(accountUrl());
    await there.getByRole('button', { name: 'Sign in', exact: true }).waitFor();
    await here.goto(accountUrl());
    await here.getByText('this browser').waitFor();
  });

  it('signs out everywhere, of which apps are told that want to be, or is signed out by the tenant', async () => {
    const receiver = await openLogoutReceiver();
    const change = { backchannelLogoutUri: `${receiver.origin}/signed-out` };
    await tenant.call('PATCH', `/v1/repositories/${repository.slug}/clients/${repository.appClient.clientId}`, change);
    const { id_token } = await authorizeWithCode(configuration, here, app);
    await here.goto(accountUrl());
    await here.getByRole('button', { name: 'Sign out everywhere' }).click();
    await here.getByText('You are signed out everywhere').waitFor();
    const none = new Promise<never>((_, reject) => setTimeout(() => reject(new Error('no logout token came')), 30_000).unref());
    const { aud, sid } = decodeJwt(await Promise.race([receiver.token, none]));
    expect([aud, sid]).toEqual([repository.appClient.clientId, decodeJwt(id_token ?? '')['sid']]);
    await receiver.close();
    await openAccount(here, third);
    const path = `/v1/repositories/${repository.slug}/users/${anna.id}`;
    const { items } = (await (await tenant.call('GET', `${path}/sessions`)).json()) as { items: UserSessionView[] };
    expect(items).toHaveLength(1);
    expect(await (await tenant.call('POST', `${path}/sign-out`)).json()).toMatchObject({
      cutoff: { effectiveAt: expect.any(String) as string },
    });
    await here.goto(accountUrl());
    await here.getByRole('button', { name: 'Sign in', exact: true }).waitFor();
  });

  it('is not kept out by a stranger who guesses, who is slowed', async () => {
    const stranger = await openPage();
    const slowed = stranger.getByText('Too many attempts');
    // Each of the two authorities has ten tries to give, and counts by itself.
    for (let guess = 1; guess <= 21 && !(await slowed.isVisible()); guess++) {
      await stranger.goto(accountUrl());
      await submitSignIn(stranger, 'anna', `guess number ${guess}`);
      await stranger.getByText('User name or password is wrong.').or(slowed).waitFor();
    }
    expect(await slowed.isVisible()).toBe(true);
    await openAccount(here, third);
    expect(await here.getByText('Signed in as').count()).toBe(1);
  });
});
