import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { accessibilityFaults, openBrowser, submitSignIn } from './browser.js';
import { linkIn, takeMail } from './mail.js';
import { folderOf, Site } from './pasted.js';
import type { RunningProduct } from './product.js';
import { sharedProduct } from './shared-product.js';
import { freshSlug } from './tenant.js';

/** The customer in a browser: from signing up to a regenerated secret. */
let product: RunningProduct;
let browser: Browser;
let context: BrowserContext;
let page: Page;
let site: Site;
let secret: string;
/** Of the same person, in a browser in Tokyo. */
let tab: Page;
let toolId: string;

const slug = freshSlug('shop');
const examples = (path: string) => fileURLToPath(new URL(`../../examples/${path}`, import.meta.url));
const password = 'a long pass phrase of the owner';
/** What the browser was told and did not like: a refused script, a failed file. */
const complaints: string[] = [];

beforeAll(async () => {
  product = sharedProduct();
  site = await new Site().open();
  browser = await openBrowser();
  context = await browser.newContext();
  page = await context.newPage();
  page.on('console', (message) => void (message.type() === 'error' && complaints.push(`${message.text()} ${message.location().url}`)));
  page.on('pageerror', (error) => void complaints.push(error.message));
});
afterAll(async () => {
  await browser?.close();
  await site?.close();
});

/** Where a value could linger once it has been shown. */
async function traces(): Promise<string> {
  const stored = await page.evaluate(
    `JSON.stringify([{ ...localStorage }, { ...sessionStorage }, history.state, location.href, document.documentElement.outerHTML])`,
  );
  return String(stored);
}

/** What the token endpoint answers to the tool with this secret. */
async function mint(value: string): Promise<number> {
  const headers = { authorization: `Basic ${btoa(`${toolId}:${value}`)}` };
  const response = await fetch(`${product.authorityUrl(slug)}/connect/token`, {
    method: 'POST',
    headers,
    body: new URLSearchParams({ grant_type: 'client_credentials' }),
    signal: AbortSignal.timeout(10_000),
  });
  return response.status;
}

