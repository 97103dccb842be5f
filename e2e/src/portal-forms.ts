import { generateKeyPairSync } from 'node:crypto';
import type { Page, Route } from 'playwright-core';
import { layoutFaults } from './browser.js';

/** A form of the portal, as a person goes through it. */
export interface Form {
  name: string;
  path: string;
  /** From the page to the form, filled in. */
  fill: (page: Page) => Promise<unknown>;
  /** What the button says that sends it. */
  send: string | RegExp;
  /** Says that the change was made. Without it, the answer holds a secret, and is lost when it is. */
  done?: string | RegExp;
  /** Says what to do when the answer was lost. */
  lost?: string;
}

const button = (page: Page, name: string | RegExp) => page.getByRole('button', { name }).first();
const { d: _, ...publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' });

/** Every form in which something is typed or chosen, in an order in which each finds what it needs. The repository has a user `anna`. */
export const formsOf = (slug: string): Form[] => [
  {
    name: 'creating a repository',
    path: '/new-repository',
    fill: async (page) => {
      await page.getByLabel('Name').fill('Typed before');
      await page.getByText(/^The slug typed-before is free/).waitFor();
    },
    send: 'Create the repository',
    lost: 'Regenerate its secret',
  },
  {
    name: 'regenerating a secret',
    path: `/api-keys/${slug}/token`,
    fill: async (page) => {
      await button(page, /^Regenerate the secret/).click();
      await page.getByRole('radio', { name: 'Later' }).check();
    },
    send: 'Make the new secret',
    lost: 'Regenerate once more',
  },
  {
    name: 'adding a tool client',
    path: `/api-keys/${slug}/token`,
    fill: async (page) => {
      await button(page, 'Add a tool client').click();
      await page.getByRole('textbox', { name: 'Name' }).fill('Second tool');
      await page.getByLabel('Change users').uncheck();
    },
    send: 'Add a tool client',
    lost: 'It was added',
  },
  {
    name: 'changing a client',
    path: `/api-keys/${slug}/token`,
    fill: async (page) => {
      await button(page, 'Change Second tool').click();
      await page.getByRole('textbox', { name: 'Name' }).fill('Third tool');
    },
    send: 'Save',
    done: 'Third tool',
  },
  {
    name: 'adding a public key',
    path: `/api-keys/${slug}/token`,
    fill: async (page) => {
      await button(page, 'Public keys').click();
      await button(page, 'Add a public key').click();
      await page.getByLabel('Public key as a JWK').fill(JSON.stringify(publicKey));
    },
    send: 'Add the key',
    done: 'ES256',
  },
  {
    name: 'adding an app client',
    path: `/api-keys/${slug}/app`,
    fill: async (page) => {
      await button(page, 'Add an app client').click();
      await page.getByLabel('Name').fill('Second app');
      await button(page, 'Add a redirect URI').click();
      await page.getByLabel('redirect URI 1', { exact: true }).fill('https://app.example.com/');
    },
    send: 'Add an app client',
    done: 'https://app.example.com/',
  },
  {
    name: 'making an API key',
    path: `/api-keys/${slug}/users`,
    fill: async (page) => {
      await button(page, 'Make an API key').click();
      await page.getByLabel('Name').fill('Import');
    },
    send: 'Make the key',
    lost: 'The key was made',
  },
  {
    name: 'adding a user',
    path: `/repositories/${slug}/users`,
    fill: async (page) => {
      await button(page, 'Add a user').click();
      await page.getByLabel('User name').fill('bea');
      await page.getByLabel('I set it').check();
      await page.getByLabel('Their password').fill('a long pass phrase of bea');
    },
    send: 'Add the user',
    done: 'added',
  },
  {
    name: 'making a password link',
    path: `/repositories/${slug}/users`,
    fill: async (page) => {
      await button(page, 'Actions for bea').click();
      await page.getByRole('menuitem', { name: 'Make a password link' }).click();
    },
    send: 'Make the link',
    lost: 'Make another link',
  },
  {
    name: 'changing a user',
    path: `/repositories/${slug}/users`,
    fill: async (page) => {
      await button(page, 'Actions for bea').click();
      await page.getByRole('menuitem', { name: 'Change name' }).click();
      await page.getByLabel('Name').fill('Bea Changed');
    },
    send: 'Save',
    done: 'Bea Changed',
  },
  {
    name: 'disabling a user',
    path: `/repositories/${slug}/users`,
    fill: async (page) => {
      await button(page, 'Actions for Bea Changed').click();
      await page.getByRole('menuitem', { name: 'Disable' }).click();
    },
    send: 'Disable now',
    done: 'Bea Changed is disabled',
  },
  {
    name: 'the name of a repository',
    path: `/repositories/${slug}/settings`,
    fill: async (page) => {
      const field = page.getByRole('region', { name: 'General' }).getByLabel('Name');
      await field.fill(`${await field.inputValue()}, renamed`);
    },
    send: 'Save',
    done: 'Saved.',
  },
  {
    name: 'the allowed origins',
    path: `/repositories/${slug}/settings`,
    fill: async (page) => {
      await button(page, 'Add an origin').click();
      await page.getByLabel('origin 1', { exact: true }).fill('https://app.example.com');
    },
    send: 'Save',
    done: 'Saved.',
  },
  {
    name: 'the look',
    path: `/repositories/${slug}/settings`,
    fill: (page) => page.getByLabel('Accent colour').fill('#8a2be2'),
    send: 'Save',
    done: 'Shown as',
  },
  {
    name: 'an identity provider',
    path: `/repositories/${slug}/settings`,
    fill: async (page) => {
      await button(page, 'Add a provider').click();
      await page.getByLabel('Provider', { exact: true }).selectOption('github');
      await page.getByLabel('Client ID there').fill('client');
      await page.getByLabel('Client secret there').fill('not a secret of ours');
    },
    send: 'Add it',
    done: 'Its redirect URI',
  },
  {
    name: 'a domain',
    path: `/repositories/${slug}/settings`,
    fill: (page) => page.getByLabel('Domain', { exact: true }).fill(`${slug}.example.com`),
    send: 'Add the domain',
    done: 'Not proved yet',
  },
  {
    name: 'rotating the signing key',
    path: `/repositories/${slug}/settings`,
    fill: (page) => button(page, 'Rotate').click(),
    send: 'Rotate',
    done: 'Published, will sign',
  },
  {
    name: 'adding a webhook',
    path: `/webhooks/${slug}`,
    fill: async (page) => {
      await button(page, 'Add a webhook').click();
      await page.getByLabel('Address').fill('http://127.0.0.1:9/another');
      await page.getByLabel('Description').fill('Of the second system');
    },
    send: 'Add it',
    lost: 'It was added',
  },
  {
    name: 'rotating the signing secret of a webhook',
    path: `/webhooks/${slug}`,
    fill: (page) => button(page, 'Rotate the signing secret').click(),
    send: 'Rotate it',
    lost: 'Rotate it once more',
  },
  {
    name: 'the address of the tenant',
    path: `/webhooks/${slug}`,
    fill: async (page) => {
      await button(page, 'Set an address').click();
      await page.getByRole('textbox', { name: 'Address' }).fill('https://hooks.example.com/typed');
    },
    send: 'Set the address',
    lost: 'Set it once more',
  },
  {
    name: 'inviting a member',
    path: '/members',
    fill: async (page) => {
      await button(page, 'Invite somebody').click();
      await page.getByLabel('E-mail address').fill('new@example.com');
      await page.getByLabel('Role', { exact: true }).selectOption('viewer');
    },
    send: 'Invite',
    lost: 'withdraw it, and invite once more',
  },
  {
    name: 'making a credential of the tenant',
    path: '/credentials',
    fill: async (page) => {
      await button(page, 'Make a credential').click();
      await page.getByLabel('Name').fill('Pipeline');
    },
    send: 'Make it',
    lost: 'It was made',
  },
  {
    name: 'one’s own credential',
    path: '/profile',
    fill: (page) => button(page, 'Make a credential').waitFor(),
    send: 'Make a credential',
    lost: 'Revoke it and make another',
  },
  {
    name: 'the settings of the tenant',
    path: '/tenant',
    fill: (page) => page.getByLabel('Valid for').fill('99 days'),
    send: 'Save',
    done: 'Saved.',
  },
];

/** What is typed, ticked and chosen, in the order of the page. */
const typed = (page: Page) =>
  page.evaluate<string>(
    `JSON.stringify([...document.querySelectorAll('main, [role=dialog]')].flatMap((e) => [...e.querySelectorAll('input, select, textarea')])
      .map((e) => (e.type === 'radio' || e.type === 'checkbox' ? e.checked : e.value)))`,
  );

/** How a member's session really ends, and how they sign in again in the window that opens. */
export interface Ending {
  end: () => Promise<unknown>;
  signIn: (window: Page) => Promise<unknown>;
}

/** Signs in in the window that the page opens when it has turned out that the session is over. */
export async function signInAgain(page: Page, signIn: Ending['signIn']): Promise<void> {
  const window = page.waitForEvent('popup');
  await page.getByRole('dialog', { name: 'You are no longer signed in' }).getByRole('button', { name: 'Sign in again' }).click();
  const opened = await window;
  const closed = opened.waitForEvent('close');
  // It closes itself, maybe before the last press of a button is known to be done.
  await Promise.race([closed, signIn(opened)]);
  await closed;
}

/**
 * Sends a form, which is filled in, three times: the API refuses for now; then the token is refused, or the whole session has ended
 * and the member signs in again beside the page, and what is sent after that is carried out, but its answer is lost; and at last it
 * is answered.
 */
export async function failAndRecover(page: Page, form: Form, session?: Ending): Promise<void> {
  expect(await layoutFaults(page, [390, 1440])).toEqual([]);
  const keys = new Set<string | undefined>();
  const before = await typed(page);
  const failed = async (words: string) => {
    await page.getByRole('alert').getByText(words).waitFor();
    expect(await typed(page)).toBe(before);
  };
  let answer: (route: Route) => Promise<unknown> = () => Promise.resolve();
  await page.route('**/v1/**', (route) => {
    if (route.request().method() === 'GET') return route.continue();
    keys.add(route.request().headers()['idempotency-key']);
    return answer(route);
  });
  const send = () => page.getByRole('button', { name: form.send, exact: true }).last().click();

  const problem = { type: '/docs/problems/unavailable', title: 'A dependency cannot be reached', status: 503, detail: 'Wait a moment.' };
  answer = (route) => route.fulfill({ status: 503, contentType: 'application/problem+json', body: JSON.stringify(problem) });
  await send();
  await failed(problem.title);

  let refused = session ? Infinity : 0;
  await session?.end();
  answer = async (route) => {
    if (refused++ === 0) return route.fulfill({ status: 401, body: '' });
    const response = await route.fetch();
    return response.status() === 401 ? route.fulfill({ response }) : route.abort('connectionreset');
  };
  await send();
  if (session) {
    await button(page, 'Back to the page').click();
    await failed('Sign in again to go on.');
    await page.getByRole('button', { name: 'Sign in again' }).waitFor();
    // Nothing was done, so this is another attempt.
    keys.clear();
    await send();
    await signInAgain(page, session.signIn);
  }
  await failed('The server cannot be reached');

  answer = (route) => route.continue();
  await send();
  await page
    .getByText(form.done ?? form.lost ?? '')
    .first()
    .waitFor();
  expect(keys.size).toBe(1);
  await page.unroute('**/v1/**');
}

/** What reads what `glob` names, under the name of a list, says that it is reading, then that it failed, and reads it when asked to try again. */
export async function readInTrouble(page: Page, glob: string, list: string, begin: () => Promise<unknown>): Promise<void> {
  let failing = true;
  await page.route(glob, async (route) => {
    if (!failing) return route.continue();
    await new Promise((resolve) => setTimeout(resolve, 300));
    const problem = { type: `${new URL(page.url()).origin}/docs/problems/internal`, title: 'Something went wrong', status: 500 };
    const body = JSON.stringify({ ...problem, detail: 'It is our fault.', requestId: '01a1fc9c-1b07-71c2-b765-617512bba927' });
    return route.fulfill({ status: 500, contentType: 'application/problem+json', body });
  });
  await begin();
  await page.getByRole('status', { name: `Loading: ${list}` }).waitFor();
  await page.getByText('01a1fc9c-1b07-71c2-b765-617512bba927').waitFor();
  failing = false;
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.unroute(glob);
}

/** Sends an invitation, from the page of the members, to an API that does not answer, until the page gives up. */
export async function waitInVain(page: Page): Promise<void> {
  await page.clock.install();
  await page.getByRole('button', { name: 'Invite somebody' }).click();
  await page.route('**/v1/invitations', () => undefined);
  const sent = page.waitForRequest((request) => request.method() === 'POST');
  await page.getByRole('button', { name: 'Invite', exact: true }).click();
  await sent;
  await page.clock.fastForward(30_000);
  await page.getByText('The server cannot be reached').waitFor();
  await page.unroute('**/v1/invitations');
}
