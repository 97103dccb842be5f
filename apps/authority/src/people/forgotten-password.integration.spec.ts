import { request } from 'node:http';
import { Customer } from '../testing/customer.js';
import { People, same } from '../testing/people.js';
import { startAuthority, type RunningAuthority } from '../testing/running-authority.js';

let running: RunningAuthority;
let people: People;
let acme: Customer;
let other: Customer;

const password = 'correct horse battery staple';
const next = 'seven purple tractors sing';

beforeAll(async () => {
  running = await startAuthority();
});
afterAll(() => running.close());
beforeEach(async () => {
  other = await Customer.open(running);
  people = await People.of(running);
  acme = people.customer;
});

describe('a forgotten password', () => {
  const ask = (login: string, who = people.browser(), headers: Record<string, string> = same) =>
    who.go(`${acme.issuer}/forgotten-password`, { login }, headers);

  it('is replaced by a link that was mailed, which ends every session and token, tells the person, and works once', async () => {
    const tokens = await acme.signIn(people.configuration);
    expect((await ask('ANNA@example.com')).status).toBe(200);
    const { link: path, to } = await people.mailed('person.new-password');
    expect(to).toBe('anna@example.com');
    expect(await (await people.browser().go(path)).text()).toContain('anna');

    const set = await people.browser().go(path, { password: next, again: next }, same);
    expect([set.status, await set.text()]).toEqual([200, expect.stringContaining('Your password is set') as string]);
    expect(await people.alive(tokens)).toEqual({ userinfo: false, refresh: false });
    expect((await people.mailed('person.password-changed')).to).toBe('anna@example.com');
    expect(await people.openAccount(people.browser(), next)).toContain('Your account');
    for (const form of [undefined, { password, again: password }]) expect((await people.browser().go(path, form, same)).status).toBe(404);

    const { rows } = await running.test.owner.query<{ action: string }>(
      `SELECT action FROM audit_events WHERE repository_id = $1 AND action = 'user.password-changed'`,
      [acme.repository.id],
    );
    expect(rows).toHaveLength(1);
  });

  it('gets the same answer whether or not there is such an account, and before anybody is looked up', async () => {
    await acme.users.create(acme.tenant.machine, acme.slug, { loginName: 'silent', administrator: false });
    const federated = { loginName: 'federated', email: 'federated@example.com', administrator: false };
    await acme.users.create(acme.tenant.machine, acme.slug, federated);
    await acme.users.update(
      acme.tenant.machine,
      acme.slug,
      (await acme.users.create(acme.tenant.machine, acme.slug, { loginName: 'gone', email: 'gone@example.com', administrator: false })).id,
      { enabled: false },
    );
    const answers = [];
    for (const login of [
      'anna',
      'anna@example.com',
      'nobody',
      'nobody@example.com',
      'silent',
      'federated',
      'gone',
      'visitor',
      "' OR 1=1 --",
      'a\0b',
    ]) {
      const response = await ask(login);
      const headers = Object.fromEntries([...response.headers].filter(([name]) => !['date', 'x-request-id'].includes(name)));
      answers.push(JSON.stringify([response.status, headers, await response.text()]));
    }
    expect(new Set(answers).size).toBe(1);
    for (let waited = 0; (await people.mails()).length < 2 && waited < 500; waited++)
      await new Promise((resolve) => setTimeout(resolve, 20));
    expect((await people.mails()).map(({ template, data }) => [template, data.to.address])).toEqual([
      ['person.new-password', 'anna@example.com'],
      ['person.new-password', 'anna@example.com'],
    ]);
  });

  it('is mailed three times an hour at most, however often and from wherever it is asked for', async () => {
    await Promise.all(
      Array.from({ length: 12 }, (_, index) => ask('anna', people.browser(), { ...same, 'x-forwarded-for': `192.0.2.${index}` })),
    );
    // They are written after the answer; then a moment for one too many.
    for (let waited = 0; (await people.mails()).length < 3 && waited < 500; waited++)
      await new Promise((resolve) => setTimeout(resolve, 20));
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(await people.mails()).toHaveLength(3);
  });

  it('leads to the issuer’s own address, whatever host a stranger asks at', async () => {
    const { host, pathname } = new URL(`${acme.issuer}/forgotten-password`);
    const headers = { ...same, 'content-type': 'application/x-www-form-urlencoded', 'x-forwarded-host': 'evil.example.com' };
    for (const named of [host, 'evil.example.com', `evil.example.com:${host.split(':')[1]}`]) {
      await new Promise<void>((resolve, reject) => {
        const sent = request(`http://${host}${pathname}`, { method: 'POST', headers: { ...headers, host: named } }, (answer) => {
          answer.resume().on('end', () => resolve());
        });
        sent.on('error', reject).end('login=anna');
      });
    }
    expect((await people.mailed('person.new-password')).link.startsWith(`${acme.issuer}/new-password/`)).toBe(true);
    const { rows } = await running.test.owner.query<{ text: string }>(
      `SELECT to_jsonb(m)::text || coalesce((SELECT string_agg(to_jsonb(l)::text, '') FROM mailed_links l), '') AS text FROM mails m`,
    );
    expect(rows.length).toBeGreaterThan(0);
    expect(rows.map(({ text }) => text).join('')).not.toContain('evil');
  });

  it('opens nothing at another repository, for another purpose, with another link’s MAC, or changed in any way', async () => {
    await ask('anna');
    const { token } = await people.mailed('person.new-password');
    const flipped = (at: number) => token.slice(0, at) + (token[at] === '0' ? '1' : '0') + token.slice(at + 1);
    for (const url of [
      `${other.issuer}/new-password/${token}`,
      `${acme.issuer}/verify-email/${token}`,
      `${acme.issuer}/invitation/${token}`,
      ...[0, 31, 32, 50, 71].map((at) => `${acme.issuer}/new-password/${flipped(at)}`),
      `${acme.issuer}/new-password/${token.slice(0, 32)}${'0'.repeat(40)}`,
    ]) {
      for (const form of [undefined, { password: next, again: next }])
        expect([url, (await people.browser().go(url, form, same)).status]).toEqual([url, 404]);
    }
    expect((await people.browser().go(`${acme.issuer}/new-password/${token}`)).status).toBe(200);
  });

  it('is gone with 30 minutes, a password that was set otherwise, another address, and a disabled account', async () => {
    const opens = async (path: string) => (await people.browser().go(path)).status === 200;
    const { tenant, users, slug, anna } = acme;
    await ask('anna');
    const first = await people.mailed('person.new-password');
    await running.test.owner.query(`UPDATE mailed_links SET expires_at = now() WHERE repository_id = $1`, [acme.repository.id]);
    expect(await opens(first.link)).toBe(false);

    const change = { password: 'another good long password' };
    for (const by of [change, { email: 'new@example.com' }, { enabled: false }]) {
      await running.test.owner.query(`DELETE FROM mailed_links WHERE repository_id = $1`, [acme.repository.id]);
      await running.test.owner.query(`DELETE FROM mails WHERE data->>'repositoryId' = $1`, [acme.repository.id]);
      await ask('anna');
      const { link: path } = await people.mailed('person.new-password');
      expect(await opens(path)).toBe(true);
      await users.update(tenant.machine, slug, anna.id, by);
      expect([by, await opens(path)]).toEqual([by, false]);
    }
  });

  it('cannot be used twice by two who open the link at once', async () => {
    await ask('anna');
    const { link: path } = await people.mailed('person.new-password');
    const answers = await Promise.all([1, 2, 3, 4].map(() => people.browser().go(path, { password: next, again: next }, same)));
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 404, 404, 404]);
  });

  it('is held to the rules of passwords, in words for people', async () => {
    await ask('anna');
    const { link: path } = await people.mailed('person.new-password');
    for (const [chosen, words] of [
      ['short', '15 characters or more'],
      ['1qaz2wsx3edc4rfv', 'Many people use this password'],
      ['aaaaaaaaaaaaaaaaaa', 'repeats or counts'],
      [`anna@example.com${acme.slug}`, 'made of your name'],
    ] as const) {
      const response = await people.browser().go(path, { password: chosen, again: chosen }, same);
      expect([chosen, response.status, await response.text()]).toEqual([chosen, 422, expect.stringContaining(words) as string]);
    }
    const german = await people.browser().go(path, { password: 'short', again: 'short' }, { ...same, 'accept-language': 'de' });
    expect(await german.text()).toContain('mindestens 15 Zeichen');
  });
});
