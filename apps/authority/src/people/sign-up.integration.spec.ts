import type { Role } from '@latchkey/contracts';
import { linkToken } from '@latchkey/credentials';
import { MailedLink } from '@latchkey/database';
import { createInvitation } from '@latchkey/tenancy';
import { Browser } from '../testing/browser.js';
import { same } from '../testing/people.js';
import { startAuthority, type RunningAuthority } from '../testing/running-authority.js';
import { Attempts, Requests } from './attempts.js';

let running: RunningAuthority;
let signUp: string;
let count = 0;

const password = 'correct horse battery staple';
const form = { name: 'Nora New', company: 'Newcomers Ltd', password, again: password };

beforeAll(async () => {
  running = await startAuthority();
  signUp = `${running.issuerOf('console')}/sign-up`;
});
afterAll(() => running.close());
// Every test comes from one address.
beforeEach(() => void Object.assign(running.authority, { requests: new Requests(), attempts: new Attempts() }));

const browser = () => new Browser(running);
const someone = () => `nora-${++count}@example.com`;
const ask = (email: string, headers: Record<string, string> = same) => browser().go(signUp, { email }, headers);

/** Where the latest link that was mailed to an address leads, once there are so many: as the worker would write it. */
async function mailed(address: string, many = 1): Promise<string> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const links = await running.database.read({ repositoryId: running.console.id }, (tx) =>
      tx.find(MailedLink, { where: { repositoryId: running.console.id, purpose: 'sign-up', address }, order: { createdAt: 'ASC' } }),
    );
    const last = links.at(-1);
    if (last && links.length >= many) return `${signUp}/${linkToken(running.options.peppers, last)}`;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`no link to ${address}`);
}

async function rows<T>(sql: string, ...values: unknown[]): Promise<T[]> {
  return (await running.test.owner.query<T & object>(sql, values)).rows;
}

const tenantsOf = (email: string) =>
  rows<{ name: string; role: string; verified: boolean }>(
    `SELECT t.name, m.role, u.email_verified_at IS NOT NULL AS verified FROM tenants t JOIN members m ON m.tenant_id = t.id
     JOIN repository_users u ON u.repository_id = m.repository_id AND u.id = m.user_id WHERE u.email = $1`,
    email,
  );

