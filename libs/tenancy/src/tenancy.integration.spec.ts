import { randomBytes } from 'node:crypto';
import { repositoryPermissions, tenantPermissions, type Problem, type ProvisionedRepositoryView } from '@latchkey/contracts';
import { machineActor, type Actor } from '@latchkey/access';
import { restoreContent, wellKnown } from '@latchkey/content';
import {
  CredentialCheck,
  Clients,
  insertApiKey,
  KeyRing,
  RepositoryDirectory,
  signIn,
  type KnownRepository,
  type VerifiedToken,
} from '@latchkey/credentials';
import { connectForChecks, newId, type Pool } from '@latchkey/database';
import { createTestDatabase, type TestDatabase } from '@latchkey/database/testing';
import { AddressTemplate } from '@latchkey/runtime';
import {
  addTenant,
  consoleSlug,
  install,
  Invitations,
  Repositories,
  resolveActor,
  Tenants,
  Users,
  Webhooks,
  type NewTenant,
} from './index.js';

let test: TestDatabase;
let pool: Pool;
let directory: RepositoryDirectory;
let check: CredentialCheck;
let repositories: Repositories;
let users: Users;
let invitations: Invitations;
let first: NewTenant;
let actor: Actor;
let consoleRepository: KnownRepository;

const ring = () => KeyRing.parse(`k1:${randomBytes(32).toString('base64')}`);
const [peppers, encryption] = [ring(), ring()];
const urls = {
  authorityUrls: new AddressTemplate('http://localhost:4100/{repository}'),
  repositoryUrls: new AddressTemplate('http://localhost:4200/{repository}'),
};
const problem = (type: string) => expect.objectContaining({ type }) as Problem;
const password = 'correct horse battery staple';
const call = () => ({ requestId: newId() });
let slugs = 0;
const freshSlug = () => `repository-${++slugs}`;
const options = () => ({ database: test.database, peppers, encryption, ...urls, portalUrl: 'http://localhost:4000' });

/** The tenant that a client of the console belongs to, as the check says it. */
async function actorOf(tenant: NewTenant): Promise<Actor> {
  const answer = await check.ask({ repositoryId: consoleRepository.id, clientId: tenant.credential.clientId });
  return machineActor(answer?.client?.tenantId ?? '', tenant.credential.clientId, tenantPermissions, { requestId: newId() });
}

beforeAll(async () => {
  test = await createTestDatabase();
  pool = connectForChecks({ url: test.url });
  [directory, check] = [new RepositoryDirectory(pool), new CredentialCheck(pool)];
  const made = await install(options());
  if (!made) throw new Error('not the first start');
  first = made;
  consoleRepository = (await directory.find(consoleSlug)) as KnownRepository;
  repositories = new Repositories({ database: test.database, peppers, encryption, ...urls });
  users = new Users(test.database, peppers, urls.authorityUrls);
  invitations = new Invitations(test.database, peppers);
  actor = await actorOf(first);
});
afterAll(async () => {
  await pool.end();
  await test.drop();
});

const tokenIn = (link: string) => link.slice(link.lastIndexOf('/') + 1);

describe('the installation', () => {
  it('shows what it made once: a second set-up makes and shows nothing', async () => {
    expect(await install(options())).toBeUndefined();
    const { rows } = await test.owner.query(`SELECT count(*)::int AS n FROM repositories WHERE slug = $1`, [consoleSlug]);
    expect(rows).toEqual([{ n: 1 }]);
  });

  it('is made whole or not at all when two set-ups run at once on an empty database', async () => {
    const empty = await createTestDatabase();
    try {
      const both = await Promise.all([1, 2].map(() => install({ ...options(), database: empty.database })));
      expect(both.filter(Boolean)).toHaveLength(1);
    } finally {
      await empty.drop();
    }
  });

  it('can be given another tenant, which sees nothing of the first', async () => {
    const other = await actorOf(await addTenant(options(), 'Other'));
    expect(other.tenantId).not.toBe(actor.tenantId);
    const slug = freshSlug();
    await repositories.create(actor, { slug, name: 'Mine', environment: 'production' });
    await expect(repositories.get(other, slug)).rejects.toEqual(problem('not-found'));
    expect((await repositories.list(other, { limit: 50 })).items).toEqual([]);
  });
});

