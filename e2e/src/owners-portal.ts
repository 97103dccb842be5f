import type { RegeneratedSecretView } from '@latchkey/contracts';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { openBrowser, submitSignIn } from './browser.js';
import type { RunningProduct } from './product.js';
import { Tenant } from './tenant.js';

/** The portal of a product, to which the owner of a tenant with one repository that is in use is signed in. */
export interface OwnersPortal {
  browser: Browser;
  context: BrowserContext;
  page: Page;
  tenant: Tenant;
  /** Of the tool client: the live secret. */
  tool: RegeneratedSecretView & { clientId: string };
}

/** Everybody's. */
export const password = 'a long pass phrase of the owner';

/** Longer than a phone is wide. */
export const nameOf = (login: string) => `Hannelore-Margarethe ${login} von und zu Hohenlohe-Langenburg`;

/** @param product of whose tenant nobody has taken the owner's link yet. @param login that nobody has there. */
export async function openOwnersPortal(product: RunningProduct, slug: string, login: string): Promise<OwnersPortal> {
  const tenant = new Tenant(product.credential);
  const { toolClient } = await tenant.createRepository(slug, { name: `Customer relationship management for Europe, ${slug}` });
  const tool = { ...(await tenant.regenerate({ slug, toolClient })), clientId: toolClient.clientId };
  await tenant.createUser(slug, { loginName: 'anna', password, email: 'anna.of-the-merchandise-planning@subsidiary.example.com' });
  await tenant.call('POST', `/v1/repositories/${slug}/webhooks`, { url: `http://127.0.0.1:9/${'hook'.repeat(20)}` });
  const browser = await openBrowser();
  const context = await browser.newContext();
  const page = await context.newPage();
  await join(page, product.ownerLink, login);
  return { browser, context, page, tenant, tool };
}

/** Takes up an invitation and signs in at the portal. */
export async function join(at: Page, link: string, login: string): Promise<void> {
  await at.goto(link);
  await at.getByLabel('User name').fill(login);
  await at.getByLabel('Your name').fill(nameOf(login));
  await at.getByLabel('E-mail').fill(`${login}@example.com`);
  await at.getByLabel('Password', { exact: true }).fill(password);
  await at.getByLabel('Password again').fill(password);
  await at.getByRole('button', { name: 'Create account' }).click();
  await at.getByRole('link', { name: 'Go to the portal' }).click();
  await at.getByRole('button', { name: 'Sign in', exact: true }).click();
  await submitSignIn(at, login, password);
  await at.getByRole('heading', { level: 1, name: 'Repositories' }).waitFor();
}

/** Goes to another page within the portal, and waits until it has read what it shows. */
export async function goWithin(page: Page, path: string): Promise<void> {
  await page.evaluate(`history.pushState(null, '', ${JSON.stringify(path)})`);
  await page.getByRole('main').getByRole('heading', { level: 1 }).waitFor();
  await page.locator('.mantine-Loader-root, .mantine-Skeleton-root').first().waitFor({ state: 'detached' });
}
