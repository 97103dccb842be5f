import { createHook } from 'node:async_hooks';
import { Browser } from '../testing/browser.js';
import { Customer } from '../testing/customer.js';
import { startAuthority, type RunningAuthority } from '../testing/running-authority.js';
import { Attempts } from './attempts.js';

let running: RunningAuthority;
let acme: Customer;
const password = 'correct horse battery staple';
const same = { 'sec-fetch-site': 'same-origin' };

beforeAll(async () => {
  running = await startAuthority();
});
afterAll(() => running.close());
beforeEach(async () => {
  acme = await Customer.open(running);
  Object.assign(running.authority, { attempts: new Attempts() });
});

/** The sign-in page that an app has sent a browser to. */
async function openSignIn(browser: Browser): Promise<URL> {
  const { url } = await acme.request(await acme.discover());
  const { url: at } = await browser.follow(url, (to) => to.href.startsWith(`${acme.issuer}/`));
  return at;
}

async function tryToSignIn(browser: Browser, login: string, typed: string): Promise<Response> {
  return browser.go(await openSignIn(browser), { login, password: typed }, same);
}

describe('guesses at the sign-in page', () => {
  it('are slowed after ten, with the time to wait, alike for an account that exists and one that does not', async () => {
    for (const login of ['anna', 'nobody']) {
      const browser = new Browser(running);
      for (let guess = 0; guess < 10; guess++) expect((await tryToSignIn(browser, login, `wrong password ${guess}`)).status).toBe(401);
      const slowed = await tryToSignIn(browser, login, password);
      expect(slowed.status).toBe(429);
      expect(Number(slowed.headers.get('retry-after'))).toBeGreaterThan(800);
      expect((await slowed.text()).replace(/\d+ minutes/, 'minutes')).toContain('Too many attempts');
    }
  });

  it('in another case or by another spelling of the same name are not more', async () => {
    const browser = new Browser(running);
    const spellings = ['anna', 'ANNA', ' Anna', 'aNNa\t', 'anna ', 'annA'];
    const answers = [];
    for (let guess = 0; guess < 12; guess++) answers.push((await tryToSignIn(browser, spellings[guess % 6] ?? '', 'wrong')).status);
    expect(answers).toEqual([...Array.from({ length: 10 }, () => 401), 429, 429]);
  });

  it('do not keep out the person in a browser that they have signed in in', async () => {
    const known = new Browser(running);
    await acme.signIn(await acme.discover(), {}, { browser: known });
    for (let guess = 0; guess < 12; guess++) await tryToSignIn(new Browser(running), 'anna', 'wrong');
    expect((await tryToSignIn(new Browser(running), 'anna', password)).status).toBe(429);
    for (const name of known.cookies.keys()) if (name !== 'known') known.cookies.delete(name);
    expect((await tryToSignIn(known, 'anna', password)).status).toBe(303);
  });

  it('have no use of such a browser’s cookie for another account, at another repository, or made up', async () => {
    const other = await Customer.open(running);
    const known = new Browser(running);
    await other.signIn(await other.discover(), {}, { browser: known });
    const [cookie = ''] = [known.cookies.get('known')];
    const [id, nonce, mac] = cookie.split('.');
    expect(mac).toBeDefined();
    for (const forged of [cookie, `${acme.anna.id}.${nonce}.${mac}`, `${id}.${'x'.repeat(16)}.${mac}`, '~~~', 'a.b.c', 'x'.repeat(5000)]) {
      Object.assign(running.authority, { attempts: new Attempts() });
      const browser = new Browser(running);
      browser.cookies.set('known', forged);
      const answers = [];
      for (let guess = 0; guess < 12; guess++) answers.push((await tryToSignIn(browser, 'anna', 'wrong')).status);
      // A cookie that counted would have had ten of its own before these.
      expect([forged.slice(0, 20), answers.filter((status) => status === 401).length]).toEqual([forged.slice(0, 20), 10]);
    }
  });

  it('cost one hash each, whoever is named, and none once they are slowed', async () => {
    await acme.users.create(acme.tenant.machine, acme.slug, { loginName: 'silent', administrator: false });
    let hashes = 0;
    const counting = createHook({ init: (_id, type) => void (hashes += /argon2/i.test(type) ? 1 : 0) }).enable();
    const costs: [string, number, number][] = [];
    for (const login of ['anna', 'nobody', 'silent', 'visitor', 'a\0b', ...Array.from({ length: 10 }, () => 'anna')]) {
      hashes = 0;
      const { status } = await tryToSignIn(new Browser(running), login, 'wrong');
      costs.push([login, status, hashes]);
    }
    counting.disable();
    expect(costs.slice(0, 5).map(([, ...cost]) => cost)).toEqual(Array.from({ length: 5 }, () => [401, 1]));
    expect(costs.slice(-1)).toEqual([['anna', 429, 0]]);
  });
});

describe('a sign-in in a new browser', () => {
  const told = async () => {
    const { rows } = await running.test.owner.query<{ template: string }>(
      `SELECT template FROM mails WHERE data->>'repositoryId' = $1 AND template = 'person.new-device'`,
      [acme.repository.id],
    );
    return rows.length;
  };

  it('is told by mail, once for each browser, and not where the repository does not want it', async () => {
    const configuration = await acme.discover();
    const browser = new Browser(running);
    await acme.signIn(configuration, {}, { browser });
    expect(await told()).toBe(1);
    await acme.signIn(configuration, { prompt: 'login' }, { browser });
    expect(await told()).toBe(1);
    await acme.signIn(configuration);
    expect(await told()).toBe(2);
    await acme.repositories.update(acme.tenant.machine, acme.slug, { newDeviceMails: false });
    await acme.signIn(configuration);
    expect(await told()).toBe(2);
  });
});
