import { audit, systemActor } from '@latchkey/access';
import { createUser, wellKnown } from '@latchkey/content';
import { hashPassword, randomText, type KeyRing } from '@latchkey/credentials';
import { Member, newId, type Database, type EntityManager } from '@latchkey/database';
import type { AddressTemplate } from '@latchkey/runtime';
import { consoleSlug, makeTenant, provision } from '@latchkey/tenancy';
import { makeFresh, openCopier, type Copier, type Fresh } from './copy.js';

export { writeHistory } from './history.js';

/** The installation that is filled. */
export interface SeedTarget {
  database: Database;
  peppers: KeyRing;
  encryption: KeyRing;
  authorityUrls: AddressTemplate;
}

export interface SeedPlan {
  /** How many seeded repositories there are to be in the end; those of an earlier run count. */
  repositories: number;
  /** Repositories of each tenant. */
  perTenant: number;
  /** People in each repository. They share one password, because a hash of its own for each takes 20 ms of a core. */
  people: number;
  redirectUris?: string[];
  /** Fills an installation in which others have repositories, too. */
  besideOthers?: boolean;
}

/** What it takes to use a seeded repository. Nobody else will ever know these secrets. */
export interface SeededRepository {
  slug: string;
  toolClientId: string;
  secret: string;
  appClientId: string;
  /** Of its people, `person-1` and on. */
  password: string;
  tenant: SeededTenant;
}

export interface SeededTenant {
  id: string;
  /** A credential for the tenant API; absent when an earlier run made the tenant. */
  clientId?: string;
  clientSecret?: string;
}

/** Something that whoever asked for it can put right. */
export class SeedRefused extends Error {}

/** Repositories that one transaction makes. */
const chunkSize = 250;

const slugOf = (number: number) => `seed-${String(number).padStart(6, '0')}`;
const seededSlug = '^seed-[0-9]{6,}$';

/**
 * Fills an installation with tenants and repositories that can be used: their rows are written through every constraint by the
 * role of the worker. The first repository of each transaction is provisioned as any other, and the rest of them are copies of
 * its rows with ids, secrets and keys of their own, so that a seeded repository is whatever a provisioned one is. Of a run that
 * was ended, whole transactions remain, and the next one goes on from there.
 *
 * @param made is told of each repository once it is there.
 * @returns how many were made.
 * @throws SeedRefused when there is no installation, or others have repositories in it.
 */
export async function seed(
  target: SeedTarget,
  plan: SeedPlan,
  made: (repository: SeededRepository, count: number) => void = () => undefined,
): Promise<number> {
  const before = await begin(target.database, plan);
  const password = randomText(20);
  const passwordHash = plan.people > 0 ? await hashPassword(password) : null;
  const copier = await target.database.read('system', openCopier);
  let tenant: SeededTenant | undefined = before.tenant;
  let inTenant = before.inTenant;
  let count = before.seeded;
  // The keys of the next are made while the database writes those before.
  let next = freshFrom(target, count + 1, sizeOf(count, inTenant));
  function sizeOf(done: number, held: number): number {
    return Math.max(0, Math.min(chunkSize, plan.repositories - done, plan.perTenant - (held % plan.perTenant)));
  }
  while (count < plan.repositories) {
    const fresh = await next;
    if (inTenant >= plan.perTenant) [tenant, inTenant] = [undefined, 0];
    next = freshFrom(target, count + fresh.length + 1, sizeOf(count + fresh.length, inTenant + fresh.length));
    const of = tenant;
    const done = await target.database.transaction('system', async (tx) => {
      const owner: SeededTenant = of ?? (await seedTenant(tx, target, before.console, count / plan.perTenant + 1, passwordHash));
      return { owner, repositories: await seedRepositories(tx, target, copier, owner, plan, fresh, passwordHash) };
    });
    tenant = done.owner;
    inTenant += fresh.length;
    for (const repository of done.repositories) made({ ...repository, password, tenant }, ++count - before.seeded);
  }
  await next;
  return count - before.seeded;
}

