import { randomBytes } from 'node:crypto';
import { tenantPermissions, type Problem, type Role } from '@latchkey/contracts';
import { machineActor, memberActor, type Actor } from '@latchkey/access';
import { createUser, wellKnown } from '@latchkey/content';
import { KeyRing, RepositoryDirectory, type KnownRepository } from '@latchkey/credentials';
import { connectForChecks, Member, newId, type Pool } from '@latchkey/database';
import { createTestDatabase, type TestDatabase } from '@latchkey/database/testing';
import { AddressTemplate } from '@latchkey/runtime';
import {
  addTenant,
  consoleSlug,
  Cutoffs,
  install,
  Invitations,
  MemberCredentials,
  MemberInvitations,
  Members,
  Repositories,
  TenantCredentials,
  TenantDeletion,
  Users,
} from './index.js';

/** Open invitations end with the right of whoever made them. */
let test: TestDatabase;
let pool: Pool;
let home: KnownRepository;
let members: Members;
let invitations: MemberInvitations;
let users: Users;
let credentials: TenantCredentials;
let memberCredentials: MemberCredentials;
let deletion: TenantDeletion;
let doors: Invitations;
let people = 0;

const key = () => KeyRing.parse(`k1:${randomBytes(32).toString('base64')}`);
const [peppers, encryption] = [key(), key()];
const template = (port: number) => new AddressTemplate(`http://localhost:${port}/{repository}`);
const urls = { authorityUrls: template(4100), repositoryUrls: template(4200), tenantApiUrl: 'http://localhost:4000' };
const problem = (type: string) => expect.objectContaining({ type }) as Problem;
const call = () => ({ requestId: newId(), address: '192.0.2.9' });

beforeAll(async () => {
  test = await createTestDatabase();
  pool = connectForChecks({ url: test.url });
  const directory = new RepositoryDirectory(pool);
  await install({ database: test.database, peppers, encryption, ...urls, portalUrl: urls.tenantApiUrl });
  home = (await directory.find(consoleSlug)) as KnownRepository;
  members = new Members(test.database, directory);
  invitations = new MemberInvitations(test.database, peppers, directory, urls.authorityUrls);
  users = new Users(test.database, peppers, urls.authorityUrls);
  credentials = new TenantCredentials(test.database, peppers, directory);
  memberCredentials = new MemberCredentials(test.database, peppers, directory);
  deletion = new TenantDeletion(test.database, directory, new Cutoffs(test.database));
  doors = new Invitations(test.database, peppers);
});
afterAll(async () => {
  await pool.end();
  await test.drop();
});

interface OneTenant {
  machine: Actor;
  owner: Actor;
  leaver: Actor;
  /** Of a repository of the tenant. */
  slug: string;
  repository: KnownRepository;
  userId: number;
}

/** A tenant with an owner, somebody in a role, and a repository with a user. */
async function open(role: Role): Promise<OneTenant> {
  await addTenant({ database: test.database, peppers, encryption, ...urls, portalUrl: urls.tenantApiUrl }, 'Tenant');
  const { rows } = await test.owner.query<{ id: string }>('SELECT id FROM tenants ORDER BY created_at DESC LIMIT 1');
  const tenantId = rows[0]?.id ?? '';
  const machine = machineActor(tenantId, 'client', tenantPermissions, call());
  const slug = `acme-${(people += 1)}`;
  await new Repositories({ database: test.database, peppers, encryption, ...urls }).create(machine, {
    slug,
    name: 'Acme',
    environment: 'production',
  } as never);
  const repository = (await new RepositoryDirectory(pool).find(slug)) as KnownRepository;
  const { id: userId } = await users.create(machine, slug, { loginName: 'anna', administrator: false });
  return { machine, owner: await addMember(tenantId, 'owner'), leaver: await addMember(tenantId, role), slug, repository, userId };
}

