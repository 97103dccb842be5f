import * as client from 'openid-client';
import { linkToken } from '@latchkey/credentials';
import type { MailedLink } from '@latchkey/database';
import { Invitations, MemberInvitations } from '@latchkey/tenancy';
import { Customer } from '../testing/customer.js';
import { People, same } from '../testing/people.js';
import { startAuthority, type RunningAuthority } from '../testing/running-authority.js';

let running: RunningAuthority;
let people: People;
let acme: Customer;
let other: Customer;

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

describe('an e-mail address', () => {
  const emailVerified = async () => {
    const tokens = await acme.signIn(people.configuration);
    return (await client.fetchUserInfo(people.configuration, tokens.access_token, client.skipSubjectCheck)).email_verified;
  };

  it('is verified by the link that was mailed there, and the claim says so only then', async () => {
    expect(await emailVerified()).toBe(false);
    const anna = people.browser();
    await people.openAccount(anna);
    expect(await (await people.act(anna, 'email', { email: 'anna@example.com' })).text()).toContain('A link is on its way');
    const { link: path } = await people.mailed('person.verify-email');
    expect(await (await people.browser().go(path)).text()).toContain('anna@example.com');
    expect(await emailVerified()).toBe(false);
    expect((await people.browser().go(path, {}, same)).status).toBe(200);
    expect(await emailVerified()).toBe(true);
    expect((await people.browser().go(path, {}, same)).status).toBe(404);
    expect((await people.mails()).map(({ template }) => template)).not.toContain('person.email-changed');

    await acme.users.update(acme.tenant.machine, acme.slug, acme.anna.id, { email: 'else@example.com' });
    expect(await emailVerified()).toBe(false);
  });

  it('is changed once the new one is verified, and the old one is told', async () => {
    const anna = people.browser();
    await people.openAccount(anna);
    await people.act(anna, 'email', { email: 'new@example.com' });
    const { link: path, to } = await people.mailed('person.verify-email');
    expect(to).toBe('new@example.com');
    expect(await acme.users.get(acme.tenant.machine, acme.slug, acme.anna.id)).toMatchObject({ email: 'anna@example.com' });
    await people.browser().go(path, {}, same);
    expect(await acme.users.get(acme.tenant.machine, acme.slug, acme.anna.id)).toMatchObject({
      email: 'new@example.com',
      emailVerified: true,
    });
    expect((await people.mailed('person.email-changed')).to).toBe('anna@example.com');
  });

  it('of somebody else gets the same answer, and is refused to whoever reads it', async () => {
    await acme.users.create(acme.tenant.machine, acme.slug, { loginName: 'bert', email: 'bert@example.com', administrator: false });
    const anna = people.browser();
    await people.openAccount(anna);
    const strip = (html: string) => html.replaceAll(/\d\d?:\d\d/g, '');
    const [free, taken] = [
      await people.act(anna, 'email', { email: 'free@example.com' }),
      await people.act(anna, 'email', { email: 'bert@example.com' }),
    ];
    expect(strip(await taken.text())).toBe(strip(await free.text()));
    const { link: path } = await people.mailed('person.verify-email');
    const refused = await people.browser().go(path, {}, same);
    expect([refused.status, await refused.text()]).toEqual([409, expect.stringContaining('Another account has this address') as string]);
  });

  it('is not verified by a link from before the password was changed', async () => {
    const anna = people.browser();
    await people.openAccount(anna);
    await people.act(anna, 'email', { email: 'thief@example.com' });
    const { link: path } = await people.mailed('person.verify-email');
    await acme.users.update(acme.tenant.machine, acme.slug, acme.anna.id, { password: next });
    expect((await people.browser().go(path, {}, same)).status).toBe(404);
  });
});