interface Beginning {
  console: { id: string; tenantId: string; environment: 'production' | 'integration' };
  seeded: number;
  /** Whose the last repository is, and how many the tenant has. */
  tenant: SeededTenant | undefined;
  inTenant: number;
}

async function begin(database: Database, plan: SeedPlan): Promise<Beginning> {
  return database.read('system', async (tx) => {
    const [installed] = await tx.query<Beginning['console'][]>(
      `SELECT id, tenant_id AS "tenantId", environment FROM repositories WHERE slug = $1`,
      [consoleSlug],
    );
    if (!installed) throw new SeedRefused('The database holds no installation: start it once with npm start.');
    const [others] = await tx.query<{ slug: string }[]>(
      `SELECT slug FROM repositories WHERE tenant_id <> $1 AND slug !~ $2 ORDER BY slug LIMIT 1`,
      [installed.tenantId, seededSlug],
    );
    if (others && !plan.besideOthers)
      throw new SeedRefused(
        `Tenants have repositories of their own here (such as ${others.slug}): seed another installation, or say --beside-others.`,
      );
    const [last] = await tx.query<{ seeded: number; tenantId: string; inTenant: number }[]>(
      `SELECT substr(max(slug), 6)::integer AS seeded, r.tenant_id AS "tenantId", count(*)::integer AS "inTenant"
       FROM repositories r WHERE slug ~ $1 GROUP BY r.tenant_id ORDER BY 1 DESC LIMIT 1`,
      [seededSlug],
    );
    const tenant = last && { id: last.tenantId };
    return { console: installed, seeded: last?.seeded ?? 0, tenant, inTenant: last?.inTenant ?? 0 };
  });
}

async function freshFrom(target: SeedTarget, first: number, count: number): Promise<Fresh[]> {
  const numbers = Array.from({ length: count }, (_, index) => first + index);
  return Promise.all(numbers.map((number) => makeFresh(target, slugOf(number), `Seeded ${number}`)));
}

/** A tenant as `setup --tenant` makes one, with a person who owns it. */
async function seedTenant(
  tx: EntityManager,
  target: SeedTarget,
  consoleRepository: Beginning['console'],
  number: number,
  passwordHash: string | null,
): Promise<SeededTenant> {
  const name = `Seed ${Math.floor(number)}`;
  const { id, credential } = await makeTenant(tx, target, consoleRepository, name);
  const loginName = `seed-owner-${id}`;
  const { id: repositoryId, tenantId } = consoleRepository;
  const user = await createUser(tx, wellKnown.admin, { tenantId, repositoryId, loginName, name: `Owner of ${name}`, passwordHash });
  await tx.insert(Member, { tenantId: id, id: newId(), repositoryId, userId: user.id, role: 'owner' });
  return { id, clientId: credential.clientId, clientSecret: credential.secret.value };
}

async function seedRepositories(
  tx: EntityManager,
  target: SeedTarget,
  copier: Copier,
  { id: tenantId }: SeededTenant,
  { people, redirectUris = ['http://localhost/signed-in'] }: SeedPlan,
  [first, ...others]: Fresh[],
  passwordHash: string | null,
): Promise<Omit<SeededRepository, 'password' | 'tenant'>[]> {
  if (!first) return [];
  const { slug, name } = first;
  const made = await provision(tx, target, { tenantId, slug, name, environment: 'production', redirectUris });
  const [repositoryId, appClientId, toolClientId] = [made.repository.id, made.appClient.id, made.toolClient.id];
  for (let i = 1; i <= people; i++)
    await createUser(tx, wellKnown.admin, { tenantId, repositoryId, loginName: `person-${i}`, name: `Person ${i}`, passwordHash });
  const deed = { action: 'repository.created', repositoryId, targetKind: 'repository', targetId: repositoryId, details: { slug } };
  await audit(tx, systemActor(tenantId, 'seed'), deed);
  await copier.copy(tx, { id: repositoryId, tenantId, appClientId, toolClientId }, others);
  return [
    { slug, appClientId, toolClientId, secret: made.secret.value },
    ...others.map((each) => ({
      slug: each.slug,
      appClientId: each.appClientId,
      toolClientId: each.toolClientId,
      secret: each.secret.secret.reveal(),
    })),
  ];
}
