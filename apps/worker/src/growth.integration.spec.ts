import { randomBytes } from 'node:crypto';
import { wellKnown } from '@latchkey/content';
import { KeyRing } from '@latchkey/credentials';
import { Database } from '@latchkey/database';
import { createTestDatabase, type TestDatabase } from '@latchkey/database/testing';
import { AddressTemplate } from '@latchkey/runtime';
import { seed, writeHistory, type SeededRepository } from '@latchkey/seed';
import { install } from '@latchkey/tenancy';
import { carryOutAlone, everydayWork, type Surroundings } from './testing/everyday-work.js';
import { readsBetween, readsSoFar } from './testing/reads.js';

/** So many that an index is cheaper than a scan of anything, and so few that they are made in seconds. */
const repositories = 1_500;

/** Of everything that one repository and its tenant come to have in a long life. */
const many = 6_000;

/** The one repository with a long life. $1 is its slug. */
const life = [
  `INSERT INTO secret_versions (repository_id, client_id, id, tenant_id, hash, pepper_id, hint, created_at, ended_at)
   SELECT c.repository_id, c.id, ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, c.tenant_id, sha256(n::text::bytea), 'k1', 'x',
     now() - make_interval(mins => ${many + 1} - n), now() - make_interval(mins => ${many} - n)
   FROM generate_series(1, ${many}) n, clients c JOIN repositories r ON r.id = c.repository_id WHERE r.slug = $1 AND c.kind = 'tool'`,
  `INSERT INTO cutoffs (repository_id, id, tenant_id, kind, client_id, effective_at, recorded_at, secret_version_ids)
   SELECT v.repository_id, v.id, v.tenant_id, 'secret', v.client_id, v.ended_at, v.ended_at, ARRAY[v.id]
   FROM secret_versions v JOIN repositories r ON r.id = v.repository_id WHERE r.slug = $1 AND v.ended_at IS NOT NULL`,
  `INSERT INTO cutoff_reports (repository_id, cutoff_id, node_id, tenant_id, node_name, node_kind, refused_at)
   SELECT c.repository_id, c.id, gen_random_uuid(), c.tenant_id, 'n', 'authority', c.effective_at
   FROM cutoffs c JOIN repositories r ON r.id = c.repository_id WHERE r.slug = $1`,
  `INSERT INTO api_keys (repository_id, id, tenant_id, user_id, name, hash, pepper_id, hint, permissions, expires_at, ended_at)
   SELECT r.id, gen_random_uuid(), r.tenant_id, ${wellKnown.publicAdmin}, 'k', sha256(n::text::bytea), 'k1', 'x', '{}', now() + interval '1 day', now()
   FROM generate_series(1, ${many}) n, repositories r WHERE r.slug = $1`,
  `INSERT INTO client_keys (repository_id, client_id, id, tenant_id, kid, public_jwk, ended_at)
   SELECT c.repository_id, c.id, gen_random_uuid(), c.tenant_id, 'k' || n, '{}', now()
   FROM generate_series(1, ${many}) n, clients c JOIN repositories r ON r.id = c.repository_id WHERE r.slug = $1 AND c.kind = 'tool'`,
  `INSERT INTO clients (repository_id, id, tenant_id, kind, name, user_id, deleted_at)
   SELECT r.id, 'tool_' || n, r.tenant_id, 'tool', 'Tool', ${wellKnown.publicAdmin}, now() FROM generate_series(1, ${many}) n, repositories r WHERE r.slug = $1`,
  `INSERT INTO credential_uses (repository_id, credential_id, version_id, outcome, consumer, address, tenant_id, uses, first_used_at, last_used_at)
   SELECT v.repository_id, v.client_id, v.id, 'accepted', 'a pod', '10.0.' || n / 256 || '.' || n % 256, v.tenant_id, 1, now(), now() - make_interval(mins => n)
   FROM generate_series(1, ${many}) n, secret_versions v JOIN repositories r ON r.id = v.repository_id WHERE r.slug = $1 AND v.ended_at IS NULL`,
  `INSERT INTO repository_users (repository_id, id, tenant_id, login_name, name, email)
   SELECT r.id, 100000 + n, r.tenant_id, 'u' || n, 'U', 'u' || n || '@example.com' FROM generate_series(1, ${many}) n, repositories r WHERE r.slug = $1`,
  `INSERT INTO content_nodes (repository_id, id, tenant_id, parent_id, name, path, type, fields, permission_path, created_by, modified_by)
   SELECT p.repository_id, 100000 + n, p.tenant_id, p.parent_id, 'u' || n, regexp_replace(p.path, '[^/]+$', 'u' || n), p.type, p.fields, p.permission_path, 1, 1
   FROM generate_series(1, ${many}) n, content_nodes p JOIN repositories r ON r.id = p.repository_id WHERE r.slug = $1 AND p.id = 1000`,
  `INSERT INTO webhook_deliveries (tenant_id, webhook_id, id, repository_id, event, payload, attempts, delivered_at)
   SELECT r.tenant_id, w.id, gen_random_uuid(), r.id, 'secret.regenerated', '{}', 1, now()
   FROM generate_series(1, ${many}) n, repositories r JOIN webhooks w ON w.tenant_id = r.tenant_id AND w.repository_id IS NULL WHERE r.slug = $1`,
  `INSERT INTO oidc_records (repository_id, kind, id, payload, uid, user_id, user_generation, expires_at, used_at)
   SELECT r.id, kind, kind || n, '{"loginTs": 1}', kind || n, 1000, 1, now() + interval '1 day', now() FROM generate_series(1, ${many}) n, unnest('{Session,Grant}'::text[]) kind, repositories r WHERE r.slug = $1`,
  `WITH slugs AS (INSERT INTO repository_slugs (slug, repository_id, tenant_id)
     SELECT 'gone-' || n, gen_random_uuid(), r.tenant_id FROM generate_series(1, ${many}) n, repositories r WHERE r.slug = $1 RETURNING *)
   , gone AS (INSERT INTO repositories (tenant_id, id, slug, name, environment, deleted_at)
     SELECT tenant_id, repository_id, slug, 'Gone', 'integration', now() FROM slugs),
   people AS (INSERT INTO repository_users (repository_id, id, tenant_id, login_name, name, technical)
     SELECT repository_id, 12, tenant_id, 'publicadmin', 'P', true FROM slugs)
   INSERT INTO clients (repository_id, id, tenant_id, kind, name, is_default, user_id)
   SELECT repository_id, kind || '_' || slug, tenant_id, kind, kind, true, CASE kind WHEN 'tool' THEN 12 END FROM slugs, unnest('{app,tool}'::text[]) kind`,
];