describe('provisioning', () => {
  it('makes a repository whole: clients, secret, key, root users and content root', async () => {
    const slug = freshSlug();
    const made = await repositories.create(actor, { slug, name: 'Acme', environment: 'integration' });
    expect(made.toolClient.secret.value).toMatch(/^lk_test_cs_/);
    const known = (await directory.find(slug)) as KnownRepository;
    const answer = await check.ask({ repositoryId: known.id, clientId: made.toolClient.clientId, withSecrets: true });
    expect(answer).toMatchObject({
      repository: { alive: true },
      client: { kind: 'tool' },
      subject: { loginName: 'builtin\\publicadmin', enabled: true },
      secrets: [{ alive: true }],
    });
    const { rows } = await test.owner.query(
      `SELECT (SELECT count(*)::int FROM signing_keys WHERE repository_id = $1) AS keys, (SELECT count(*)::int FROM content_nodes WHERE repository_id = $1 AND path = '/Root/Content') AS content`,
      [known.id],
    );
    expect(rows).toEqual([{ keys: 1, content: 1 }]);
  });

  it.each(['content_nodes', 'clients', 'secret_versions', 'signing_keys', 'audit_events'])(
    'leaves nothing behind when %s cannot be written',
    async (table) => {
      const slug = freshSlug();
      const count = async () => (await test.owner.query<{ n: number }>(`SELECT count(*)::int AS n FROM ${table}`)).rows[0]?.n;
      const before = await count();
      await test.owner.query(`ALTER TABLE ${table} ADD CONSTRAINT broken CHECK (false) NOT VALID`);
      try {
        await expect(repositories.create(actor, { slug, name: 'Half', environment: 'production' })).rejects.toThrow();
      } finally {
        await test.owner.query(`ALTER TABLE ${table} DROP CONSTRAINT broken`);
      }
      expect(await count()).toBe(before);
      expect(await directory.find(slug)).toBeUndefined();
      // The slug is free again, since nothing was made of it.
      await repositories.create(actor, { slug, name: 'Whole', environment: 'production' });
    },
  );

  it('gives one slug to one of many who ask for it at once', async () => {
    const slug = freshSlug();
    const all = await Promise.allSettled(
      Array.from({ length: 8 }, () => repositories.create(actor, { slug, name: 'x', environment: 'production' })),
    );
    expect(all.filter((each) => each.status === 'fulfilled')).toHaveLength(1);
    for (const each of all) if (each.status === 'rejected') expect(each.reason).toEqual(problem('slug-taken'));
  });

  it('stops at the tenant’s quota and names it', async () => {
    const limited = await actorOf(await addTenant(options(), 'Limited'));
    await test.owner.query(`UPDATE tenants SET settings = '{"maxRepositories": 1}' WHERE id = $1`, [limited.tenantId]);
    await repositories.create(limited, { slug: freshSlug(), name: 'One', environment: 'production' });
    await expect(repositories.create(limited, { slug: freshSlug(), name: 'Two', environment: 'production' })).rejects.toEqual(
      problem('quota-exceeded'),
    );
  });

  it('gives no more than the quota to however many ask at once', async () => {
    const limited = await actorOf(await addTenant(options(), 'Limited too'));
    await test.owner.query(`UPDATE tenants SET settings = '{"maxRepositories": 3}' WHERE id = $1`, [limited.tenantId]);
    const all = await Promise.allSettled(
      Array.from({ length: 8 }, () => repositories.create(limited, { slug: freshSlug(), name: 'x', environment: 'production' })),
    );
    expect(all.filter((each) => each.status === 'fulfilled')).toHaveLength(3);
    for (const each of all) if (each.status === 'rejected') expect(each.reason).toEqual(problem('quota-exceeded'));
  });
});

