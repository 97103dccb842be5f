import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { machineActor } from '@latchkey/access';
import { Blobs, ObjectStore } from '@latchkey/content';
import { startObjectStore, type TestObjectStore } from '@latchkey/content/testing';
import { repositoryPermissions, tenantPermissions } from '@latchkey/contracts';
import { KeyRing } from '@latchkey/credentials';
import { newId, type Scope } from '@latchkey/database';
import { createTestDatabase, type TestDatabase } from '@latchkey/database/testing';
import { AddressTemplate, createLogger } from '@latchkey/runtime';
import { addTenant, install, provision, purgeDeleted, Repositories, restoreTenant, type InstallationOptions } from '@latchkey/tenancy';
import { sweepRecords } from './sweep-records.js';
import { person, plant, plantTenant, type Plot } from './testing/planted.js';

let test: TestDatabase;
let objects: TestObjectStore;
let store: ObjectStore;
let options: InstallationOptions & { repositoryUrls: AddressTemplate };
let first: string;

beforeAll(async () => {
  test = await createTestDatabase();
  objects = await startObjectStore();
  store = await ObjectStore.open(objects.address, 'FILES_URL');
  const keys = KeyRing.parse(`k1:${randomBytes(32).toString('base64')}`);
  const [authorityUrls, repositoryUrls] = [
    new AddressTemplate('http://localhost/{repository}'),
    new AddressTemplate('http://localhost/{repository}'),
  ];
  options = { database: test.database, peppers: keys, encryption: keys, authorityUrls, repositoryUrls, portalUrl: 'http://localhost' };
  first = (await install(options))!.id;
});
afterAll(async () => {
  await test.drop();
  await objects.stop();
});

const query = async <T extends object>(text: string, ...values: unknown[]) => (await test.owner.query<T>(text, values)).rows;

/** A repository with a row in every table, and an object in the store. */
async function makePlot(tenantId: string, slug: string): Promise<Plot> {
  const blueprint = { tenantId, slug, name: slug, environment: 'production' as const };
  const { repository } = await test.database.transaction('system', (tx) => provision(tx, options, blueprint));
  const plot = { tenantId, repositoryId: repository.id, slug, word: `planted-in-${slug}` };
  await plant(test.owner, plot);
  await store.put(`${repository.id}/${plot.word}`, Buffer.from(plot.word));
  return plot;
}

/** How many rows of an owner each table has that says whose they are. */
async function rowsOf(column: 'tenant_id' | 'repository_id', id: string): Promise<Record<string, number>> {
  const tables = await query<{ table: string }>(
    `SELECT c.relname AS "table" FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
     WHERE c.relnamespace = 'latchkey'::regnamespace AND c.relkind IN ('r', 'p') AND a.attname = $1 AND NOT a.attisdropped ORDER BY 1`,
    column,
  );
  const counts = tables.map(({ table }) => `SELECT '${table}' AS "table", count(*)::int FROM ${table} WHERE ${column} = $1`);
  const rows = await query<{ table: string; count: number }>(counts.join(' UNION ALL '), id);
  return Object.fromEntries(rows.map(({ table, count }) => [table, count]));
}

const without = (counts: Record<string, number>, tables: string[]) =>
  Object.fromEntries(Object.entries(counts).filter(([table]) => !tables.includes(table)));
const left = (counts: Record<string, number>) => Object.keys(counts).filter((table) => counts[table]! > 0);

/** Tables where a word stands, as text or as bytes, but for the audit trail. */
async function whereIs(word: string): Promise<string[]> {
  const tables = await query<{ table: string }>(
    `SELECT relname AS "table" FROM pg_class WHERE relnamespace = 'latchkey'::regnamespace AND relkind IN ('r', 'p') AND relname <> 'audit_events'`,
  );
  const tests = tables.map(
    ({ table }) => `SELECT '${table}' AS "table" WHERE EXISTS (SELECT FROM ${table} t WHERE t::text LIKE $1 OR t::text LIKE $2)`,
  );
  const found = await query<{ table: string }>(tests.join(' UNION ALL '), `%${word}%`, `%${Buffer.from(word).toString('hex')}%`);
  return found.map(({ table }) => table);
}