/** Of a table with fewer rows than this a scan is the right plan. */
const smallest = 1_000;

/** Tenants without repositories are made faster. */
const fillers = [
  `INSERT INTO tenants (id, name) SELECT gen_random_uuid(), 'Tenant ' || n FROM generate_series(1, ${repositories}) n`,
  `INSERT INTO clients (repository_id, id, tenant_id, kind, name, user_id)
   SELECT r.id, 'tenant_' || t.id, t.id, 'tenant', t.name, 12 FROM tenants t JOIN repositories r ON r.slug = 'console'`,
  `WITH people AS (INSERT INTO repository_users (repository_id, id, tenant_id, login_name, name)
     SELECT r.id, 100000 + row_number() OVER (), t.id, t.id, 'P' FROM tenants t JOIN repositories r ON r.slug = 'console' RETURNING *)
   INSERT INTO members (tenant_id, id, repository_id, user_id, role) SELECT tenant_id, gen_random_uuid(), repository_id, id, 'owner' FROM people`,
  `INSERT INTO webhooks (tenant_id, id, url, signing_secret, encryption_key_id)
   SELECT id, gen_random_uuid(), 'https://example.com', '', 'k1' FROM tenants WHERE id NOT IN (SELECT tenant_id FROM webhooks)`,
  // Files that are in use. A repository is purged when its files have been swept.
  `INSERT INTO content_blobs (repository_id, tenant_id, id, user_id, whole, used_at)
   SELECT id, tenant_id, id, 1, true, NULL FROM repositories WHERE slug LIKE 'seed-%' AND slug <> 'seed-000003'`,
  `INSERT INTO content_binaries (repository_id, tenant_id, node_id, field, blob_id, file_name, content_type, length)
   SELECT b.repository_id, b.tenant_id, 2, 'Binary', b.id, 'f', 'text/plain', 0 FROM content_blobs b`,
  // Processes that have been there since.
  `INSERT INTO nodes (id, name, kind, url, started_at, seen_at, stopped_at)
   SELECT gen_random_uuid(), 'authority-' || n, 'authority', 'http://localhost', now() - make_interval(mins => n + 30), now() - make_interval(mins => n), now() - make_interval(mins => n)
   FROM generate_series(20, ${many}) n`,
  `INSERT INTO canary_runs (id, repository, began_at, requests, violations, accepted_for_millis, nodes)
   SELECT gen_random_uuid(), 'canary', now() - make_interval(mins => n), 1, 0, 0, '[]' FROM generate_series(20, ${many}) n`,
  // Nothing is due.
  'UPDATE outbox SET relayed_at = now()',
  'VACUUM ANALYZE',
  'SELECT pg_stat_force_next_flush()',
];