describe('an invitation', () => {
  it('makes the owner of the first tenant, once', async () => {
    const token = tokenIn(first.ownerLink);
    expect(await invitations.find(consoleRepository, token)).toEqual({ user: null, role: 'owner', tenant: 'First tenant', mailedTo: null });
    const person = { loginName: 'olga', name: 'Olga', email: 'olga@example.com', password };
    const both = await Promise.allSettled([1, 2].map(() => invitations.accept(consoleRepository, token, person, call())));
    expect(both.map((each) => each.status).toSorted()).toEqual(['fulfilled', 'rejected']);
    expect(await invitations.find(consoleRepository, token)).toBeUndefined();

    const signedIn = await signIn(test.database, consoleRepository, 'OLGA', password);
    const verified = { clientKind: 'app', userId: signedIn?.userId, permissions: tenantPermissions } as unknown as VerifiedToken;
    const member = await resolveActor(test.database, consoleRepository, verified, { requestId: 'r' });
    expect(member).toMatchObject({ kind: 'member', tenantId: actor.tenantId, person: { loginName: 'olga' } });

    const slug = freshSlug();
    await repositories.create(member, { slug, name: 'Olga’s', environment: 'production' });
    const { items } = await users.list(member, slug, { limit: 10 });
    expect(items).toMatchObject([{ loginName: 'olga', email: 'olga@example.com', hasPassword: false }]);
  });

  it('of one repository opens nothing at another', async () => {
    const slug = freshSlug();
    await repositories.create(actor, { slug, name: 'Acme', environment: 'production' });
    const user = await users.create(actor, slug, { loginName: 'anna', administrator: false });
    const { link } = await users.invite(actor, slug, user.id);
    expect(await invitations.find(consoleRepository, tokenIn(link))).toBeUndefined();
    const acme = (await directory.find(slug)) as KnownRepository;
    expect(await invitations.find(acme, tokenIn(link))).toMatchObject({ user: { loginName: 'anna' }, role: null });
    await invitations.accept(acme, tokenIn(link), { loginName: 'ignored', name: 'ignored', email: null, password }, call());
    expect(await signIn(test.database, acme, 'anna', password)).toMatchObject({ userId: user.id });
  });

  it('to an account ends with every other one when one is taken up', async () => {
    const slug = freshSlug();
    await repositories.create(actor, { slug, name: 'Acme', environment: 'production' });
    const acme = (await directory.find(slug)) as KnownRepository;
    const [anna, bert] = [
      await users.create(actor, slug, { loginName: 'anna', administrator: false }),
      await users.create(actor, slug, { loginName: 'bert', administrator: false }),
    ];
    const links: string[] = [];
    for (const { id } of [anna, anna, bert]) links.push(tokenIn((await users.invite(actor, slug, id)).link));
    const [first = '', second = '', others = ''] = links;
    const take = (token: string, chosen: string) =>
      invitations.accept(acme, token, { loginName: '', name: '', email: null, password: chosen }, call());
    await take(second, password);
    await expect(take(first, `${password} of somebody else`)).rejects.toEqual(problem('not-found'));
    expect(await signIn(test.database, acme, 'anna', password)).toMatchObject({ userId: anna.id });
    expect(await invitations.find(acme, others)).toMatchObject({ user: { loginName: 'bert' } });
  });

  it('to an account is taken up by one of all who come at the same moment, each with another, and the others are told that theirs has ended', async () => {
    const slug = freshSlug();
    await repositories.create(actor, { slug, name: 'Acme', environment: 'production' });
    const acme = (await directory.find(slug)) as KnownRepository;
    for (let turn = 0; turn < 5; turn++) {
      const { id } = await users.create(actor, slug, { loginName: `anna-${turn}`, administrator: false });
      const links = await Promise.all(Array.from({ length: 4 }, () => users.invite(actor, slug, id)));
      const all = await Promise.allSettled(
        links.map(({ link }) => invitations.accept(acme, tokenIn(link), { loginName: '', name: '', email: null, password }, call())),
      );
      const refused = all.flatMap((each) => (each.status === 'rejected' ? [each.reason as unknown] : []));
      expect(refused).toEqual([problem('not-found'), problem('not-found'), problem('not-found')]);
    }
  });

  it('that has run out opens nothing', async () => {
    const slug = freshSlug();
    await repositories.create(actor, { slug, name: 'Acme', environment: 'production' });
    const user = await users.create(actor, slug, { loginName: 'anna', administrator: false });
    const { link } = await users.invite(actor, slug, user.id);
    await test.owner.query(`UPDATE invitations SET expires_at = now() WHERE user_id = $1`, [user.id]);
    const acme = (await directory.find(slug)) as KnownRepository;
    await expect(invitations.accept(acme, tokenIn(link), { loginName: '', name: '', email: null, password }, call())).rejects.toEqual(
      problem('not-found'),
    );
  });
});