const deleteAt = (table: 'repositories' | 'tenants', id: string, days: number) =>
  query(`UPDATE ${table} SET deleted_at = now() - make_interval(days => $2) WHERE id = $1`, id, days);

const never = new AbortController().signal;
const purge = (batchSize = 1_000, maxBatches = 1_000) => purgeDeleted(test.database, { batchSize, maxBatches, signal: never });

/** As the worker does it, with the hour over in which somebody may be reading a file still. */
async function sweep(blobs = new Blobs(test.database, store)): Promise<void> {
  await query(
    `UPDATE content_blobs b SET used_at = now() - interval '2 hours' FROM repositories r WHERE r.id = b.repository_id AND r.deleted_at IS NOT NULL`,
  );
  const queue = { forgetFailed: async () => 0 };
  const run = sweepRecords({ database: test.database, blobs, queue, log: createLogger('purge-test', 'silent'), auditDays: 0 });
  await run({}, { id: newId(), lastAttempt: false, signal: never });
}

const actorOf = (tenantId: string) =>
  machineActor(tenantId, 'tenant_x', [...tenantPermissions, ...repositoryPermissions], { requestId: newId(), address: '192.0.2.1' });
const restore = ({ tenantId, slug }: Plot) => new Repositories(options).restore(actorOf(tenantId), slug);

/** What docs/guides/operate.md says is kept of a repository. */
const keptOfRepository = ['audit_events', 'call_counts', 'cutoff_reports', 'cutoffs', 'daily_uses', 'repository_slugs'];
/** In the console, of a tenant's people. */
const notOfRepositories = ['members'];

describe('a repository that was deleted', () => {
  it('is gone for good after 30 days and not before, from every table but those that are kept, while its neighbour keeps every row', async () => {
    const gone = await makePlot(first, 'gone');
    const stays = await makePlot(first, 'stays');
    const [before, neighbour] = [await rowsOf('repository_id', gone.repositoryId), await rowsOf('repository_id', stays.repositoryId)];
    // A new table is noticed here: plant something in it, and say whether it is kept.
    expect(left(before)).toEqual(Object.keys(before).filter((table) => !notOfRepositories.includes(table)));
    await deleteAt('repositories', gone.repositoryId, 29);
    await purge();
    expect(await rowsOf('repository_id', gone.repositoryId)).toEqual(before);
    expect((await restore(gone)).status).toBe('active');

    await deleteAt('repositories', gone.repositoryId, 31);
    // It is killed in the middle, goes on, and has company; no transaction takes more than it was told to.
    expect((await purge(7, 3)).rows).toBe(21);
    await expect(restore(gone)).rejects.toMatchObject({ type: 'conflict', message: expect.stringContaining('gone for good') });
    const together = await Promise.all([purge(5), purge(5), purge(5)]);
    expect(together.flatMap(({ repositories }) => repositories)).toEqual([]);
    // Files are the last. Out of the worker's reach, they keep it from being done.
    expect(left(without(await rowsOf('repository_id', gone.repositoryId), keptOfRepository))).toEqual([
      'content_blob_objects',
      'content_blobs',
      'content_counters',
    ]);
    await sweep(new Blobs(test.database, undefined));
    await sweep();
    expect((await purge()).repositories).toEqual([gone.repositoryId]);
    expect((await purge()).repositories).toEqual([]);

    const after = await rowsOf('repository_id', gone.repositoryId);
    expect(left(after)).toEqual(keptOfRepository);
    // It was restored once, and purged.
    const keeps = keptOfRepository.map((table) => [table, before[table]! + (table === 'audit_events' ? 2 : 0)]);
    expect(after).toMatchObject(Object.fromEntries(keeps));
    expect(await whereIs(gone.word)).toEqual([]);
    expect(await objects.keys(gone.repositoryId)).toEqual([]);
    expect(await rowsOf('repository_id', stays.repositoryId)).toEqual(neighbour);
    expect((await whereIs(stays.word)).length).toBeGreaterThan(25);
    expect(await objects.keys(stays.repositoryId)).toHaveLength(1);

    const trail = await query(
      `SELECT actor_kind, actor_id FROM audit_events WHERE action = 'repository.purged' AND target_id = $1`,
      gone.repositoryId,
    );
    expect(trail).toEqual([{ actor_kind: 'system', actor_id: 'worker' }]);
    await expect(makePlot(first, 'gone')).rejects.toMatchObject({ type: 'slug-taken' });
    await expect(restore(gone)).rejects.toMatchObject({ type: 'conflict', message: expect.stringContaining('gone for good') });
  });
});

