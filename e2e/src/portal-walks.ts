import { generateKeyPairSync } from 'node:crypto';
import { TOTP } from 'otpauth';
import type { Page } from 'playwright-core';
import { accessibilityFaults } from './browser.js';
import type { TestDns } from '@latchkey/tenancy/testing';
import { readInTrouble } from './portal-forms.js';
import { freshSlug } from './tenant.js';

/** Goes to another page within the portal. */
type Go = (path: string) => Promise<void>;

/** Creates a repository, regenerates its secret, plans a rotation and ends it, with nothing but the keyboard; from the list of repositories. */
export async function walkByKeyboard(page: Page, go: Go): Promise<void> {
  /** Presses Tab until what is named has the focus. */
  const tabTo = async (name: RegExp) => {
    for (let presses = 0; presses < 80; presses++) {
      await page.keyboard.press('Tab');
      const focused = await page.evaluate<string>(
        `(({ activeElement: e }) => [e?.getAttribute('aria-label'), e?.labels?.[0]?.innerText, e?.innerText, e?.type].join('|'))(document)`,
      );
      if (name.test(focused)) return;
    }
    throw new Error(`Tab does not lead to ${name}`);
  };
  const press = async (name: RegExp) => {
    await tabTo(name);
    await page.keyboard.press('Enter');
  };
  const typed = freshSlug('typed');
  await press(/Create a repository/);
  await page.getByRole('heading', { name: 'Create a repository' }).waitFor();
  await tabTo(/^\|Name/);
  await page.keyboard.type(typed);
  await press(/Create the repository/);
  await page.getByTestId('secret-value').waitFor();
  await press(/I have stored the secret/);
  await page.getByRole('heading', { name: 'Configuration to paste' }).waitFor();
  await press(/API keys/);
  await page.getByRole('heading', { level: 1, name: 'API keys' }).waitFor();
  await go(`/api-keys/${typed}/token`);
  await page.getByRole('button', { name: /Regenerate the secret/ }).waitFor();
  await press(/Regenerate the secret/);
  await page.getByRole('dialog').waitFor();
  await press(/cut off now/);
  await page.getByTestId('secret-value').waitFor();
  await press(/I have stored it/);
  await page.getByRole('dialog').waitFor({ state: 'hidden' });
  await press(/Regenerate the secret/);
  await tabTo(/Now/);
  await page.keyboard.press('ArrowDown');
  await press(/Make the new secret/);
  await page.getByTestId('secret-value').waitFor();
  await press(/I have stored it/);
  await page.getByText(/^Both secrets work for/).waitFor();
  await press(/Cut the old one now/);
  await press(/Cut it off now/);
  await page.getByText(/^Both secrets work for/).waitFor({ state: 'hidden' });
}

/** Sets and takes away what is set once in the life of a repository or a tenant. */
export async function setWhatIsRare(page: Page, go: Go, slug: string, dns: TestDns): Promise<void> {
  await go(`/repositories/${slug}/settings`);
  await page.getByLabel('Domain', { exact: true }).fill('localhost');
  await page.getByRole('button', { name: 'Add the domain' }).click();
  await page.getByText('must be a domain such as').first().waitFor();
  await page.getByLabel('Domain', { exact: true }).fill('login.acme.com');
  await page.getByRole('button', { name: 'Add the domain' }).click();
  await page.getByRole('button', { name: 'Check the record' }).waitFor();
  expect(await accessibilityFaults(page)).toEqual([]);
  await page.getByRole('button', { name: 'Check the record' }).click();
  await page.getByText(/^There is no TXT record/).waitFor();
  const [, name = '', value = ''] = /TXT record\s+(\S+)[\s\S]*Its value\s+(\S+)/.exec(await page.getByRole('main').innerText()) ?? [];
  dns.records.set(name, [value]);
  await page.getByRole('button', { name: 'Check the record' }).click();
  await page.getByText('Answers here').waitFor();
  await page.getByText(/^https?:\/\/login\.acme\.com/).waitFor();
  await page.getByRole('button', { name: 'Remove the domain' }).click();
  await page.getByRole('button', { name: 'Remove it now' }).click();
  await page.getByRole('button', { name: 'Add the domain' }).waitFor();

  await go(`/api-keys/${slug}/token`);
  await page.getByRole('button', { name: 'Public keys' }).click();
  await page.getByRole('button', { name: 'Add a public key' }).click();
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { d, ...publicHalf } = privateKey.export({ format: 'jwk' });
  const field = page.getByLabel('Public key as a JWK');
  await field.fill(JSON.stringify({ ...publicHalf, d }));
  await page.getByRole('button', { name: 'Add the key' }).click();
  await page.getByText('This is the private key').waitFor();
  await field.fill(JSON.stringify(publicHalf));
  expect(await accessibilityFaults(page)).toEqual([]);
  await page.getByRole('button', { name: 'Add the key' }).click();
  await page.getByRole('button', { name: /^End the key/ }).click();
  await page.getByRole('button', { name: 'End it now' }).click();
  await page
    .getByText(/^5 of 5 nodes refuse/)
    .last()
    .waitFor();
  await page.getByText('It has none.').waitFor();

  await go(`/repositories/${slug}/users`);
  await page.getByRole('button', { name: 'Actions for anna' }).click();
  await page.getByRole('menuitem', { name: 'Second factors' }).click();
  await page.getByText('None. They set one up').waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Add a user' }).click();
  await page.getByLabel('User name').fill('gone');
  await page.getByRole('button', { name: 'Add the user' }).click();
  await page.getByRole('button', { name: 'Not now' }).click();
  await page.getByRole('button', { name: 'Actions for gone' }).click();
  await page.getByRole('menuitem', { name: 'Delete' }).click();
  await page.getByRole('button', { name: 'Delete now' }).click();
  await page.getByText(/^5 of 5 nodes refuse/).waitFor();
  await page.getByRole('button', { name: 'Done' }).click();
  await page.getByRole('button', { name: 'Actions for gone' }).waitFor({ state: 'detached' });

  await go(`/webhooks/${slug}`);
  await page.getByRole('button', { name: 'Set an address' }).click();
  await page.getByRole('textbox', { name: 'Address' }).fill('https://hooks.example.com/');
  await page.getByRole('dialog').getByRole('button', { name: 'Set the address' }).click();
  expect(await page.getByTestId('secret-value').innerText()).toMatch(/^whsec_/);
  await page.getByRole('button', { name: 'I have stored it' }).click();
  await page.getByRole('region', { name: 'For the whole tenant' }).getByRole('button', { name: 'Remove' }).click();
  await page.getByRole('button', { name: 'Remove it now' }).click();
  await page.getByText('None is set.').waitFor();
}