describe('a user who is deleted', () => {
  it('cannot sign in from then on, has no token and no API key, and comes back from the trash as someone who can sign in anew', async () => {
    const slug = freshSlug();
    await repositories.create(actor, { slug, name: 'Acme', environment: 'production' });
    const acme = (await directory.find(slug)) as KnownRepository;
    const { id } = await users.create(actor, slug, { loginName: 'anna', password, administrator: false });
    const scope = { tenantId: acme.tenantId, repositoryId: acme.id };
    const makeKey = () =>
      test.database.transaction(scope, (tx) =>
        insertApiKey(
          tx,
          peppers,
          actor,
          { ...scope, userId: id, environment: 'production' },
          { name: 'Key', permissions: ['content:read'] },
        ),
      );
    const key = await makeKey();
    const ended = async () => (await test.owner.query('SELECT ended_at IS NOT NULL AS ended FROM api_keys WHERE id = $1', [key.id])).rows;
    expect(await ended()).toEqual([{ ended: false }]);
    const generation = async () => (await check.ask({ repositoryId: acme.id, userId: id }))?.subject?.generation;
    expect([await signIn(test.database, acme, 'anna', password), await generation()]).toMatchObject([{ userId: id }, 1]);
    expect(await users.delete(actor, slug, id)).toMatchObject({ cutoff: { id: expect.any(String) as string } });
    expect(await signIn(test.database, acme, 'anna', password)).toEqual({ refused: true, userId: id });
    expect(await ended()).toEqual([{ ended: true }]);
    await expect(users.get(actor, slug, id)).rejects.toEqual(problem('not-found'));
    await expect(users.delete(actor, slug, id)).rejects.toEqual(problem('not-found'));
    // Nothing that would work once they are back: no key, and no tool that acts as them.
    await expect(makeKey()).rejects.toEqual(problem('not-found'));
    const tool = { kind: 'tool' as const, name: 'Tool', permissions: [], userId: id };
    await expect(new Clients(test.database, peppers).create(actor, slug, tool, id)).rejects.toEqual(problem('invalid-request'));
    await expect(users.delete(actor, slug, wellKnown.publicAdmin)).rejects.toEqual(problem('forbidden'));
    const admin = { ...scope, userId: wellKnown.admin, permissions: new Set(repositoryPermissions) };
    await test.database.transaction(admin, (tx) => restoreContent(tx, admin, { id }));
    expect(await signIn(test.database, acme, 'anna', password)).toMatchObject({ userId: id });
    expect(await generation()).toBe(2);
  });
});

describe('signing in', () => {
  let acme: KnownRepository;
  let provisioned: ProvisionedRepositoryView;
  beforeAll(async () => {
    provisioned = await repositories.create(actor, { slug: freshSlug(), name: 'Acme', environment: 'production' });
    acme = (await directory.find(provisioned.slug)) as KnownRepository;
    await users.create(actor, acme.slug, { loginName: 'anna', email: 'anna@example.com', password, administrator: false });
  });

  it('takes the login name or the address in any case, and the right password only', async () => {
    for (const name of ['anna', 'ANNA', 'Anna@Example.com'])
      expect(await signIn(test.database, acme, name, password)).toHaveProperty('generation');
    for (const [name, wrong] of [
      ['anna', `${password} `],
      ['nobody', password],
      ['', ''],
      ['publicadmin', password],
    ] as const) {
      expect(await signIn(test.database, acme, name, wrong)).toMatchObject({ refused: true });
    }
  });

  it('is refused for a person of another repository', async () => {
    expect(await signIn(test.database, consoleRepository, 'anna', password)).toEqual({ refused: true, userId: null });
  });

  it('is refused once the person is disabled, and the cut-off is in the answer', async () => {
    const bert = await users.create(actor, acme.slug, { loginName: 'bert', password, administrator: false });
    expect(await users.update(actor, acme.slug, bert.id, { enabled: false })).toMatchObject({
      enabled: false,
      cutoff: { id: expect.any(String) as string },
    });
    expect(await signIn(test.database, acme, 'bert', password)).toMatchObject({ refused: true });
  });
});

describe('a tenant', () => {
  it('gets the signing secret of its webhook once, and only sealed is it kept', async () => {
    const tenants = new Tenants(test.database, new Webhooks(test.database, encryption));
    const { webhookSigningSecret } = await tenants.update(actor, { webhook: { url: 'https://example.com/hook' } });
    expect(webhookSigningSecret).toMatch(/^whsec_/);
    expect(await tenants.get(actor)).toMatchObject({ webhook: { url: 'https://example.com/hook' } });
    const { rows } = await test.owner.query<{ text: string }>(`SELECT encode(signing_secret, 'escape') AS text FROM webhooks`);
    expect(rows[0]?.text).not.toContain(webhookSigningSecret?.slice(6, 20));
    await tenants.update(actor, { webhook: null });
    expect(await tenants.get(actor)).toMatchObject({ webhook: null });
  });
});