describe('signing up', () => {
  it('makes whoever opened the link the owner of a tenant of their own, signed in at the portal without another word', async () => {
    const email = someone();
    expect((await ask(email.toUpperCase())).status).toBe(200);
    const link = await mailed(email);
    const who = browser();
    expect(await (await who.go(link)).text()).toContain(email);
    const made = await who.go(link, form, same);
    expect([made.status, made.headers.get('location')]).toEqual([303, 'http://localhost:4000/welcome']);
    expect(await tenantsOf(email)).toEqual([{ name: 'Newcomers Ltd', role: 'owner', verified: true }]);

    const interaction = new URL((await who.authorize({ prompt: 'login' })).headers.get('location') ?? '', signUp);
    const arrived = await who.follow(interaction, (url) => url.href.startsWith(running.issuerOf('console')));
    expect(arrived.url.searchParams.has('code')).toBe(true);
    expect(await rows(`SELECT FROM audit_events WHERE action = 'tenant.created' AND details->>'by' = 'sign-up'`)).toHaveLength(1);
    expect(await browser().signIn(email, password)).toContain('code=');
  });

  it('takes the arrival once, from the browser that signed up, and not when the password has changed since', async () => {
    const email = someone();
    await ask(email);
    const who = browser();
    await who.go(await mailed(email), form, same);
    const cookie = who.cookies.get('arrival') ?? '';
    expect(cookie).toMatch(/^\w{43}$/);
    const [stored] = await rows<{ text: string }>(`SELECT string_agg(to_jsonb(o)::text, '') AS text FROM oidc_records o`);
    expect(stored?.text).not.toContain(cookie);

    /** Whether a browser with this cookie gets past the sign-in page. */
    const passes = async (value: string) => {
      const other = browser();
      const page = await other.openSignIn();
      other.cookies.set('arrival', value);
      return (await other.go(page)).status === 303;
    };
    expect(await passes(`${cookie.slice(0, 42)}${cookie[42] === 'a' ? 'b' : 'a'}`)).toBe(false);
    await running.test.owner.query(`UPDATE repository_users SET generation = 2 WHERE email = $1`, [email]);
    expect(await passes(cookie)).toBe(false);
    await running.test.owner.query(`UPDATE repository_users SET generation = 1 WHERE email = $1`, [email]);
    expect([await passes(cookie), await passes(cookie)]).toEqual([true, false]);
  });

  it('answers the same for an address that has an account, which only the reader of its mail is told', async () => {
    const known = someone();
    await ask(known);
    await browser().go(await mailed(known), form, same);
    const answers = [];
    for (const email of [known, someone(), `${'a'.repeat(60)}@example.com`]) {
      const response = await ask(email);
      const headers = Object.fromEntries([...response.headers].filter(([name]) => !['date', 'x-request-id'].includes(name)));
      answers.push(JSON.stringify([response.status, headers, await response.text()]));
    }
    expect(new Set(answers).size).toBe(1);
    const link = await mailed(known, 2);
    for (const sent of [undefined, form])
      expect(await (await browser().go(link, sent, same)).text()).toContain('You have an account already');
    expect(await tenantsOf(known)).toHaveLength(1);
  });

  it('gives whoever has an account and belongs to no tenant any more a new one, and asks for no other password', async () => {
    const email = someone();
    await ask(email);
    await browser().go(await mailed(email), form, same);
    await running.test.owner.query(`DELETE FROM members m USING repository_users u WHERE u.id = m.user_id AND u.email = $1`, [email]);
    await ask(email);
    const link = await mailed(email, 2);
    expect(await (await browser().go(link)).text()).toMatch(/^((?!password).)*Your new company((?!type="password").)*$/s);
    const who = browser();
    expect((await who.go(link, { company: 'Second try' }, same)).status).toBe(303);
    expect(who.cookies.has('arrival')).toBe(false);
    expect(await tenantsOf(email)).toEqual([{ name: 'Second try', role: 'owner', verified: true }]);
    expect((await browser().go(link, { company: 'Third' }, same)).status).toBe(404);
    // Two links of one hour make one tenant, also when both pages were open before.
    await ask(email);
    const token = (await mailed(email, 3)).split('/').at(-1) ?? '';
    const act = { call: { requestId: 'test' }, language: 'en' as const };
    await expect(running.authority.signUps?.comeBack(running.console, token, 'Third', act)).rejects.toMatchObject({
      type: 'already-exists',
    });
    expect(await browser().signIn(email, password)).toContain('code=');
  });

  it('mails an address three times an hour at most, from wherever it is asked and however it is spelled; and a network 20 times in a quarter of one', async () => {
    const email = someone();
    await Promise.all(Array.from({ length: 12 }, (_, index) => ask(index % 2 ? email : email.toUpperCase())));
    await mailed(email, 3);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(await rows(`SELECT FROM mails WHERE data->'to'->>'address' = $1`, email)).toHaveLength(3);
    const statuses = [];
    for (let index = 0; index < 9; index++) statuses.push((await ask(someone())).status);
    expect(statuses).toEqual([200, 200, 200, 200, 200, 200, 200, 200, 429]);
  });

  it('makes one account of two links, and of two who open one at once', async () => {
    const email = someone();
    await ask(email);
    await ask(email);
    const link = await mailed(email, 2);
    const answers = await Promise.all([1, 2, 3].map(() => browser().go(link, form, same)));
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([303, 404, 404]);
    expect((await browser().go(link)).status).toBe(404);
    expect(await tenantsOf(email)).toHaveLength(1);
  });

  it('opens nothing with another purpose, another repository, a changed token, after a day, or from another site', async () => {
    const email = someone();
    await ask(email);
    const link = await mailed(email);
    const token = link.split('/').at(-1) ?? '';
    const console = running.issuerOf('console');
    for (const url of [
      `${console}/invitation/${token}`,
      `${console}/new-password/${token}`,
      `${console}/verify-email/${token}`,
      `${running.issuerOf('canary')}/sign-up/${token}`,
      `${running.issuerOf('canary')}/sign-up`,
      `${signUp}/${token.slice(0, 71)}${token[71] === '0' ? '1' : '0'}`,
      `${signUp}/${token.slice(0, 32)}${'0'.repeat(40)}`,
    ])
      expect([url, (await browser().go(url, form, same)).status]).toEqual([url, 404]);
    expect((await browser().go(link, form, { 'sec-fetch-site': 'cross-site' })).status).toBe(403);
    expect((await ask(someone(), { 'sec-fetch-site': 'cross-site' })).status).toBe(403);
    await running.test.owner.query(`UPDATE mailed_links SET expires_at = now() WHERE address = $1`, [email]);
    expect((await browser().go(link, form, same)).status).toBe(404);
    expect(await tenantsOf(email)).toEqual([]);
  });

  it('says what is wrong with a form, keeps what was typed, and refuses nothing with a fault of ours', async () => {
    for (const email of ['', 'nobody', 'a@b', 'a\0@example.com', "x' OR 1=1 --@example.com", `${'a'.repeat(300)}@example.com`])
      expect([email, (await ask(email)).status]).toEqual([email, 422]);
    const email = someone();
    await ask(email);
    const link = await mailed(email);
    for (const [change, words] of [
      [{ name: '' }, 'Enter a name'],
      [{ company: ' ' }, 'Enter the name of your company'],
      [{ company: 'x'.repeat(300) }, 'Enter the name of your company'],
      [{ again: 'something else' }, 'The two passwords are not the same'],
      [{ password: 'short', again: 'short' }, '15 characters or more'],
      [{ password: email + email, again: email + email }, 'made of your name'],
    ] as const) {
      const response = await browser().go(link, { ...form, ...change }, same);
      const text = await response.text();
      expect([words, response.status, text.includes(words)]).toEqual([words, 422, true]);
      if (!('name' in change)) expect(text).toContain('Nora New');
    }
    const german = await browser().go(link, undefined, { 'accept-language': 'de' });
    expect(await german.text()).toContain('Ihr Konto und Ihre Firma');
    expect((await browser().go(link, { ...form, company: '<b>Söhne & Co</b>' }, same)).status).toBe(303);
    expect(await tenantsOf(email)).toEqual([{ name: '<b>Söhne & Co</b>', role: 'owner', verified: true }]);
  });

  it('names two of one name apart, and nobody like an address', async () => {
    const [before] = someone().split('@');
    for (const address of [`${before}@example.com`, `${before}@example.org`, "o'neil+a@example.com"]) {
      await ask(address);
      expect((await browser().go(await mailed(address), form, same)).status).toBe(303);
    }
    const names = await rows<{ name: string }>(
      `SELECT login_name AS name FROM repository_users WHERE email LIKE $1 OR email LIKE 'o''%' ORDER BY id`,
      `${before}@%`,
    );
    expect(names.map(({ name }) => name.replace(/-\w{6}$/, '-…'))).toEqual([before, `${before}-…`, 'person']);
  });

  it('is not there where the operator makes the tenants, and nothing offers it', async () => {
    const page = async () => {
      const who = browser();
      return (await who.go(await who.openSignIn())).text();
    };
    expect(await page()).toContain('/console/sign-up');
    const { signUps } = running.authority;
    Object.assign(running.authority, { signUps: undefined });
    const email = someone();
    expect((await ask(email)).status).toBe(404);
    expect((await browser().go(`${signUp}/${'0'.repeat(72)}`)).status).toBe(404);
    expect(await page()).not.toContain('sign-up');
    Object.assign(running.authority, { signUps });
  });
});

