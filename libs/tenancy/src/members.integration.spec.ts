import { randomBytes } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { permissionsOfRole, roles, tenantPermissions, type Problem, type Role, type TenantPermission } from '@latchkey/contracts';
import { machineActor, memberActor, type Actor } from '@latchkey/access';
import { createUser, wellKnown } from '@latchkey/content';
import { CredentialCheck, KeyRing, RepositoryDirectory, type KnownRepository } from '@latchkey/credentials';
import { connectForChecks, Member, newId, type Pool } from '@latchkey/database';
import { createTestDatabase, type TestDatabase } from '@latchkey/database/testing';
import { AddressTemplate } from '@latchkey/runtime';
import {
  addTenant,
  consoleSlug,
  Cutoffs,
  install,
  Invitations,
  MemberInvitations,
  Members,
  Repositories,
  TenantCredentials,
  TenantDeletion,
} from './index.js';

let test: TestDatabase;
let pool: Pool;
let directory: RepositoryDirectory;
let consoleRepository: KnownRepository;
let members: Members;
let invitations: MemberInvitations;
let doors: Invitations;

const key = (id: string) => `${id}:${randomBytes(32).toString('base64')}`;
const pepper = key('k1');
const [peppers, encryption] = [KeyRing.parse(pepper), KeyRing.parse(key('k1'))];
const authorityUrls = new AddressTemplate('http://localhost:4100/{repository}');
const problem = (type: string) => expect.objectContaining({ type }) as Problem;
const options = () => ({ database: test.database, peppers, encryption, authorityUrls, portalUrl: 'http://localhost:4000' });
const password = 'correct horse battery staple';
let people = 0;

beforeAll(async () => {
  test = await createTestDatabase();
  pool = connectForChecks({ url: test.url });
  directory = new RepositoryDirectory(pool);
  await install(options());
  consoleRepository = (await directory.find(consoleSlug)) as KnownRepository;
  members = new Members(test.database, directory);
  invitations = new MemberInvitations(test.database, peppers, directory, authorityUrls);
  doors = new Invitations(test.database, peppers);
});
afterAll(async () => {
  await pool.end();
  await test.drop();
});

