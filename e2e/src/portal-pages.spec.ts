import { readFile, writeFile } from 'node:fs/promises';
import { join as pathOf } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { MemberView, RegeneratedSecretView, RepositoryView } from '@latchkey/contracts';
import { TestDns } from '@latchkey/tenancy/testing';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { accessibilityFaults, jumped, keepPictures, layoutFaults, submitSignIn } from './browser.js';
import { buildDotnet, findDotnet, folderOf, run, Site, startTool, type Folder } from './pasted.js';
import { join, goWithin, nameOf, openOwnersPortal, password } from './owners-portal.js';
import { signInAgain } from './portal-forms.js';
import { handOver, lookAfterMember, setUpAuthenticator, setWhatIsRare, walkByKeyboard } from './portal-walks.js';
import type { RunningProduct } from './product.js';
import { dnsPort, sharedProductWithTenant } from './shared-product.js';
import { freshSlug, type Tenant } from './tenant.js';

/** Every page of the portal, as it looks and weighs, and what it gives to take away. */
let product: RunningProduct;
let dns: TestDns;
let browser: Browser;
let context: BrowserContext;
let page: Page;
let viewersPage: Page;
let tenant: Tenant;
/** Of the tool client: the live secret. */
let tool: RegeneratedSecretView & { clientId: string };

const slug = freshSlug('shop');
const examples = (path: string) => fileURLToPath(new URL(`../../examples/${path}`, import.meta.url));
const example = (path: string) => readFile(examples(path), 'utf8');

beforeAll(async () => {
  product = await sharedProductWithTenant('Every page');
  dns = await TestDns.start(dnsPort(product));
  ({ browser, context, page, tenant, tool } = await openOwnersPortal(product, slug, 'olivia'));
});
afterAll(async () => {
  await browser?.close();
  dns?.close();
});

const go = (path: string) => goWithin(page, path);

/** Goes to a page and waits until it has read what it shows. */
async function open(path: string): Promise<void> {
  await page.goto(product.tenantApiUrl + path);
  await page.getByRole('main').getByRole('heading', { level: 1 }).waitFor();
  await page.getByRole('button', { name: nameOf('olivia'), exact: true }).waitFor();
  await page.waitForLoadState('networkidle');
}

/** What the page of the repository, which is open, shows under a tab for a file. */
async function pasted(tab: string, file: string): Promise<string> {
  await page.getByRole('tab', { name: tab, exact: true }).click();
  return page.getByRole('region', { name: file }).innerText();
}

/** Makes a folder at the top of the repository's content, as its tool would. */
async function makeFolder(name: string): Promise<void> {
  const headers = { authorization: `Basic ${btoa(`${tool.clientId}:${tool.secret.value}`)}` };
  const form = new URLSearchParams({ grant_type: 'client_credentials' });
  const answer = await fetch(`${product.authorityUrl(slug)}/connect/token`, { method: 'POST', headers, body: form });
  const { access_token: token } = (await answer.json()) as { access_token: string };
  const body = JSON.stringify({ __ContentType: 'Folder', Name: name });
  const made = await fetch(`${product.repositoryUrl(slug)}/odata.svc/Root/Content`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
    body,
  });
  expect(made.status).toBe(201);
}