describe('the portal', () => {
  it('takes in whoever has never been here: an address, the mail that comes, and a tenant of their own', async () => {
    await page.goto(product.tenantApiUrl);
    await page.getByRole('link', { name: 'Create an account' }).click();
    await page.getByLabel('E-mail').fill('shopkeeper@shop.example');
    await page.getByRole('button', { name: 'Send the link' }).click();
    await page.getByText('A link is on its way').waitFor();
    await page.goto(linkIn(await takeMail(product, 'shopkeeper@shop.example', 'Your new account')));
    expect(await accessibilityFaults(page)).toEqual([]);
    await page.getByLabel('Your name').fill('Olga Owner');
    await page.getByLabel('Company').fill('Olga & Co');
    await page.getByLabel('Password', { exact: true }).fill(password);
    await page.getByLabel('Password again').fill(password);
    await page.getByRole('button', { name: 'Create account' }).click();
    await page.getByRole('heading', { name: 'Welcome: your first repository' }).waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);
  });

  it('makes a repository and shows its secret once', async () => {
    await page.getByLabel('Name').fill('Shop');
    await page.getByLabel('Slug').fill(slug);
    await page.getByLabel('Production').check();
    await page.getByRole('button', { name: 'Add a redirect URI' }).click();
    await page.getByLabel('redirect URI 1', { exact: true }).fill(site.url);
    await page.getByRole('button', { name: 'Create the repository' }).click();
    secret = await page.getByTestId('secret-value').innerText();
    expect(secret).toMatch(/^lk_live_cs_/);
    toolId = /tool_[0-9A-Za-z]{22}/.exec(await page.getByRole('main').innerText())?.[0] ?? '';
    expect(await mint(secret)).toBe(200);
    await page.getByRole('link', { name: /I have stored/ }).click();
    await page.getByRole('heading', { name: 'Configuration to paste' }).waitFor();
    expect(await traces()).not.toContain(secret.slice(11, 40));
    await page.goBack();
    await page.getByLabel('Name').waitFor();
    expect(await traces()).not.toContain(secret.slice(11, 40));
  });

  it('names a fault at its field and keeps what was typed', async () => {
    await page.getByLabel('Name').fill('Shop again');
    await page.getByLabel('Slug').fill(slug);
    await page.getByLabel('Production').check();
    // While one types, and again by who decides.
    await page.getByText('is or was in use', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Create the repository' }).click();
    await page
      .getByText(/is or was in use\. Choose another/)
      .first()
      .waitFor();
    expect(await page.getByLabel('Name').inputValue()).toBe('Shop again');
  });

  it('shows the configuration with this repository’s values', async () => {
    await page.goto(`${product.tenantApiUrl}/repositories/${slug}`);
    await page.getByRole('tab', { name: 'curl' }).click();
    const shown = await page.getByRole('main').innerText();
    expect(shown).toContain(product.authorityUrl(slug));
    expect(shown).toMatch(/tool_[0-9A-Za-z]{22}/);
    expect(shown).toMatch(/app_[0-9A-Za-z]{22}/);
  });

  it('has an app with the configuration to paste sign in whom one adds as a user', async () => {
    const at = `${product.tenantApiUrl}/repositories/${slug}`;
    await page.goto(`${at}/users`);
    await page.getByRole('button', { name: 'Add a user' }).first().click();
    await page.getByLabel('User name').fill('anna');
    await page.getByLabel('I set it').check();
    await page.getByText('At least 15 characters.').waitFor();
    await page.getByLabel('Their password').fill(password);
    await page.getByLabel('Administrator').check();
    await page.getByRole('button', { name: 'Add the user' }).click();
    await page.getByRole('dialog').waitFor({ state: 'hidden' });
    await page.getByRole('tab', { name: 'Settings' }).click();
    await page.getByRole('button', { name: 'Add an origin' }).click();
    await page.getByLabel('origin 1', { exact: true }).fill(site.origin);
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('Saved.').waitFor();
    await page.getByRole('tab', { name: 'Connect' }).click();
    await page.getByRole('tab', { name: 'React', exact: true }).click();
    const pasted = (file: string) => page.getByRole('region', { name: file }).innerText();
    const folder = await folderOf({
      'index.html': await readFile(examples('react/index.html'), 'utf8'),
      'tsconfig.json': await readFile(examples('react/tsconfig.json'), 'utf8'),
      'src/latchkey.ts': await pasted('src/latchkey.ts'),
      'src/main.tsx': await pasted('src/main.tsx'),
    });
    await site.show(folder.path, true);
    const person = await (await browser.newContext()).newPage();
    await person.goto(site.url);
    await person.getByRole('button', { name: 'Sign in' }).click();
    await submitSignIn(person, 'anna', password);
    await person.getByText('Content:').waitFor();
    await person.context().close();
    await folder.remove();
  });

  it('asks before it regenerates, shows the new secret once, and the old one is dead', async () => {
    await page.goto(`${product.tenantApiUrl}/api-keys/${slug}/token`);
    await page.getByRole('button', { name: /Regenerate the secret/ }).click();
    expect(await page.getByRole('dialog').innerText()).toMatch(/stop/i);
    expect(await mint(secret)).toBe(200);
    await page.getByRole('button', { name: /cut off now/ }).click();
    const regenerated = await page.getByTestId('secret-value').innerText();
    await page.getByText('Cut off at').waitFor();
    expect([await mint(secret), await mint(regenerated)]).toEqual([401, 200]);
    await page
      .getByRole('dialog')
      .getByText(/^5 of 5 nodes refuse the old secret, the last after [\d,]+ ms$/)
      .waitFor();
    await page.getByRole('button', { name: 'I have stored it' }).click();
    await page.getByRole('dialog').waitFor({ state: 'hidden' });
    expect(await traces()).not.toContain(regenerated.slice(11, 40));
  });

  it('shows the proof also when the connection that follows it breaks, and the secret no second time', async () => {
    let broken = 0;
    await page.route(/\/cutoffs\/.*\/events$/, (route) => (broken++ < 1 ? route.abort('connectionreset') : route.continue()));
    await page.getByRole('button', { name: /Regenerate the secret/ }).click();
    await page.getByRole('button', { name: /cut off now/ }).click();
    secret = await page.getByTestId('secret-value').innerText();
    await page
      .getByRole('dialog')
      .getByText(/^5 of 5 nodes refuse/)
      .waitFor();
    expect(broken).toBeGreaterThan(1);
    await page.unroute(/\/cutoffs\/.*\/events$/);
    await page.getByRole('button', { name: 'I have stored it' }).click();
    await page.reload();
    await page.getByText(/^5 of 5 nodes refuse/).waitFor();
    expect(await traces()).not.toContain(secret.slice(11, 40));
  });

  it('plans a rotation, names who is still on the old secret, and cuts it off before its time or not at all', async () => {
    const plan = async () => {
      await page.getByRole('button', { name: /Regenerate the secret/ }).click();
      await page.getByRole('radio', { name: 'Later' }).check();
      await page.getByRole('button', { name: 'Make the new secret' }).click();
      const made = await page.getByTestId('secret-value').innerText();
      await page.getByRole('button', { name: 'I have stored it' }).click();
      await page.getByText(/^Both secrets work for/).waitFor();
      return made;
    };
    const newer = await plan();
    await page.getByText('Nobody has used the old secret').waitFor();
    expect([await mint(secret), await mint(newer)]).toEqual([200, 200]);
    await page.getByText('Still on the old secret').waitFor();
    await page.getByRole('button', { name: 'Cancel the rotation' }).click();
    await page.getByRole('button', { name: /end the new secret/ }).click();
    await page.getByText(/^Both secrets work for/).waitFor({ state: 'hidden' });
    expect([await mint(secret), await mint(newer)]).toEqual([200, 401]);
    const last = await plan();
    await page.getByRole('button', { name: 'Cut the old one now' }).click();
    await page.getByRole('button', { name: 'Cut it off now' }).click();
    await page.getByText(/^Both secrets work for/).waitFor({ state: 'hidden' });
    expect([await mint(secret), await mint(last)]).toEqual([401, 200]);
    await page.getByText(/still on an ended secret/).waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);
  });

  it('suspends, resumes, deletes by the typed slug, and restores from the list of what was deleted', async () => {
    await page.goto(`${product.tenantApiUrl}/repositories/${slug}/settings`);
    await page.getByRole('button', { name: 'Suspend' }).click();
    await page.getByRole('button', { name: 'Suspend it now' }).click();
    await page.getByText('This repository is suspended').waitFor();
    await page.getByRole('button', { name: 'Resume' }).click();
    await page.getByRole('button', { name: 'Suspend' }).waitFor();
    await page.getByRole('button', { name: 'Delete' }).click();
    expect(await page.getByRole('button', { name: 'Delete it now' }).isDisabled()).toBe(true);
    await page.getByLabel(`Type ${slug}`).fill(slug);
    await page.getByRole('button', { name: 'Delete it now' }).click();
    await page.getByRole('button', { name: 'Restore it' }).waitFor();
    await page.reload();
    await page.getByText('Nothing of Shop is accepted any more. Until').waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);
    await page.getByRole('button', { name: 'Restore it' }).waitFor();
    await page.getByRole('link', { name: 'Repositories', exact: true }).click();
    await page.getByRole('button', { name: 'Restore Shop' }).click();
    await page.getByRole('list', { name: 'Deleted repositories' }).waitFor({ state: 'hidden' });
    await page.getByRole('link', { name: 'Shop' }).click();
    await page.getByRole('heading', { name: 'Configuration to paste' }).waitFor();
  });

  it('keeps its tokens out of the browser’s storage', async () => {
    const stored = String(await page.evaluate('JSON.stringify([{ ...localStorage }, { ...sessionStorage }])'));
    expect(stored).not.toMatch(/eyJ|access_token|refresh_token/);
  });

  it('renews its tokens once when a clock and a refused call say so at the same time, as after a sleep, and stays signed in', async () => {
    tab = await browser.newPage({ timezoneId: 'Asia/Tokyo' });
    tab.setDefaultTimeout(10_000);
    await tab.clock.install();
    await tab.goto(product.tenantApiUrl);
    await tab.getByRole('button', { name: 'Sign in', exact: true }).click();
    await submitSignIn(tab, 'shopkeeper@shop.example', password);
    await tab.getByRole('link', { name: 'Shop' }).waitFor();
    const renewals: string[] = [];
    await tab.route('**/connect/token', async (route) => {
      renewals.push(route.request().postData() ?? '');
      await new Promise((wake) => setTimeout(wake, 300));
      await route.continue();
    });
    // The token has no minute left by this clock; and the next call comes with none that is taken.
    await tab.route('**/v1/audit*', (route) => route.continue({ headers: { ...route.request().headers(), authorization: '' } }), {
      times: 1,
    });
    await tab.clock.fastForward('09:30');
    await tab.getByRole('link', { name: 'Audit trail' }).click();
    await tab.getByText('repository.restored').first().waitFor();
    expect(renewals.map((body) => new URLSearchParams(body).get('grant_type'))).toEqual(['refresh_token']);
    await tab.getByRole('link', { name: 'Members', exact: true }).click();
    await tab.getByRole('main').getByText('Olga Owner').waitFor();
  });

  it('has a day in the filter of the audit trail begin at midnight where its reader is', async () => {
    await tab.getByRole('link', { name: 'Audit trail' }).click();
    await tab.getByLabel('From').fill('2026-03-01');
    await tab.getByLabel('Before').fill('2026-03-02');
    const [asked] = await Promise.all([
      tab.waitForRequest(/v1\/audit.*from=/),
      tab.getByRole('button', { name: 'Show', exact: true }).click(),
    ]);
    const { searchParams } = new URL(asked.url());
    expect([searchParams.get('from'), searchParams.get('to')]).toEqual(['2026-02-28T15:00:00.000Z', '2026-03-01T15:00:00.000Z']);
  });

  it('shows nothing of whoever has signed out elsewhere when one goes back to a page that the browser had put aside', async () => {
    const comeBack = `dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))`;
    await tab.evaluate(comeBack);
    await tab.getByRole('heading', { name: 'Audit trail' }).waitFor();
    // Nor when somebody else has signed in since: the page asks the authority anew who that is.
    const asked = tab.waitForRequest(/\/connect\/authorize/);
    await tab.evaluate(`localStorage.setItem('latchkey.member', 'somebody else'); ${comeBack}`);
    await asked;
    await tab.getByRole('heading', { name: 'Audit trail' }).waitFor();
    await tab.evaluate(`localStorage.removeItem('latchkey.member'); ${comeBack}`);
    await tab.getByRole('button', { name: 'Sign in', exact: true }).waitFor();
    expect(await tab.getByRole('heading', { name: 'Audit trail' }).count()).toBe(0);
    await tab.context().close();
  });

  it('deletes the tenant by its typed name, with the proof of everything that ended, and leads on', async () => {
    await page.getByRole('link', { name: 'Tenant', exact: true }).click();
    await page.getByRole('button', { name: 'Hand over' }).click();
    await page.getByRole('link', { name: 'To the members' }).waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Delete the tenant' }).click();
    expect(await page.getByRole('button', { name: 'Delete it now' }).isDisabled()).toBe(true);
    await page.getByLabel('Type Olga & Co').fill('Olga & Co');
    expect(await accessibilityFaults(page)).toEqual([]);
    await page.getByRole('button', { name: 'Delete it now' }).click();
    await page.getByText('1 repository and 0 credentials ended with it').waitFor();
    expect(await page.getByTestId('proofs').innerText()).toMatch(/^[1-5] of 5 nodes refuse the repository/);
    await page.getByRole('button', { name: 'Go on' }).click();
    await page.getByRole('link', { name: 'Make a tenant' }).waitFor();
    expect(await takeMail(product, 'shopkeeper@shop.example', 'Your tenant Olga & Co')).toContain('kept for 30 days');
  });

  it('signs out at the authority too', async () => {
    await page.getByRole('banner').getByRole('button', { name: /Olga/ }).click();
    await page.getByRole('menuitem', { name: 'Sign out' }).click();
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
    await page.getByLabel('Password').waitFor();
  });

  it('gave the browser nothing to complain about but the answers that it was meant to show', () => {
    // The taken slug, and the look at the repository that has just been deleted.
    // And the connection that the test broke, and the icon that an authority has none of.
    // That it has no domain of its own. And what nobody is told who belongs to no tenant any more.
    const expected = new RegExp(`status of 40[39]|status of 404 .*/v1/repositories/${slug}(/domain)?$|ERR_CONNECTION_RESET|favicon.ico$`);
    expect(complaints.filter((text) => !expected.test(text))).toEqual([]);
  });
});