/** Until so many transactions of this database wait for locks. */
async function waitingForLocks(many: number): Promise<void> {
  const waiting = `SELECT count(*)::integer AS many FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
  while (((await test.owner.query<{ many: number }>(waiting)).rows[0]?.many ?? 0) < many) await wait(10);
}

interface TestTenant {
  id: string;
  machine: Actor;
  /** Makes members in these roles. */
  people: <R extends Role[]>(...roles: R) => Promise<{ [K in keyof R]: Actor }>;
}

async function newTenant(): Promise<TestTenant> {
  const { credential } = await addTenant(options(), 'Tenant');
  const answer = await new CredentialCheck(pool).ask({ repositoryId: consoleRepository.id, clientId: credential.clientId });
  const id = answer?.client?.tenantId ?? '';
  return {
    id,
    machine: machineActor(id, credential.clientId, tenantPermissions, { requestId: newId() }),
    people: (...wanted) => Promise.all(wanted.map((role) => addMember(id, role))) as never,
  };
}

async function addMember(tenantId: string, role: Role): Promise<Actor> {
  const loginName = `person-${++people}`;
  const person = { loginName, name: `Person ${people}`, email: null };
  const user = await test.database.transaction({ repositoryId: consoleRepository.id }, (tx) =>
    createUser(tx, wellKnown.admin, {
      loginName,
      name: person.name,
      passwordHash: null,
      tenantId: consoleRepository.tenantId,
      repositoryId: consoleRepository.id,
    }),
  );
  const id = newId();
  const row = { tenantId, id, repositoryId: consoleRepository.id, userId: user.id, role };
  await test.database.transaction({ tenantId }, (tx) => tx.insert(Member, row));
  return memberActor({ tenantId, id, role, person }, tenantPermissions, { requestId: newId() });
}

const limited = (actor: Actor, permissions: readonly TenantPermission[]): Actor => ({ ...actor, permissions: new Set(permissions) });
const roleOf = async (tenant: TestTenant, { id }: Actor) => (await members.get(tenant.machine, id)).role;

describe('the members of a tenant', () => {
  it('are listed with their roles, page by page, and nobody of another tenant among them', async () => {
    const [tenant, other] = [await newTenant(), await newTenant()];
    const mine = await tenant.people('owner', 'admin', 'viewer');
    await other.people('owner');
    const first = await members.list(tenant.machine, { limit: 2 });
    const second = await members.list(tenant.machine, { limit: 2, after: first.next ?? '' });
    expect([first.items.length, second.items.length, second.next]).toEqual([2, 1, null]);
    expect([...first.items, ...second.items].map(({ id }) => id).toSorted()).toEqual(mine.map(({ id }) => id).toSorted());
    expect(first.items[0]).toMatchObject({ enabled: true, federated: false, hasCredential: false });
    await expect(members.list(tenant.machine, { limit: 2, after: 'nonsense' })).rejects.toEqual(problem('invalid-request'));
  });

  it('are found by a part of their name or user name, in capitals or not, page by page', async () => {
    const [tenant, other] = [await newTenant(), await newTenant()];
    const mine = await tenant.people('owner', 'admin', 'viewer');
    await other.people('owner');
    const all = await Promise.all(mine.map(({ id }) => members.get(tenant.machine, id)));
    for (const { id, name, loginName } of all) {
      for (const search of [name.toUpperCase(), loginName.slice(2)])
        expect((await members.list(tenant.machine, { limit: 2, search })).items.map((found) => found.id)).toContain(id);
    }
    const first = await members.list(tenant.machine, { limit: 2, search: 'PERSON' });
    const second = await members.list(tenant.machine, { limit: 2, search: 'PERSON', after: first.next ?? '' });
    expect([first.items.length, second.items.length, second.next]).toEqual([2, 1, null]);
    expect((await members.list(tenant.machine, { limit: 2, search: '%' })).items).toEqual([]);
  });

  it('are nothing to another tenant', async () => {
    const [tenant, other] = [await newTenant(), await newTenant()];
    const [member] = await tenant.people('viewer');
    for (const id of [member.id, newId(), 'nonsense']) {
      await expect(members.get(other.machine, id)).rejects.toEqual(problem('not-found'));
      await expect(members.update(other.machine, id, { role: 'admin' })).rejects.toEqual(problem('not-found'));
      await expect(members.remove(other.machine, id)).rejects.toEqual(problem('not-found'));
      await expect(members.revokeCredential(other.machine, id)).rejects.toEqual(problem('not-found'));
    }
    expect(await roleOf(tenant, member)).toBe('viewer');
  });

  it('can be looked up by whoever acts in the database for their tenant and by nobody else', async () => {
    const [tenant, other] = [await newTenant(), await newTenant()];
    await tenant.people('owner');
    const count = (scope: { tenantId: string } | { repositoryId: string }) =>
      test.database.read(scope, (tx) => tx.query<{ n: number }[]>('SELECT count(*)::int AS n FROM tenant_members()'));
    expect(await count({ tenantId: tenant.id })).toEqual([{ n: 1 }]);
    expect(await count({ tenantId: other.id })).toEqual([{ n: 0 }]);
    expect(await count({ repositoryId: consoleRepository.id })).toEqual([{ n: 0 }]);
  });
});

describe('nobody grants a role above their own', () => {
  it.each(roles.flatMap((own) => roles.map((role) => [own, role] as const)))('%s granting %s', async (own, role) => {
    const tenant = await newTenant();
    const [actor, target] = await tenant.people(own, 'viewer', 'owner');
    const may = permissionsOfRole[own].includes('members:write') && roles.indexOf(role) >= roles.indexOf(own);
    const outcome = members.update(actor, target.id, { role });
    if (may) expect(await outcome).toMatchObject({ role });
    else await expect(outcome).rejects.toEqual(problem('forbidden'));
    const invited = invitations.create(actor, { role });
    if (may) expect(await invited).toMatchObject({ role });
    else await expect(invited).rejects.toEqual(problem('forbidden'));
  });

  it('with a token that holds less than the role that is granted', async () => {
    const tenant = await newTenant();
    const [owner, viewer] = await tenant.people('owner', 'viewer');
    const narrow = limited(owner, ['members:write', 'members:read']);
    await expect(members.update(narrow, viewer.id, { role: 'developer' })).rejects.toEqual(problem('forbidden'));
    await expect(invitations.create(narrow, { role: 'viewer' })).rejects.toEqual(problem('forbidden'));
  });

  it('with a token that holds less than an owner, which the tenant is neither handed over nor deleted with', async () => {
    const tenant = await newTenant();
    const [owner, viewer] = await tenant.people('owner', 'viewer');
    const narrow = limited(owner, [...permissionsOfRole.viewer, 'members:write']);
    await expect(members.transferOwnership(narrow, { memberId: viewer.id })).rejects.toEqual(problem('forbidden'));
    const deletion = new TenantDeletion(test.database, directory, new Cutoffs(test.database));
    await expect(deletion.delete(narrow, { confirm: 'Tenant' })).rejects.toEqual(problem('forbidden'));
    expect(await members.transferOwnership(owner, { memberId: viewer.id })).toMatchObject({ role: 'owner' });
    expect(await deletion.delete(limited(viewer, tenantPermissions), { confirm: 'Tenant' })).toMatchObject({ id: tenant.id });
  });

  it('a machine, while the tenant is deleted: it gets nothing that would outlive it', async () => {
    const tenant = await newTenant();
    const [owner] = await tenant.people('owner');
    const credentials = new TenantCredentials(test.database, peppers, directory);
    const repositories = new Repositories({ ...options(), repositoryUrls: authorityUrls });
    const deletion = new TenantDeletion(test.database, directory, new Cutoffs(test.database));
    const late = [
      () => credentials.create(tenant.machine, { name: 'Late', permissions: ['tenant:read'] }),
      () => invitations.create(tenant.machine, { role: 'owner' }),
      () => repositories.create(tenant.machine, { slug: `late-${newId().slice(-12)}`, name: 'Late', environment: 'production' }),
    ];
    // Whoever asked before the deletion was done waits for it.
    const { promise: deleting, resolve: go } = Promise.withResolvers<void>();
    const held = test.database.transaction({ tenantId: tenant.id }, async (tx) => {
      await tx.query(`SELECT FROM members WHERE tenant_id = $1 FOR UPDATE`, [tenant.id]);
      await deleting;
    });
    const deleted = deletion.delete(owner, { confirm: 'Tenant' });
    await waitingForLocks(1);
    const outcomes = Promise.allSettled(late.map((make) => make()));
    await waitingForLocks(3);
    go();
    await Promise.all([held, deleted]);
    expect((await outcomes).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    const { rows } = await test.owner.query(
      `SELECT id::text FROM repositories WHERE tenant_id = $1 AND deleted_at IS NULL UNION ALL SELECT id FROM clients WHERE tenant_id = $1 AND deleted_at IS NULL AND repository_id = $2
       UNION ALL SELECT id::text FROM invitations WHERE tenant_id = $1`,
      [tenant.id, consoleRepository.id],
    );
    expect(rows).toEqual([]);
  });

  it('a machine makes no owner, but for the first', async () => {
    const tenant = await newTenant();
    const narrow = limited(tenant.machine, ['members:write', 'members:read']);
    await expect(invitations.create(narrow, { role: 'owner' })).rejects.toEqual(problem('forbidden'));
    expect(await invitations.create(tenant.machine, { role: 'owner' })).toMatchObject({ role: 'owner' });
    const [viewer] = await tenant.people('viewer', 'owner');
    await expect(invitations.create(tenant.machine, { role: 'owner' })).rejects.toEqual(problem('forbidden'));
    await expect(members.update(tenant.machine, viewer.id, { role: 'owner' })).rejects.toEqual(problem('forbidden'));
    expect(await members.update(tenant.machine, viewer.id, { role: 'super-admin' })).toMatchObject({ role: 'super-admin' });
  });

  it('whose role was taken away since the call began', async () => {
    const tenant = await newTenant();
    const [actor, target] = await tenant.people('super-admin', 'viewer');
    await test.owner.query(`UPDATE members SET role = 'admin' WHERE id = $1`, [actor.id]);
    await expect(members.update(actor, target.id, { role: 'super-admin' })).rejects.toEqual(problem('forbidden'));
    await test.owner.query('DELETE FROM members WHERE id = $1', [actor.id]);
    await expect(members.update(actor, target.id, { role: 'viewer' })).rejects.toEqual(problem('forbidden'));
  });
});

describe('nobody touches those above them', () => {
  it('a super admin cannot demote or remove an owner', async () => {
    const tenant = await newTenant();
    const [admin, owner] = await tenant.people('super-admin', 'owner', 'owner');
    await expect(members.update(admin, owner.id, { role: 'viewer' })).rejects.toEqual(problem('forbidden'));
    await expect(members.remove(admin, owner.id)).rejects.toEqual(problem('forbidden'));
    await expect(members.remove(tenant.machine, owner.id)).rejects.toEqual(problem('forbidden'));
    expect(await roleOf(tenant, owner)).toBe('owner');
  });

  it('roles without members:write change nobody', async () => {
    const tenant = await newTenant();
    const [admin, viewer] = await tenant.people('admin', 'viewer', 'owner');
    await expect(members.update(admin, viewer.id, { role: 'viewer' })).rejects.toEqual(problem('forbidden'));
    await expect(members.remove(admin, viewer.id)).rejects.toEqual(problem('forbidden'));
    await expect(members.revokeCredential(admin, viewer.id)).rejects.toEqual(problem('forbidden'));
  });
});

describe('the last owner', () => {
  it('can be neither demoted nor removed, nor leave', async () => {
    const tenant = await newTenant();
    const [owner] = await tenant.people('owner', 'super-admin');
    await expect(members.update(owner, owner.id, { role: 'super-admin' })).rejects.toEqual(problem('conflict'));
    await expect(members.remove(owner, owner.id)).rejects.toEqual(problem('conflict'));
    expect(await roleOf(tenant, owner)).toBe('owner');
  });

  it('is last although there is another whose account is disabled', async () => {
    const tenant = await newTenant();
    const [owner, other] = await tenant.people('owner', 'owner');
    await test.owner.query(
      `UPDATE repository_users u SET enabled = false FROM members m WHERE m.id = $1 AND u.repository_id = m.repository_id AND u.id = m.user_id`,
      [other.id],
    );
    await expect(members.remove(owner, owner.id)).rejects.toEqual(problem('conflict'));
  });

  it('is left when two owners remove each other, or both leave, at the same moment', async () => {
    for (const cross of [true, false]) {
      const tenant = await newTenant();
      const [one, other] = await tenant.people('owner', 'owner');
      const outcomes = await Promise.allSettled([
        members.remove(one, cross ? other.id : one.id),
        members.remove(other, cross ? one.id : other.id),
      ]);
      expect(outcomes.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
      const { items } = await members.list(tenant.machine, { limit: 50 });
      expect(items.map(({ role }) => role)).toEqual(['owner']);
    }
  });

  it('may go once there is another', async () => {
    const tenant = await newTenant();
    const [owner, next] = await tenant.people('owner', 'viewer');
    await members.update(owner, next.id, { role: 'owner' });
    expect(await members.remove(owner, owner.id)).toEqual({ cutoff: null });
    await expect(members.get(tenant.machine, owner.id)).rejects.toEqual(problem('not-found'));
  });
});

describe('leaving', () => {
  it('is open to every member', async () => {
    const tenant = await newTenant();
    const [viewer, other] = await tenant.people('viewer', 'viewer', 'owner');
    await expect(members.remove(limited(viewer, []), viewer.id)).rejects.toEqual(problem('forbidden'));
    await expect(members.remove(viewer, other.id)).rejects.toEqual(problem('forbidden'));
    await members.remove(viewer, viewer.id);
    await expect(members.get(tenant.machine, viewer.id)).rejects.toEqual(problem('not-found'));
  });

  it('is not done with a token that holds less than the member, who would lose more than it has', async () => {
    const tenant = await newTenant();
    const [admin] = await tenant.people('super-admin', 'owner');
    await expect(members.remove(limited(admin, ['members:read']), admin.id)).rejects.toEqual(problem('forbidden'));
    await members.remove(admin, admin.id);
  });
});

describe('an invitation', () => {
  it('makes somebody who takes up several at once a member once, and says so to the others', async () => {
    const [tenant, elsewhere] = [await newTenant(), await newTenant()];
    const [person] = await elsewhere.people('owner');
    const { rows } = await test.owner.query<{ id: number }>('SELECT user_id AS id FROM members WHERE id = $1', [person.id]);
    const made = await Promise.all(Array.from({ length: 5 }, () => invitations.create(tenant.machine, { role: 'viewer' })));
    const join = ({ link }: { link: string }) =>
      doors.join(consoleRepository, link.split('/').at(-1) ?? '', rows[0]?.id ?? 0, { requestId: newId() });
    const outcomes = await Promise.allSettled(made.map(join));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const each of outcomes) if (each.status === 'rejected') expect(each.reason).toEqual(problem('already-exists'));
  });

  const tokenIn = (link: string) => link.slice(link.lastIndexOf('/') + 1);
  const accept = (link: string, loginName: string) =>
    doors.accept(
      consoleRepository,
      tokenIn(link),
      { loginName, name: 'New', email: null, password },
      { requestId: newId(), address: '192.0.2.9' },
    );

  it('can be taken up when a new pepper was put in front of the one under which it was made', async () => {
    const { link } = await invitations.create((await newTenant()).machine, { role: 'viewer' });
    const later = new Invitations(test.database, KeyRing.parse(`${key('k2')},${pepper}`));
    expect(await later.find(consoleRepository, tokenIn(link))).toMatchObject({ role: 'viewer' });
  });

  it('makes whoever takes it up a member in its role, once, and the trail says so', async () => {
    const tenant = await newTenant();
    const [owner] = await tenant.people('owner');
    const made = await invitations.create(owner, { role: 'developer', email: 'new@example.com' });
    await accept(made.link, `invited-${made.id}`);
    await expect(accept(made.link, `again-${made.id}`)).rejects.toEqual(problem('not-found'));
    const { items } = await members.list(owner, { limit: 50 });
    const joined = items.find(({ loginName }) => loginName === `invited-${made.id}`);
    expect(joined).toMatchObject({ role: 'developer' });
    expect((await invitations.list(owner, { limit: 50 })).items.map(({ id }) => id)).not.toContain(made.id);
    const { rows } = await test.owner.query(
      `SELECT action, actor_kind, actor_id, target_id FROM audit_events WHERE tenant_id = $1 AND action LIKE 'member.%' ORDER BY id`,
      [tenant.id],
    );
    expect(rows).toEqual([
      { action: 'member.invited', actor_kind: 'member', actor_id: owner.id, target_id: made.id },
      { action: 'member.joined', actor_kind: 'member', actor_id: joined?.id, target_id: joined?.id },
    ]);
  });

  it('is listed without its link, to its own tenant alone', async () => {
    const [tenant, other] = [await newTenant(), await newTenant()];
    const made = await invitations.create(tenant.machine, { role: 'viewer', email: 'v@example.com' });
    const { items } = await invitations.list(tenant.machine, { limit: 50 });
    // The first is the owner's, which came with the tenant.
    expect(items.map(({ role }) => role)).toEqual(expect.arrayContaining(['owner', 'viewer']) as Role[]);
    expect(items.find(({ id }) => id === made.id)).toMatchObject({ role: 'viewer', email: 'v@example.com' });
    expect(JSON.stringify(items)).not.toContain(tokenIn(made.link));
    expect((await invitations.list(other.machine, { limit: 50 })).items.map(({ id }) => id)).not.toContain(made.id);
  });

  it('opens nothing once withdrawn, and is withdrawn by its own tenant alone', async () => {
    const [tenant, other] = [await newTenant(), await newTenant()];
    const made = await invitations.create(tenant.machine, { role: 'viewer' });
    await expect(invitations.withdraw(other.machine, made.id)).rejects.toEqual(problem('not-found'));
    await invitations.withdraw(tenant.machine, made.id);
    await expect(accept(made.link, `late-${made.id}`)).rejects.toEqual(problem('not-found'));
    for (const id of [made.id, newId(), 'nonsense'])
      await expect(invitations.withdraw(tenant.machine, id)).rejects.toEqual(problem('not-found'));
  });

  it('is withdrawn by nobody below its role', async () => {
    const tenant = await newTenant();
    const [owner, admin] = await tenant.people('owner', 'super-admin');
    const made = await invitations.create(owner, { role: 'owner' });
    await expect(invitations.withdraw(admin, made.id)).rejects.toEqual(problem('forbidden'));
    await invitations.withdraw(owner, made.id);
  });
});