describe('a tenant that was deleted', () => {
  it('is gone for good after 30 days, after its repositories, from every table but those that are kept; other tenants keep every row', async () => {
    const made = await addTenant(options, 'planted-in-company');
    const plot = { ...(await makePlot(made.id, 'company')), word: 'planted-in-company' };
    await plantTenant(test.owner, plot);
    const [before, neighbour] = [await rowsOf('tenant_id', made.id), await rowsOf('tenant_id', first)];
    expect(left(before)).toEqual(Object.keys(before).filter((table) => table !== 'outbox'));

    await deleteAt('tenants', made.id, 29);
    await deleteAt('repositories', plot.repositoryId, 29);
    await purge();
    expect(await rowsOf('tenant_id', made.id)).toEqual(before);
    await deleteAt('tenants', made.id, 31);
    await deleteAt('repositories', plot.repositoryId, 31);
    // It waits for the files of its repository; nobody brings it back meanwhile.
    expect(await purge()).toMatchObject({ repositories: [], tenants: [] });
    await expect(restoreTenant(options, made.id)).rejects.toThrow('gone for good');
    await sweep();
    const runs = [...(await Promise.all([purge(3), purge(3)])), await purge()];
    expect(
      runs
        .map(({ repositories, tenants }) => [...repositories, ...tenants])
        .flat()
        .toSorted(),
    ).toEqual([plot.repositoryId, made.id].toSorted());
    expect(runs.at(-1)?.rows).toBe(0);

    const kept = [...keptOfRepository, 'repositories'].toSorted();
    expect(left(await rowsOf('tenant_id', made.id))).toEqual(kept);
    expect(await whereIs(plot.word)).toEqual([]);
    expect(await rowsOf('tenant_id', first)).toEqual(neighbour);
    expect(await query(`SELECT actor_id FROM audit_events WHERE action = 'tenant.purged' AND target_id = $1`, made.id)).toEqual([
      { actor_id: 'worker' },
    ]);
    await expect(restoreTenant(options, made.id)).rejects.toThrow('gone for good');
  });
});