describe('an invitation of somebody who has an account', () => {
  /** Signs in for a page of the account, by way of the invitation. @returns where that leads. */
  async function signInFor(who: Browser, link: string, login: string): Promise<string> {
    const stay = (url: URL) => url.href.startsWith(running.issuerOf('console'));
    const asked = await who.go(link, { with: 'another' }, same);
    const { url } = await who.follow(new URL(asked.headers.get('location') ?? '', link), stay);
    const sent = await who.go(url, { login, password }, same);
    return (await who.follow(new URL(sent.headers.get('location') ?? '', url), stay)).url.href;
  }
  const invite = async (role: string) => {
    const tenant = await running.newTenant('Inviting Ltd');
    const token = await running.database.transaction('system', (tx) =>
      createInvitation(tx, running.options.peppers, {
        repositoryId: running.console.id,
        tenantId: tenant.id,
        userId: null,
        invitedBy: null,
        invitedWith: null,
        role: role as Role,
      }),
    );
    return { tenant, link: `${running.issuerOf('console')}/invitation/${token}` };
  };
  const rolesIn = (tenantId: string) =>
    rows<{ role: string; user_id: number }>('SELECT role, user_id FROM members WHERE tenant_id = $1', tenantId);

  it('is taken up with that account, once, after signing in with it; the page says of which tenant it is', async () => {
    const olga = await (await running.newTenant('Home')).addMember('owner');
    const { tenant, link } = await invite('admin');
    expect(await (await browser().go(link)).text()).toMatch(/You have an account here already[^]*Sign in with it instead/);
    const who = browser();
    expect(await signInFor(who, link, olga.loginName)).toBe(link);
    const page = await (await who.go(link)).text();
    expect([page.includes(`Join as ${olga.loginName}`), page.includes('Inviting Ltd')]).toEqual([true, true]);
    expect(await (await who.go(link, { with: 'this' }, same)).text()).toContain('You are a member now');
    expect(await rolesIn(tenant.id)).toEqual([{ role: 'admin', user_id: olga.userId }]);
    expect((await who.go(link)).status).toBe(404);
    expect(await rows(`SELECT FROM audit_events WHERE tenant_id = $1 AND action = 'member.joined'`, tenant.id)).toHaveLength(1);
  });

  it('makes nobody a member whom another site sends, who is not signed in, or who is one already', async () => {
    const { tenant, link } = await invite('viewer');
    const mona = await tenant.addMember('developer');
    const who = browser();
    expect((await browser().go(link, { with: 'this' }, same)).headers.get('location')).toBe(new URL(link).pathname);
    await signInFor(who, link, mona.loginName);
    for (const headers of [{ 'sec-fetch-site': 'cross-site' }, { 'sec-fetch-site': 'same-site' }, {}])
      expect([303, 403]).toContain((await who.go(link, { with: 'this' }, headers as Record<string, string>)).status);
    expect(await (await who.go(link, { with: 'this' }, same)).text()).toContain('You are a member already');
    expect(await rolesIn(tenant.id)).toEqual([{ role: 'developer', user_id: mona.userId }]);
    expect((await browser().go(link)).status).toBe(200);
  });

  it('leads nowhere else after signing in, whatever a cookie says', async () => {
    const { link, tenant } = await invite('viewer');
    const vera = await tenant.addMember('viewer');
    for (const evil of ['/account/everywhere', '//evil.example.com', 'https://evil.example.com/', '/invitation/../account']) {
      const who = browser();
      await signInFor(who, link, vera.loginName);
      who.cookies.set('destination', evil);
      const answer = await who.go(`${running.issuerOf('console')}/account?code=x`);
      expect([evil, answer.headers.get('location')]).toEqual([evil, '/console/account']);
    }
  });
});
