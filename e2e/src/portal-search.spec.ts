import type { Browser, Page } from 'playwright-core';
import { accessibilityFaults, keepPicture, layoutFaults, openBrowser } from './browser.js';
import { join, password } from './owners-portal.js';
import type { RunningProduct } from './product.js';
import { sharedProductWithTenant } from './shared-product.js';
import { Tenant } from './tenant.js';

/** A tenant with more repositories, and a repository with more users, than a list holds: fifty. */
let product: RunningProduct;
let browser: Browser;
let page: Page;

const many = 60;

beforeAll(async () => {
  product = await sharedProductWithTenant('Many shops');
  const tenant = new Tenant(product.credential);
  await inTurns(many, (i) => tenant.createRepository(`shop-${i}`, { name: `Shop number ${i}` }));
  await tenant.createRepository('warehouse', { name: 'Zürich, warehouse' });
  await inTurns(many, (i) => tenant.createUser('warehouse', { loginName: `user-${i}` }));
  await tenant.createUser('warehouse', { loginName: 'hanna' });
  browser = await openBrowser();
  page = await (await browser.newContext()).newPage();
  await join(page, product.ownerLink, 'sofia');
  await inTurns(8, (i) => joinAs(`sofias-clerk-${i}`, tenant));
}, 120_000);
afterAll(async () => {
  await browser?.close();
});

/** So many calls, eight at a time. */
async function inTurns(count: number, call: (index: number) => Promise<unknown>): Promise<void> {
  for (let i = 0; i < count; i += 8) await Promise.all(Array.from({ length: Math.min(8, count - i) }, (_, j) => call(i + j)));
}

/** Takes up an invitation, as the form of the link does. */
async function joinAs(login: string, tenant: Tenant): Promise<void> {
  const { link } = (await (await tenant.call('POST', '/v1/invitations', { role: 'viewer' })).json()) as { link: string };
  const form = { login, name: `Clerk ${login.at(-1)}`, email: `${login}@shops.example`, password, again: password };
  const joined = await fetch(link, { method: 'POST', body: new URLSearchParams(form), redirect: 'manual' });
  if (joined.status >= 400) throw new Error(`the invitation answered ${joined.status}: ${await joined.text()}`);
}

/** Waits until the field shows this. */
const shows = async (label: string, value: string) => {
  await page
    .getByRole('combobox', { name: label })
    .and(page.locator(`[value="${value}"]`))
    .waitFor();
};

/** Types a part of a name into the field that shows another, and takes what is found, all by keyboard. */
async function choose(label: string, part: string, whole: string): Promise<void> {
  await page.getByRole('combobox', { name: label }).focus();
  await page.keyboard.type(part);
  await page.getByRole('status').getByText('1 found').waitFor();
  expect(await page.getByRole('option').allInnerTexts()).toEqual([whole]);
  expect(await accessibilityFaults(page)).toEqual([]);
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await shows(label, whole);
}

describe('where there are more than a list holds', () => {
  it.each(['/api-keys/', '/webhooks/'])(
    '%s lets one type a part of the name of any repository, and shows which is chosen',
    async (path) => {
      await page.goto(`${product.tenantApiUrl}${path}shop-0`);
      await shows('Repository', 'Shop number 0 (shop-0)');
      await choose('Repository', 'ZÜRICH', 'Zürich, warehouse (warehouse)');
      expect(page.url()).toContain(`${path}warehouse`);
      await page.reload();
      await shows('Repository', 'Zürich, warehouse (warehouse)');
      await choose('Repository', 'er 57', 'Shop number 57 (shop-57)');
      expect(page.url()).toContain(`${path}shop-57`);
    },
  );

  it('says that nothing is called so, to those who listen too, and goes back to what was chosen', async () => {
    await page.getByRole('combobox', { name: 'Repository' }).focus();
    await page.keyboard.type('nowhere');
    await page.getByRole('status').getByText('No repository is called that').waitFor();
    await page.keyboard.press('Tab');
    await shows('Repository', 'Shop number 57 (shop-57)');
  });

  it('offers the first repositories before one types, and says that there are more', async () => {
    await page.goto(`${product.tenantApiUrl}/usage`);
    await page.getByRole('combobox', { name: 'Repository' }).focus();
    await page.getByRole('option', { name: 'There are more: type a part of the name' }).waitFor();
    expect(await page.getByRole('listbox').getByRole('option').count()).toBe(51);
    expect(await layoutFaults(page, [390, 1440])).toEqual([]);
  });

  it('finds the user whose keys are shown, and whom a tool acts as', async () => {
    await page.goto(`${product.tenantApiUrl}/api-keys/warehouse/users`);
    await choose('User', 'hann', 'hanna (hanna)');
    await page.getByText('hanna has no API key').waitFor();
    await page.getByRole('tab', { name: 'Personal access token' }).click();
    await page.getByRole('button', { name: 'Change Tool' }).click();
    await shows('Acts in the name of', 'Public administrator (publicadmin)');
    await choose('Acts in the name of', 'hann', 'hanna (hanna)');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('dialog').waitFor({ state: 'hidden' });
    await page.getByRole('button', { name: 'Change Tool' }).click();
    await shows('Acts in the name of', 'hanna (hanna)');
  });

  it('lists the repositories, the users of one, and the members, that are called what one types', async () => {
    await page.goto(product.tenantApiUrl);
    await page.getByLabel('Search the repositories').fill('zürich');
    await page.getByRole('link', { name: 'Shop number 0' }).waitFor({ state: 'detached' });
    expect(await page.getByRole('main').getByRole('listitem').count()).toBe(1);
    await page.getByLabel('Search the repositories').fill('nowhere');
    await page.getByText('No repository is called that.').waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);
    await page.goto(`${product.tenantApiUrl}/repositories/warehouse/users`);
    await page.getByLabel('Search the users').fill('HANN');
    await page.getByText('user-0', { exact: true }).first().waitFor({ state: 'detached' });
    expect(await page.getByRole('list', { name: 'Users' }).getByRole('listitem').count()).toBe(1);
    await page.goto(`${product.tenantApiUrl}/members`);
    await page.getByText('Clerk 0').waitFor();
    await page.getByLabel('Search the members').fill('CLERK-3@shops');
    await page.getByText('Clerk 0').waitFor({ state: 'detached' });
    await page.getByText('Clerk 3').waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);
    expect(await layoutFaults(page, [390, 1440])).toEqual([]);
    await keepPicture(page, 'portal-members-search');
  });
});