describe('a user who was deleted', () => {
  it('is unknown after 30 days: what names their id holds nothing about them', async () => {
    const { repositoryId } = await makePlot(first, 'people');
    const other = await makePlot(first, 'other-people');
    const ofPerson = async (id: string) => {
      const tables = await query<{ table: string }>(
        `SELECT table_name AS "table" FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
         WHERE table_schema = 'latchkey' AND table_type = 'BASE TABLE' AND column_name IN ('repository_id', 'user_id')
         GROUP BY 1 HAVING count(*) = 2 ORDER BY 1`,
      );
      const tests = tables.map(
        ({ table }) => `SELECT '${table}' AS "table" FROM ${table} WHERE repository_id = $1 AND user_id = ${person}`,
      );
      return (await query<{ table: string }>(tests.join(' UNION ALL '), id)).map(({ table }) => table);
    };
    const before = await ofPerson(repositoryId);
    expect(before.length).toBeGreaterThan(10);
    const bin = `INSERT INTO content_trash (tenant_id, repository_id, node_id, name, parent_id, path, deleted_by, deleted_at)
      VALUES ($1, $2, ${person}, 'x', 2, '/x', 1, now() - make_interval(days => $3))`;
    await query(bin, first, repositoryId, 29);
    await sweep();
    expect(await ofPerson(repositoryId)).toEqual(before);
    await query('UPDATE content_trash SET deleted_at = deleted_at - $2::interval WHERE repository_id = $1', repositoryId, '2 days');
    await sweep();
    expect(await ofPerson(repositoryId)).toEqual(['api_keys', 'call_counts', 'clients', 'content_blobs']);
    expect(await ofPerson(other.repositoryId)).toEqual(before);
    expect(await query('SELECT name FROM api_keys WHERE repository_id = $1', repositoryId)).toEqual([{ name: '' }]);
    expect(
      await query(
        `SELECT login_name, email, name, password_hash FROM repository_users WHERE repository_id = $1 AND id = ${person}`,
        repositoryId,
      ),
    ).toEqual([{ login_name: `/deleted/${person}`, email: null, name: '', password_hash: null }]);
    const mails = (id: string) => query(`SELECT FROM mails WHERE data ->> 'repositoryId' = $1`, id);
    expect([(await mails(repositoryId)).length, (await mails(other.repositoryId)).length]).toEqual([0, 1]);
  });
});

describe('a restoration and a purge', () => {
  it('exclude each other: whichever comes first refuses the other', async () => {
    const plot = await makePlot(first, 'wanted');
    const before = await rowsOf('repository_id', plot.repositoryId);
    await deleteAt('repositories', plot.repositoryId, 31);
    const restorer = await test.owner.connect();
    await restorer.query(`BEGIN; UPDATE repositories SET deleted_at = NULL WHERE slug = 'wanted'`);
    const meanwhile = purge();
    await Promise.race([meanwhile, pause(5_000)]);
    await restorer.query('COMMIT');
    restorer.release();
    expect([await meanwhile, await purge()].map(({ rows }) => rows)).toEqual([0, 0]);
    expect(await rowsOf('repository_id', plot.repositoryId)).toEqual(before);

    // The other way round, by a clock that is behind: for it the 30 days are not over yet.
    const made = await addTenant(options, 'Wanted');
    for (const [table, id] of Object.entries({ repositories: plot.repositoryId, tenants: made.id })) {
      await deleteAt(table as 'tenants', id, 29);
      await query(`UPDATE ${table} SET purge_began_at = now() WHERE id = $1`, id);
      await expect(query(`UPDATE ${table} SET deleted_at = NULL WHERE id = $1`, id)).rejects.toThrow(`${table}_purged`);
    }
    await expect(restore(plot)).rejects.toMatchObject({ type: 'conflict', message: expect.stringContaining('gone for good') });
    await expect(restoreTenant(options, made.id)).rejects.toThrow('gone for good');
  });

  it('are nothing that a role of the apps could get round', async () => {
    const plot = await makePlot(first, 'guarded');
    const step = (id: string) => test.database.transaction('system', (tx) => tx.query('SELECT * FROM purge_repository($1, 1000)', [id]));
    for (const days of [null, 29]) {
      await query(`UPDATE repositories SET deleted_at = now() - make_interval(days => $2) WHERE id = $1`, plot.repositoryId, days);
      expect(await step(plot.repositoryId)).toEqual([{ removed: 0, done: false }]);
    }
    const refused = (scope: Scope, text: string) =>
      expect(test.database.transaction(scope, (tx) => tx.query(text))).rejects.toThrow('permission denied');
    for (const table of ['clients', 'secret_versions', 'api_keys', 'client_keys', 'repositories', 'tenants', 'repository_slugs', 'cutoffs'])
      await refused('system', `DELETE FROM ${table}`);
    await refused('system', `SELECT remove_rows(ARRAY[['clients', 'true']], NULL, NULL, NULL, 1)`);
    for (const call of [`purge_repository('${plot.repositoryId}', 1)`, `purge_tenant('${first}', 1)`])
      await refused({ tenantId: first, repositoryId: plot.repositoryId }, `SELECT ${call}`);
  });
});