const applicationName = 'growth';
const ring = (...ids: string[]) => KeyRing.parse(ids.map((id) => `${id}:${randomBytes(32).toString('base64')}`).join());
const [authorityUrls, repositoryUrls] = ['http://localhost:4100/{repository}', 'http://localhost:4200/{repository}'].map(
  (url) => new AddressTemplate(url),
) as [AddressTemplate, AddressTemplate];

let test: TestDatabase;
let around: Surroundings;
let rows: Map<string, number>;

beforeAll(async () => {
  test = await createTestDatabase();
  const [peppers, encryption] = [ring('k1'), ring('k1', 'earlier')];
  const target = { database: await connect(), peppers, encryption, authorityUrls };
  await install({ ...target, portalUrl: 'http://localhost:4000' });
  const made: SeededRepository[] = [];
  await seed(target, { repositories, perTenant: 50, people: 1 }, (repository) => void made.push(repository));
  await writeHistory(test.ownerUrl, encryption, 2, () => undefined);
  // What is counted belongs to connections that have ended.
  await target.database.close();
  const { slug, toolClientId, tenant } = made[repositories / 2]!;
  for (const statement of life) await test.owner.query(statement, [slug]);
  for (const statement of fillers) await test.owner.query(statement);
  const counted = await test.owner.query<{ table: string; rows: number }>(
    `SELECT relname AS "table", reltuples AS rows FROM pg_class WHERE relnamespace = 'latchkey'::regnamespace AND relkind = 'r'`,
  );
  rows = new Map(counted.rows.map((each) => [each.table, each.rows]));
  const keys = { peppers, encryption, authorityUrls, repositoryUrls };
  around = { ...keys, url: test.url, tenantId: tenant.id, slug, toolClientId, applicationName };
});
afterAll(() => test.drop());

const connect = () => Database.connect({ url: test.url, poolSize: 2, applicationName });

async function readsOf(name: string): Promise<Record<string, number>> {
  const before = await readsSoFar(test.owner, applicationName);
  await carryOutAlone(around, connect, everydayWork(around)[name]!);
  return readsBetween(before, await readsSoFar(test.owner, applicationName));
}

/** What reads all that is its own. */
const own: Record<string, string[]> = {
  // The trail of each tenant is looked at by itself.
  'sweep records': ['tenants'],
  // By whom a secret was used last.
  'list secrets': ['credential_uses'],
  'list sessions': ['oidc_records'],
};

const large = () => [...rows].flatMap(([table, count]) => (count >= smallest ? [table] : []));

describe('in an installation with many repositories', () => {
  it('there is enough to tell a scan from a look-up', () => {
    const product = 'repositories clients secret_versions signing_keys repository_users content_nodes content_blobs members tenants';
    const past = 'audit_events daily_uses call_counts credential_uses outbox webhooks webhook_deliveries';
    expect(large()).toEqual(expect.arrayContaining(`${product} ${past}`.split(' ')));
  });

  // The names alone do not need the installation.
  it.each(Object.keys(everydayWork({} as Surroundings)))('to %s reads no whole table', async (name) => {
    const reads = await readsOf(name);
    // A purge is about one of them, and what the console has of all the others is none of its business either.
    const most = (table: string) => (name.startsWith('purge') ? smallest : rows.get(table)! / 2);
    const scanned = large().filter((table) => (reads[table] ?? 0) > most(table));
    const allowed = own[name] ?? [];
    expect(Object.fromEntries(scanned.filter((table) => !allowed.includes(table)).map((table) => [table, reads[table]]))).toEqual({});
  });
});