async function addMember(tenantId: string, role: Role): Promise<Actor> {
  const person = { loginName: `person-${(people += 1)}`, name: 'Person', email: null };
  const ofConsole = { tenantId: home.tenantId, repositoryId: home.id, passwordHash: null };
  const user = await test.database.transaction({ repositoryId: home.id }, (tx) =>
    createUser(tx, wellKnown.admin, { ...ofConsole, loginName: person.loginName, name: person.name }),
  );
  const id = newId();
  await test.database.transaction({ tenantId }, (tx) => tx.insert(Member, { tenantId, id, repositoryId: home.id, userId: user.id, role }));
  return memberActor({ tenantId, id, role, person }, tenantPermissions, call());
}

const tokenIn = (link: string) => link.slice(link.lastIndexOf('/') + 1);
const opens = async (repository: KnownRepository, { link }: { link: string }) =>
  (await doors.find(repository, tokenIn(link))) !== undefined;
const trail = async ({ tenantId }: Actor) =>
  (
    await test.owner.query<{ actor_id: string; target_id: string; repository_id: string | null; details: object }>(
      `SELECT actor_id, target_id, repository_id, details FROM audit_events WHERE tenant_id = $1 AND action = 'invitation.withdrawn' ORDER BY id`,
      [tenantId],
    )
  ).rows;

describe('the open invitations of a member', () => {
  it.each(['is removed', 'leaves'])('open nothing from the moment that they are none: who %s cannot come back by one', async (how) => {
    const { machine, owner, leaver, slug, repository, userId } = await open('super-admin');
    const own = await invitations.create(leaver, { role: 'super-admin', email: 'leaver@example.com' });
    const toAccount = await users.invite(leaver, slug, userId);
    const others = [await invitations.create(owner, { role: 'viewer' }), await invitations.create(machine, { role: 'viewer' })];
    expect([await opens(home, own), await opens(repository, toAccount)]).toEqual([true, true]);

    const by = how === 'leaves' ? leaver : owner;
    await members.remove(by, leaver.id);
    expect([await opens(home, own), await opens(repository, toAccount)]).toEqual([false, false]);
    const acceptance = { loginName: 'back', name: 'Back', email: null, password: 'correct horse battery staple' };
    await expect(doors.accept(home, tokenIn(own.link), acceptance, call())).rejects.toEqual(problem('not-found'));
    for (const other of others) expect(await opens(home, other)).toBe(true);
    const { items } = await invitations.list(owner, { limit: 50 });
    expect(items.map(({ id }) => id)).toEqual(expect.arrayContaining(others.map(({ id }) => id)) as string[]);
    expect(items.map(({ id }) => id)).not.toContain(own.id);
    expect(await trail(owner)).toEqual(
      expect.arrayContaining([
        { actor_id: by.id, target_id: own.id, repository_id: null, details: { with: leaver.id, role: 'super-admin' } },
        { actor_id: by.id, target_id: expect.any(String) as string, repository_id: repository.id, details: { with: leaver.id, userId } },
      ]) as object,
    );
  });

  it('stay as far as a lower role may make them, and end otherwise', async () => {
    const { owner, leaver, slug, repository, userId } = await open('owner');
    const made = {
      owner: await invitations.create(leaver, { role: 'owner' }),
      viewer: await invitations.create(leaver, { role: 'viewer' }),
    };
    const toAccount = await users.invite(leaver, slug, userId);
    const state = async () => [await opens(home, made.owner), await opens(home, made.viewer), await opens(repository, toAccount)];
    await members.update(owner, leaver.id, { role: 'super-admin' });
    expect(await state()).toEqual([false, true, true]);
    await members.update(owner, leaver.id, { role: 'developer' });
    expect(await state()).toEqual([false, false, true]);
    await members.update(owner, leaver.id, { role: 'viewer' });
    expect(await state()).toEqual([false, false, false]);
    // A role that comes back brings none of them back.
    await members.update(owner, leaver.id, { role: 'owner' });
    expect(await state()).toEqual([false, false, false]);
    expect(await trail(owner)).toHaveLength(3);
  });

  it('to be an owner end when their maker hands the tenant over', async () => {
    const { owner, leaver } = await open('viewer');
    const [asOwner, asViewer] = [await invitations.create(owner, { role: 'owner' }), await invitations.create(owner, { role: 'viewer' })];
    await members.transferOwnership(owner, { memberId: leaver.id });
    expect([await opens(home, asOwner), await opens(home, asViewer)]).toEqual([false, true]);
  });

  it('are none that they make while they are being removed', async () => {
    const { owner, leaver, slug, repository, userId } = await open('developer');
    const outcomes = await Promise.allSettled([
      members.remove(owner, leaver.id),
      ...Array.from({ length: 8 }, () => users.invite(leaver, slug, userId)),
    ]);
    expect(outcomes[0]?.status).toBe('fulfilled');
    for (const outcome of outcomes.slice(1) as PromiseSettledResult<{ link: string }>[]) {
      if (outcome.status === 'fulfilled') expect(await opens(repository, outcome.value)).toBe(false);
      else expect(outcome.reason).toEqual(problem('forbidden'));
    }
  });

  it('do not hold up their removal, however many they are', async () => {
    const { owner, leaver } = await open('super-admin');
    await test.owner.query(
      `INSERT INTO invitations (repository_id, hash, tenant_id, role, invited_by, expires_at)
       SELECT $1, uuid_send(gen_random_uuid()), $2, 'viewer', $3, now() + interval '1 day' FROM generate_series(1, 1200)`,
      [home.id, leaver.tenantId, leaver.id],
    );
    await members.remove(owner, leaver.id);
    expect(await trail(owner)).toHaveLength(1200);
  });
});