describe('an invitation', () => {
  const person = { login: 'carla', name: 'Carla', email: 'carla@example.com', password: next, again: next };

  it('that came by mail proves the address, and the link that was shown to whoever invited does not', async () => {
    const { users, tenant, slug } = acme;
    for (const [loginName, byMail] of [
      ['mailed', true],
      ['shown', false],
    ] as const) {
      const user = await users.create(tenant.machine, slug, { loginName, email: `${loginName}@example.com`, administrator: false });
      const { link } = await users.invite(tenant.machine, slug, user.id);
      const { link: path, to } = await people.mailed('person.invited');
      expect([to, path === link]).toEqual([`${loginName}@example.com`, false]);
      const accepted = await people.browser().go(byMail ? path : link, { password: next, again: next }, same);
      expect(accepted.status).toBe(200);
      expect(await users.get(tenant.machine, slug, user.id)).toMatchObject({ emailVerified: byMail, hasPassword: true });
      for (const used of [path, link]) expect((await people.browser().go(used)).status).toBe(404);
    }
  });

  it('that is taken up with another address than it was mailed to asks that one to be verified', async () => {
    const owner = running.first.ownerLink;
    const accepted = await people.browser().go(owner, { ...person, login: 'owner' }, same);
    expect(accepted.status).toBe(200);
    const { rows } = await running.test.owner.query(`SELECT template, data FROM mails WHERE data->>'loginName' = 'owner'`);
    expect(rows).toEqual([
      { template: 'person.verify-email', data: expect.objectContaining({ to: { name: 'Carla', address: person.email } }) as object },
    ]);
  });

  it('into a tenant is mailed too, and whoever takes it up by that link is a member whose address is verified', async () => {
    const { database, authority, options, issuerOf } = running;
    const email = 'dora@example.com';
    const invitations = new MemberInvitations(database, options.peppers, authority.directory, options.authorityUrls);
    const { link: shown } = await invitations.create(acme.tenant.machine, { role: 'owner', email });
    const { rows } = await running.test.owner.query<MailedLink>(
      `SELECT repository_id AS "repositoryId", id, purpose, user_id AS "userId", address, key_id AS "keyId" FROM mailed_links
       WHERE tenant_id = $1 AND address = $2`,
      [acme.tenant.id, email],
    );
    const link = `${issuerOf('console')}/invitation/${linkToken(options.peppers, rows[0]!)}`;
    expect(await (await people.browser().go(link)).text()).toContain(`value="${email}"`);
    const accepted = await people.browser().go(link, { ...person, login: 'dora', email: 'DORA@example.com' }, same);
    expect([accepted.status, await accepted.text()]).toEqual([200, expect.stringContaining('You can now sign in as dora') as string]);
    expect((await people.browser().go(shown)).status).toBe(404);
    const { rows: users } = await running.test.owner.query(
      `SELECT u.email_verified_at IS NOT NULL AS verified FROM repository_users u JOIN members m ON m.repository_id = u.repository_id AND m.user_id = u.id
       WHERE m.tenant_id = $1`,
      [acme.tenant.id],
    );
    expect(users).toEqual([{ verified: true }]);
  });

  it('that was mailed to an address which is not the account’s any more opens nothing', async () => {
    const { users, tenant, slug, anna } = acme;
    await users.invite(tenant.machine, slug, anna.id);
    const { link } = await people.mailed('person.invited');
    expect((await people.browser().go(link)).status).toBe(200);
    await users.update(tenant.machine, slug, anna.id, { email: 'other@example.com' });
    for (const form of [undefined, { password: next, again: next }]) expect((await people.browser().go(link, form, same)).status).toBe(404);
  });

  it('is nothing to another repository, by either of its links', async () => {
    const { users, tenant, slug, anna } = acme;
    const { link } = await users.invite(tenant.machine, slug, anna.id);
    const { token } = await people.mailed('person.invited');
    const invitations = new Invitations(running.database, running.options.peppers);
    const stranger = { ...other.repository, tenantId: other.tenant.id };
    for (const each of [token, link.split('/').at(-1) ?? '']) expect(await invitations.find(stranger as never, each)).toBeUndefined();
  });
});

describe('an address that nobody has proved to be theirs', () => {
  it('is mailed no links to confirm it by a network that has had its mails, be it at the account or with an invitation', async () => {
    const anna = people.browser();
    await people.openAccount(anna);
    const { users, tenant, slug } = acme;
    const invited = await users.create(tenant.machine, slug, { loginName: 'bert', email: 'bert@example.com', administrator: false });
    const { link } = await users.invite(tenant.machine, slug, invited.id);
    for (let turn = 0; turn < 20; turn += 1) await people.browser().go(`${acme.issuer}/forgotten-password`, { login: 'nobody' }, same);
    const slowed = await people.act(anna, 'email', { email: 'stranger@example.com' });
    expect([slowed.status, Number(slowed.headers.get('retry-after')) > 0]).toEqual([429, true]);
    expect((await people.browser().go(link, { password: next, again: next }, same)).status).toBe(200);
    expect((await people.mails()).map(({ template }) => template)).not.toContain('person.verify-email');
  });

  it('is told of 60 changes of an account in an hour, and of 20 new browsers', async () => {
    const anna = people.browser();
    await people.openAccount(anna);
    for (let turn = 0; turn < 20; turn += 1) await acme.signIn(people.configuration, {}, { browser: people.browser() });
    expect((await people.mails()).filter(({ template }) => template === 'person.new-device')).toHaveLength(20);
    const statuses = [];
    for (let turn = 0; turn < 61; turn += 1) statuses.push((await people.act(anna, 'name', { name: `Anna ${turn}` })).status);
    expect(statuses).toEqual([...Array.from({ length: 60 }, () => 200), 429]);
  });
});
