import { execFile } from 'node:child_process';
import { copyFile, cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { isFree } from '@latchkey/start/testing';
import type { Browser, Page } from 'playwright-core';
import { openBrowser, submitSignIn } from './browser.js';
import { folderOf, startTool, type Folder, type RunningTool } from './pasted.js';
import type { RunningProduct } from './product.js';
import { sharedProductWithTenant } from './shared-product.js';

/** The documents that lead from nothing to the main job, done to the letter. */
let product: RunningProduct;

const root = new URL('../../', import.meta.url);
const textOf = (document: string) => readFile(new URL(document, root), 'utf8');

beforeAll(async () => {
  product = await sharedProductWithTenant('Quickstart');
});

/** Paths of the programs that a person has. */
const programs = (...more: string[]) => ({ ...process.env, PATH: [dirname(process.execPath), ...more, process.env['PATH']].join(':') });

describe('the quickstart', () => {
  const password = 'a long pass phrase of somebody';
  const slug = 'my-shop';
  let port: number;
  let quickstart: string;
  let folder: Folder;
  let browser: Browser;
  let page: Page;
  let secret: string;
  let toolId: string;
  let tool: RunningTool;

  beforeAll(async () => {
    do port = 20_000 + Math.floor(Math.random() * 12_000);
    while (!(await isFree(port)));
    quickstart = await textOf('docs/quickstart.md');
    folder = await folderOf({});
    await symlink(fileURLToPath(new URL('examples', root)), join(folder.path, 'examples'));
    browser = await openBrowser();
    page = await (await browser.newContext()).newPage();
  });
  afterAll(async () => {
    tool?.stop();
    await browser?.close();
    await folder?.remove();
  });

  /** A name that the document gives to what one presses. @throws when it does not. */
  const named = (name: string): string => {
    if (!quickstart.replaceAll(/\s+/g, ' ').includes(`*${name}*`)) throw new Error(`the quickstart does not speak of ${name}`);
    return name;
  };
  const press = (name: string) =>
    page
      .getByRole('button', { name: named(name), exact: true })
      .first()
      .click();
  const go = (name: string) => page.getByRole('tab', { name: named(name), exact: true }).click();
  /** The commands that stand in the document and begin so, with what is this installation's own. */
  const commands = (beginning: string): string => {
    const own: Record<string, string> = {
      'lk_live_…': secret,
      'tool_…': toolId,
      'http://localhost:4100/your-slug': product.authorityUrl(slug),
      'http://localhost:4200/your-slug': product.repositoryUrl(slug),
      'EVERY_SECONDS=2': 'EVERY_SECONDS=0.1',
      '5173': String(port),
    };
    const [, found = ''] = new RegExp(`\`\`\`\\n(${beginning}[\\s\\S]*?)\`\`\``).exec(quickstart) ?? [];
    expect(found).not.toBe('');
    return Object.entries(own).reduce((text, [example, mine]) => text.replaceAll(example, mine), found);
  };
  const paste = (beginning: string) =>
    promisify(execFile)('bash', ['-euo', 'pipefail', '-c', commands(beginning)], { cwd: folder.path, env: programs() });

  it('makes one the owner, who creates a repository and stores its secret', async () => {
    named('Become the owner');
    await page.goto(product.ownerLink);
    await page.getByLabel('User name').fill('owner');
    await page.getByLabel('Your name').fill('The owner');
    await page.getByLabel('E-mail').fill('owner@example.com');
    await page.getByLabel('Password', { exact: true }).fill(password);
    await page.getByLabel('Password again').fill(password);
    await page.getByRole('button', { name: 'Create account' }).click();
    await page.getByRole('link', { name: named('Go to the portal') }).click();
    await press('Sign in');
    await submitSignIn(page, 'owner', password);
    await page
      .getByRole('link', { name: named('Create a repository') })
      .first()
      .click();
    await page.getByLabel('Name').fill('My shop');
    await press('Create the repository');
    secret = await page.getByTestId('secret-value').innerText();
    toolId = /tool_\w{22}/.exec(await page.getByRole('main').innerText())?.[0] ?? '';
    await paste('printf');
    await page.getByRole('link', { name: named('I have stored the secret') }).click();
    expect((await paste('TOKEN=')).stdout).toContain('"Path":"/Root/Content/Reports"');
  });

  it('has an app sign somebody in', async () => {
    await go('Users');
    await press('Add a user');
    await page.getByLabel('User name').fill('anna');
    await page.getByLabel(named('I set it')).check();
    await page.getByLabel('Their password').fill(password);
    await page.getByLabel(named('Administrator')).check();
    await press('Add the user');
    await page.getByRole('dialog').waitFor({ state: 'hidden' });

    await go('Settings');
    const addresses = page.getByRole('region', { name: named('Addresses of your app') });
    for (const [add, field, value] of [
      ['Add a redirect URI', 'redirect URI 1', `http://localhost:${port}/`],
      ['Add a redirect URI after signing out', 'redirect URI after signing out 1', `http://localhost:${port}/`],
      ['Add an origin', 'origin 1', `http://localhost:${port}`],
    ] as const) {
      expect(quickstart).toContain(`\`${value.replace(String(port), '5173')}\``);
      await addresses.getByRole('button', { name: add, exact: true }).click();
      await addresses.getByLabel(field, { exact: true }).fill(value);
      await addresses.getByRole('button', { name: named('Save') }).click();
      await addresses.getByRole('button', { name: 'Save' }).waitFor({ state: 'hidden' });
    }
    await go('Connect');
    await page.getByRole('region', { name: named('Configuration to paste') }).waitFor();
    await go('React');
    const pasted = await page.getByRole('region', { name: 'src/latchkey.ts' }).innerText();

    // What its commands do, but for the packages, which are here already: `npm run dev` in the folder of the example.
    const app = join(folder.path, 'react');
    await cp(new URL('examples/react', root), app, { recursive: true });
    await writeFile(join(app, 'src/latchkey.ts'), pasted);
    expect(commands('cd examples/react')).toBe('cd examples/react\nnpm install\nnpm run dev\n');
    const { scripts } = JSON.parse(await readFile(join(app, 'package.json'), 'utf8')) as { scripts: { dev: string } };
    const env = programs(fileURLToPath(new URL('node_modules/.bin', root)));
    const server = startTool('bash', ['-c', `exec ${scripts.dev.replace('5173', String(port))}`], { cwd: app, env });
    try {
      await server.hears(/ready in/);
      const person = await (await browser.newContext()).newPage();
      await person.goto(`http://localhost:${port}/`);
      await person.getByRole('button', { name: named('Sign in') }).click();
      await submitSignIn(person, 'anna', password);
      await person.getByText('Signed in as anna').waitFor();
      await person.getByRole('button', { name: named('Reports') }).waitFor();
    } finally {
      server.stop();
    }
  });

  it('has a tool read data, and go on with the new secret once the old one has ended', async () => {
    tool = startTool('bash', ['-c', `exec env ${commands('LATCHKEY_AUTHORITY_URL')}`], { cwd: folder.path, env: programs() });
    await tool.hears(/^read 1 contents/m);
    await page
      .getByRole('navigation')
      .getByRole('link', { name: named('API keys') })
      .click();
    await go('Personal access token');
    await page.getByRole('button', { name: named('Regenerate') }).click();
    await press('Regenerate and cut off now');
    secret = await page.getByTestId('secret-value').innerText();
    const [said = ''] = commands('no token').split(' at ');
    await tool.hears(new RegExp(`^${said} at \\d`, 'm'));
    // The page behind the dialog shows it too, soon after.
    await page
      .getByRole('dialog')
      .getByText(/^5 of 5 nodes refuse/)
      .waitFor();
    await paste('printf');
    await tool.hears(/^read \d+ contents/m);
  });
});

describe('the README', () => {
  it('has a quickstart that does the whole main job as it stands', async () => {
    // What stands between ```sh and ```, as a person would paste it.
    const blocks = [...(await textOf('README.md')).matchAll(/^```sh\n([\s\S]*?)^```/gm)].map(([, block]) => block);
    expect(blocks).toHaveLength(1);
    const folder = await mkdtemp(join(tmpdir(), 'latchkey-readme-'));
    await copyFile(join(product.dataDir, 'first-credential.json'), join(folder, 'credential.json'));
    const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', blocks[0] ?? ''], {
      cwd: folder,
      env: programs(),
      timeout: 60_000,
    });
    await rm(folder, { recursive: true, force: true });
    expect(stdout).toContain('"Path":"/Root/Content/IT"');
    expect(stdout).toContain('"loginName":"anna"');
    expect(stdout).toMatch(/"preferred_username":"anna"/);
    expect(stdout).toMatch(/"Name":"anna"/);
    expect(stdout).toMatch(/old secret: \{"error":"invalid_client","error_description":"this secret was replaced at /);
    expect(stdout).toMatch(/old token: 401\n/);
    expect(stdout).toMatch(/new secret: 200\n/);
  });
});