describe('the open invitations that were made with a credential', () => {
  /** A credential of the tenant, and who calls with its secret. */
  async function credential({ machine }: OneTenant) {
    const made = await credentials.create(machine, { name: 'Pipeline', permissions: [...tenantPermissions] });
    const secret = { repositoryId: home.id, clientId: made.clientId, id: made.secret.id };
    const caller: Actor = { ...machineActor(machine.tenantId, made.clientId, tenantPermissions, call()), secret };
    return { clientId: made.clientId, caller };
  }
  const regenerate = (by: Actor, clientId: string, overlapSeconds = 0) => credentials.regenerate(by, clientId, { overlapSeconds });

  it.each<[string, (by: Actor, clientId: string) => Promise<unknown>]>([
    ['is regenerated', regenerate],
    ['ends with the credential', (by, clientId) => credentials.delete(by, clientId)],
    [
      'ends with a rotation that is finished before its time',
      async (by, clientId) => credentials.endRotation(by, clientId, (await regenerate(by, clientId, 3_600)).cutoff.id, 'finished'),
    ],
  ])('open nothing once its secret %s: who had it cannot come back by one', async (_, end) => {
    const tenant = await open('super-admin');
    const { machine, slug, repository, userId } = tenant;
    const { clientId, caller } = await credential(tenant);
    const made = [await invitations.create(caller, { role: 'super-admin', email: 'thief@example.com' })];
    const toAccount = await users.invite(caller, slug, userId);
    const other = await invitations.create((await credential(tenant)).caller, { role: 'viewer' });
    const state = async () => [await opens(home, made[0]!), await opens(repository, toAccount), await opens(home, other)];
    expect(await state()).toEqual([true, true, true]);
    await end(machine, clientId);
    expect(await state()).toEqual([false, false, true]);
    expect((await trail(machine)).map(({ actor_id, details }) => [actor_id, details])).toEqual(
      expect.arrayContaining([
        ['client', { with: clientId, role: 'super-admin' }],
        ['client', { with: clientId, userId }],
      ]) as object,
    );
  });

  it('stay in a rotation that goes as planned', async () => {
    const tenant = await open('viewer');
    const { clientId, caller } = await credential(tenant);
    const made = await invitations.create(caller, { role: 'viewer' });
    await regenerate(tenant.machine, clientId, 3_600);
    expect(await opens(home, made)).toBe(true);
  });

  it('end with a second rotation that is planned before the first is over: it ends the earliest secret at once', async () => {
    const tenant = await open('viewer');
    const { clientId, caller } = await credential(tenant);
    const made = await invitations.create(caller, { role: 'viewer' });
    await regenerate(tenant.machine, clientId, 3_600);
    await regenerate(tenant.machine, clientId, 3_600);
    expect(await opens(home, made)).toBe(false);
    expect(await trail(tenant.machine)).toMatchObject([{ details: { with: clientId, role: 'viewer' } }]);
  });

  it('are none that it makes while its secret is being regenerated', async () => {
    const tenant = await open('viewer');
    const { clientId, caller } = await credential(tenant);
    const attempt = (n: number): Promise<{ link: string }> =>
      n % 2 ? users.invite(caller, tenant.slug, tenant.userId) : invitations.create(caller, { role: 'viewer' });
    const outcomes = await Promise.allSettled([...Array.from({ length: 6 }, (_, n) => attempt(n)), regenerate(tenant.machine, clientId)]);
    expect(outcomes.at(-1)?.status).toBe('fulfilled');
    await expect(attempt(0)).rejects.toEqual(problem('unauthenticated'));
    for (const [n, outcome] of (outcomes.slice(0, -1) as PromiseSettledResult<{ link: string }>[]).entries()) {
      if (outcome.status === 'fulfilled') expect(await opens(n % 2 ? tenant.repository : home, outcome.value)).toBe(false);
      else expect(outcome.reason).toEqual(problem('unauthenticated'));
    }
  });

  it('of a member end with it, and those that the member made in person do not', async () => {
    const { leaver } = await open('super-admin');
    const inPerson = await invitations.create(leaver, { role: 'viewer' });
    const { clientId, secret } = await memberCredentials.create(leaver);
    const caller = { ...leaver, credentialId: clientId, secret: { repositoryId: home.id, clientId, id: secret.id } };
    const made = await invitations.create(caller, { role: 'viewer' });
    await memberCredentials.revoke(leaver);
    expect([await opens(home, inPerson), await opens(home, made)]).toEqual([true, false]);
  });

  it.each<[string, (tenant: OneTenant) => Promise<unknown>]>([
    ['their removal', ({ owner, leaver }) => members.remove(owner, leaver.id)],
    ['the deletion of the tenant', ({ owner }) => deletion.delete(owner, { confirm: 'Tenant' })],
  ])('of a member hold up %s no longer than they take, and none is made afterwards', async (_, end) => {
    const tenant = await open('super-admin');
    const { leaver, slug, userId } = tenant;
    const { clientId, secret } = await memberCredentials.create(leaver);
    const caller = { ...leaver, credentialId: clientId, secret: { repositoryId: home.id, clientId, id: secret.id } };
    // Both come to the credential while somebody else holds it: first who ends it, then who invites with it.
    const holder = await test.owner.connect();
    const locked = `SELECT count(*)::int AS n FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`;
    const waiting = async (n: number) => {
      while ((await test.owner.query<{ n: number }>(locked)).rows[0]?.n !== n);
    };
    await holder.query('BEGIN');
    await holder.query('SELECT FROM clients WHERE repository_id = $1 AND id = $2 FOR UPDATE', [home.id, clientId]);
    const ended = end(tenant);
    await waiting(1);
    const invited = users.invite(caller, slug, userId);
    const outcomes = Promise.allSettled([ended, invited]);
    await waiting(2);
    await holder.query('COMMIT');
    holder.release();
    expect(await outcomes).toMatchObject([{ status: 'fulfilled' }, { status: 'rejected', reason: problem('forbidden') }]);
  });
});