/** Sets up an authenticator app on the pages of one's account. */
export async function setUpAuthenticator(page: Page, account: string): Promise<void> {
  await page.goto(account);
  await page.getByRole('button', { name: 'Add an authenticator app' }).click();
  const secret = (await page.locator('.secret').innerText()).replaceAll(' ', '');
  await page.getByLabel('Code', { exact: true }).fill(new TOTP({ secret }).generate());
  await page.getByRole('button', { name: 'Set up' }).click();
  await page.getByRole('button', { name: 'I have kept them' }).click();
}

/** Looks after the account of a member who has an authenticator app and a credential, and is signed in: takes it all away. */
export async function lookAfterMember(page: Page, go: Go, name: string): Promise<void> {
  await go('/members');
  const choose = async (item: string) => {
    await page.getByRole('button', { name: `Actions for ${name}` }).click();
    await page.getByRole('menuitem', { name: item }).click();
  };
  await choose('Second factors');
  await page.getByText('Authenticator app').waitFor();
  expect(await accessibilityFaults(page)).toEqual([]);
  await page.getByRole('button', { name: 'Take away: Authenticator app' }).click();
  await page.getByText(/^5 of 5 nodes refuse/).waitFor();
  await page.getByRole('button', { name: 'Done' }).click();
  await page.getByText('None. They set one up').waitFor();
  await page.getByText('Close', { exact: true }).click();
  await choose('Revoke the credential');
  expect(await accessibilityFaults(page)).toEqual([]);
  await page.getByRole('button', { name: 'Revoke it now' }).click();
  await page.getByText(/^[2-9] of [2-9] nodes refuse/).waitFor();
  await page.getByRole('button', { name: 'Done' }).click();
  await page.getByRole('listitem').filter({ hasText: name }).getByText('Has a credential').waitFor({ state: 'detached' });
  await choose('Where they are signed in');
  await page.getByText('Nowhere at the moment').waitFor();
  expect(await accessibilityFaults(page)).toEqual([]);
  await page.getByRole('button', { name: 'Sign out everywhere' }).click();
  await page.getByText(/^5 of 5 nodes refuse/).waitFor();
  expect(await accessibilityFaults(page)).toEqual([]);
  await page.getByRole('button', { name: 'Done' }).click();
}

/** Hands the tenant over to the only other member, and is no owner any more. */
export async function handOver(page: Page, go: Go, tenant: string): Promise<void> {
  await go('/tenant');
  // To whom, can be chosen when it is known.
  await readInTrouble(page, '**/v1/members?**', 'Members', () => page.getByRole('button', { name: 'Hand over' }).click());
  await page.getByLabel('New owner').waitFor();
  expect(await page.getByRole('button', { name: 'Hand it over now' }).isDisabled()).toBe(true);
  expect(await accessibilityFaults(page)).toEqual([]);
  await page.getByLabel(`Type ${tenant}`).fill(tenant);
  await page.getByRole('button', { name: 'Hand it over now' }).click();
  await page.getByRole('button', { name: 'Delete the tenant' }).waitFor({ state: 'detached' });
  expect(await page.getByRole('button', { name: 'Hand over' }).count()).toBe(0);
}