describe('the pages of the portal', () => {
  it('load at most 200 KB of JavaScript for a repository', async () => {
    const cold = await context.newPage();
    const sizes = new Map<string, Promise<number>>();
    // As they are sent, also when this browser has some of them already; each once, though signing in comes back to the page.
    cold.on('response', (response) => {
      if (/\/assets\/.*\.js$/.test(response.url())) sizes.set(response.url(), response.headerValue('content-length').then(Number));
    });
    await cold.goto(`${product.tenantApiUrl}/repositories/${slug}`);
    await cold.getByRole('heading', { name: 'Configuration to paste' }).waitFor();
    const bytes = (await Promise.all(sizes.values())).reduce((sum, size) => sum + size, 0);
    expect(await jumped(cold)).toBeLessThan(0.1);
    await cold.close();
    expect(bytes).toBeGreaterThan(50_000);
    expect(bytes).toBeLessThan(200_000);
  });

  it.each([
    '/',
    '/new-repository',
    `/repositories/${slug}`,
    `/repositories/${slug}/users`,
    `/repositories/${slug}/settings`,
    `/api-keys/${slug}/app`,
    `/api-keys/${slug}/token`,
    `/api-keys/${slug}/users`,
    '/usage',
    '/audit',
    `/webhooks/${slug}`,
    '/members',
    '/credentials',
    '/proof',
    '/profile',
    '/tenant',
    '/nowhere',
  ])('%s is for everybody, on a phone and on a wide screen, in light and in dark', async (path) => {
    await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' });
    await page.setViewportSize({ width: 390, height: 844 });
    await jumped(page);
    await go(path);
    expect(await accessibilityFaults(page)).toEqual([]);
    expect([await layoutFaults(page, [390]), (await jumped(page)) < 0.1]).toEqual([[], true]);
    await page.emulateMedia({ colorScheme: 'dark' });
    await page.setViewportSize({ width: 1440, height: 900 });
    await page.locator('html[data-mantine-color-scheme=dark]').waitFor();
    expect(await accessibilityFaults(page, 'color-contrast')).toEqual([]);
    expect(await layoutFaults(page, [768, 1440])).toEqual([]);
    await keepPictures(page, `portal${path.replace(slug, '').replaceAll(/[^a-z]+/g, '-')}`, [390, 768, 1440]);
  });

  it('do not jump on a wide screen either, though answers come late', async () => {
    await page.setViewportSize({ width: 1440, height: 900 });
    await page.route(`${product.tenantApiUrl}/v1/**`, async (route) => {
      await new Promise((resolve) => setTimeout(resolve, 300));
      await route.continue();
    });
    for (const path of [`/repositories/${slug}`, `/api-keys/${slug}/app`, '/members', '/profile']) {
      await jumped(page);
      await go(path);
      expect([path, (await jumped(page)) < 0.1]).toEqual([path, true]);
    }
    await page.unrouteAll({ behavior: 'wait' });
  });

  it('are gone through by keyboard alone: creating a repository, regenerating, a planned rotation and its end', async () => {
    await open('/');
    await walkByKeyboard(page, go);
  });

  it('set what is rarely set: a domain, a public key, the address of the tenant', async () => {
    await setWhatIsRare(page, go, slug, dns);
    expect(await accessibilityFaults(page)).toEqual([]);
  });

  it('give a configuration that runs as it is pasted: Node and curl', async () => {
    await open(`/repositories/${slug}`);
    const files = { 'tool.mjs': await pasted('Node', 'tool.mjs'), 'tool.sh': await pasted('curl', 'tool.sh') };
    const folder = await folderOf(files);
    const environment = { cwd: folder.path, env: { ...process.env, LATCHKEY_CLIENT_SECRET: tool.secret.value } };
    expect((await run(process.execPath, ['tool.mjs'], environment)).stdout).toMatch(/results/);
    expect((await run('sh', ['tool.sh'], environment)).stdout).toMatch(/results/);
    await folder.remove();
  });

  describe('for an app in which people sign in', () => {
    let site: Site;
    let person: Page;
    beforeAll(async () => {
      site = await new Site().open();
      const of = `/v1/repositories/${slug}`;
      await tenant.call('PATCH', of, { allowedOrigins: [site.origin], accessTokenSeconds: 62 });
      const { appClient } = (await (await tenant.call('GET', of)).json()) as RepositoryView;
      const uris = { redirectUris: [site.url], postLogoutRedirectUris: [site.url] };
      expect((await tenant.call('PATCH', `${of}/clients/${appClient.clientId}`, uris)).status).toBe(200);
      await tenant.createUser(slug, { loginName: 'alma', password, administrator: true });
      await makeFolder('Reports');
      await open(`/repositories/${slug}`);
    });
    beforeEach(async () => {
      person = await (await browser.newContext()).newPage();
    });
    afterEach(() => person.context().close());
    afterAll(() => site?.close());

    it('give a page in plain JavaScript that signs in and lists content', async () => {
      const index = '<!doctype html><title>app</title><script type="module" src="/src/main.js"></script>';
      const folder = await folderOf({ 'index.html': index, 'src/main.js': await pasted('JavaScript', 'src/main.js') });
      await site.show(folder.path, false);
      await person.goto(site.url);
      await submitSignIn(person, 'alma', password);
      await person.getByText('Signed in as alma. Content: Reports').waitFor();
      await folder.remove();
    });

    it('give the example in React all it needs: it signs in, lists content, renews silently and signs out', async () => {
      const names = ['index.html', 'tsconfig.json', 'src/main.tsx', 'src/app.tsx', 'src/contents.tsx'];
      const files = Object.fromEntries(await Promise.all(names.map(async (name) => [name, await example(`react/${name}`)] as const)));
      const folder = await folderOf({ ...files, 'src/latchkey.ts': await pasted('React', 'src/latchkey.ts') });
      await site.show(folder.path, true);
      await person.goto(site.url);
      expect(await accessibilityFaults(person)).toEqual([]);
      // Its tokens last two seconds longer than the minute before the end in which the library renews them.
      const renewed = person.waitForResponse(
        (response) => response.ok() && (response.request().postData() ?? '').includes('grant_type=refresh_token'),
      );
      await person.getByRole('button', { name: 'Sign in' }).click();
      await submitSignIn(person, 'alma', password);
      await person.getByText('Signed in as alma').waitFor();
      await person.getByRole('button', { name: 'Reports' }).click();
      await person.getByText('Nothing is here yet.').waitFor();
      await renewed;
      expect(await person.evaluate('[...Object.values(sessionStorage), ...Object.values(localStorage)].join()')).not.toContain('_token');
      const revoked = person.waitForResponse((response) => response.url().endsWith('/connect/revocation') && response.ok());
      await person.getByRole('button', { name: 'Sign out' }).click();
      await revoked;
      await person.getByRole('button', { name: 'Sign in' }).click();
      await person.getByLabel('User name or e-mail').waitFor();
      await folder.remove();
    });
  });

  it('hand over everything that the tenant has as a file', async () => {
    await open('/tenant');
    const file = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Export as NDJSON' }).click();
    const text = await readFile(await (await file).path(), 'utf8');
    expect(text.split('\n').length).toBeGreaterThan(10);
    expect(text).toContain(slug);
    expect(text).not.toContain(tool.secret.value.slice(11, 40));
  });

  it('are about one tenant at a time, and a person goes from one to another', async () => {
    await open('/');
    await page.getByRole('button', { name: nameOf('olivia'), exact: true }).click();
    expect(await accessibilityFaults(page)).toEqual([]);
    await page.getByRole('menuitem', { name: 'Make a tenant' }).click();
    await page.getByLabel('Name').fill('Second');
    await page.getByRole('button', { name: 'Make it' }).click();
    await page.getByText('Create your first repository').waitFor();
    await page.getByRole('button', { name: nameOf('olivia'), exact: true }).click();
    await page.getByRole('menuitem', { name: 'Every page' }).click();
    await page.getByRole('link', { name: `Customer relationship management for Europe, ${slug}` }).waitFor();
  });

  it('offer a viewer nothing that the API would refuse', async () => {
    const { link } = (await (await tenant.call('POST', '/v1/invitations', { role: 'viewer' })).json()) as { link: string };
    viewersPage = await (await browser.newContext()).newPage();
    await join(viewersPage, link, 'vera');
    await viewersPage.getByRole('link', { name: 'Usage' }).waitFor();
    expect(await viewersPage.getByRole('link', { name: 'Audit trail' }).count()).toBe(0);
    expect(await viewersPage.getByRole('link', { name: 'Tenant credentials' }).count()).toBe(0);
    await viewersPage.getByRole('link', { name: 'Members' }).click();
    await viewersPage.getByText(`${nameOf('vera')} (you)`).waitFor();
    expect(await viewersPage.getByRole('button', { name: /Invite|Actions/ }).count()).toBe(0);
  });

  it('look after the account of a member: second factor, credential and sessions are taken away, and they notice', async () => {
    await setUpAuthenticator(viewersPage, `${product.authorityUrl('console')}/account`);
    await tenant.call('PATCH', '/v1/tenant', { memberCredentials: { minimumRole: 'viewer', revocation: 'members-write' } });
    await viewersPage.goto(`${product.tenantApiUrl}/profile`);
    await viewersPage.getByRole('button', { name: 'Make a credential' }).click();
    await viewersPage.getByRole('button', { name: 'I have stored it' }).click();
    await open('/');
    await lookAfterMember(page, go, nameOf('vera'));
    await viewersPage.getByRole('link', { name: 'Members' }).click();
    // Somebody else who signs in there gets nothing of what stands on the page.
    await signInAgain(viewersPage, (window) => submitSignIn(window, 'olivia', password));
    await viewersPage.getByRole('heading', { level: 1, name: 'Repositories' }).waitFor();
    await viewersPage.getByRole('button', { name: nameOf('olivia'), exact: true }).waitFor();
  });

  it('hand the tenant over to somebody else, who is its owner from then on', async () => {
    await handOver(page, go, 'Every page');
    const { items } = (await (await tenant.call('GET', '/v1/members')).json()) as { items: MemberView[] };
    expect(items.map(({ loginName, role }) => `${loginName}: ${role}`).toSorted()).toEqual(['olivia: super-admin', 'vera: owner']);
  });
});

describe('an example of a tool', () => {
  /** What must be the same for each of them, whatever it is written in. */
  async function survives(folder: Folder, program: string, ...args: string[]): Promise<void> {
    const file = pathOf(folder.path, 'secret');
    await writeFile(file, tool.secret.value);
    const running = startTool(program, args, {
      cwd: folder.path,
      env: {
        ...process.env,
        LATCHKEY_AUTHORITY_URL: product.authorityUrl(slug),
        LATCHKEY_REPOSITORY_URL: product.repositoryUrl(slug),
        LATCHKEY_CLIENT_ID: tool.clientId,
        LATCHKEY_CLIENT_SECRET_FILE: file,
        LATCHKEY_CONSUMER: `the example, ${program}`,
        EVERY_SECONDS: '0.1',
      },
    });
    try {
      await running.hears(/^read \d+ contents/m);
      const { secret } = await tenant.regenerate({ slug, toolClient: tool });
      tool = { ...tool, secret };
      await running.hears(/^no token: this secret was replaced at/m);
      await writeFile(file, secret.value);
      await running.hears(/^read \d+ contents/m);
      for (let wait = 0; ; wait++) {
        const consumers = await (await tenant.call('GET', `/v1/repositories/${slug}/clients/${tool.clientId}/consumers`)).text();
        if (consumers.includes(`the example, ${program}`) && /"replaced"/.test(consumers)) break;
        if (wait > 50) throw new Error(`it is not among the consumers: ${consumers}`);
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    } finally {
      running.stop();
      await folder.remove();
    }
  }

  it('in Node goes on when its secret is regenerated and the file replaced, and names itself as the consumer', async () => {
    await survives(await folderOf({}), process.execPath, examples('node-tool/tool.mjs'));
  });

  const dotnet = findDotnet();
  (dotnet ? it : it.skip)('in .NET does so too, and the program that the portal shows runs as it is pasted', async () => {
    await open(`/repositories/${slug}`);
    const settings = { 'Tool.csproj': await example('dotnet/Tool.csproj'), 'appsettings.json': await pasted('.NET', 'appsettings.json') };
    const shown = await folderOf({ ...settings, 'Program.cs': await pasted('.NET', 'Program.cs') });
    const env = { ...process.env, LATCHKEY_CLIENT_SECRET: tool.secret.value };
    const { stdout } = await run('dotnet', [await buildDotnet(shown.path, dotnet!)], { cwd: shown.path, env });
    expect(stdout).toMatch(/"results"/);
    await shown.remove();

    const sources = { 'Program.cs': await example('dotnet/Program.cs'), 'Repository.cs': await example('dotnet/Repository.cs') };
    const folder = await folderOf({ ...settings, ...sources });
    await survives(folder, 'dotnet', await buildDotnet(folder.path, dotnet!));
  });
});
