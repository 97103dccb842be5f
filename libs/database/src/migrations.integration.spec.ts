import { DataSource } from 'typeorm';
import { migrate, migrations } from './migrate.js';
import { createTestDatabase, type TestDatabase } from './testing/index.js';

let test: TestDatabase;
beforeAll(async () => {
  test = await createTestDatabase();
});
afterAll(() => test.drop());

/** Everything that the schema is made of: tables, columns, constraints, indexes, policies, functions, triggers and who may what. */
async function schema(): Promise<string[]> {
  const { rows } = await test.owner.query<{ line: string }>(`
    WITH ours AS (SELECT oid FROM pg_namespace WHERE nspname = 'latchkey')
    SELECT format('%s %s %s', c.relkind, c.relname, c.relacl) AS line FROM pg_class c
      WHERE c.relnamespace = (TABLE ours) AND c.relkind IN ('r', 'i', 'v', 'S') AND c.relname !~ '^migrations'
        AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indexrelid = c.oid AND i.indrelid = 'latchkey.migrations'::regclass)
    UNION ALL SELECT format('column %s.%s %s %s %s %s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid), a.attacl)
      FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
      WHERE c.relnamespace = (TABLE ours) AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped AND c.relname <> 'migrations'
    UNION ALL SELECT format('constraint %s %s', k.conname, pg_get_constraintdef(k.oid)) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
      WHERE k.connamespace = (TABLE ours) AND c.relname <> 'migrations'
    UNION ALL SELECT format('index %s', indexdef) FROM pg_indexes WHERE schemaname = 'latchkey' AND tablename <> 'migrations'
    UNION ALL SELECT format('policy %s.%s %s %s %s', tablename, policyname, roles, qual, with_check) FROM pg_policies WHERE schemaname = 'latchkey'
    UNION ALL SELECT format('function %s %s', pg_get_functiondef(p.oid), p.proacl) FROM pg_proc p WHERE p.pronamespace = (TABLE ours)
    UNION ALL SELECT format('trigger %s', pg_get_triggerdef(t.oid)) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
      WHERE c.relnamespace = (TABLE ours) AND NOT t.tgisinternal
    ORDER BY 1`);
  return rows.map(({ line }) => line);
}

it('the schema goes down to nothing, migration by migration, and up again to what it was', async () => {
  const before = await schema();
  expect(before.length).toBeGreaterThan(300);
  const source = new DataSource({
    type: 'postgres',
    url: test.ownerUrl,
    schema: 'latchkey',
    migrations,
    migrationsTableName: 'migrations',
    extra: { options: '-c search_path=latchkey' },
  });
  await source.initialize();
  const undo = async (all: unknown[]) => {
    for (const _ of all) await source.undoLastMigration({ transaction: 'each' });
  };
  await undo(migrations.slice(2));
  // What the second is to drop a later one's way down has dropped already; both have landed, so they stay as they are.
  for (const name of ['check_credentials', 'find_repository'])
    await test.owner.query(`CREATE FUNCTION ${name}() RETURNS void LANGUAGE sql AS ''`);
  await undo(migrations.slice(0, 2));
  await source.destroy();
  expect(await schema()).toEqual([]);
  await migrate(test.ownerUrl);
  expect(await schema()).toEqual(before);
});

it('an invitation that was open while its maker had lost the right already is not open afterwards, and no other ends', async () => {
  const other = await createTestDatabase();
  const query = async (text: string, ...values: unknown[]) => (await other.owner.query<Record<string, string>>(text, values)).rows;
  const [home] = await query(`
    WITH tenant AS (INSERT INTO tenants (id, name) VALUES (gen_random_uuid(), 'T') RETURNING id),
    slug AS (INSERT INTO repository_slugs (slug, repository_id, tenant_id) SELECT 'home', gen_random_uuid(), id FROM tenant RETURNING *)
    INSERT INTO repositories (tenant_id, id, slug, name, environment) SELECT tenant_id, repository_id, slug, 'H', 'production' FROM slug
    RETURNING tenant_id, id`);
  const own = [home!['tenant_id'], home!['id']];
  for (const [n, role] of ['owner', 'super-admin', 'developer', 'viewer'].entries()) {
    await query(
      `INSERT INTO repository_users (tenant_id, repository_id, id, login_name, name) VALUES ($1, $2, $3, $4, 'P')`,
      ...own,
      n,
      role,
    );
    await query(
      `INSERT INTO members (tenant_id, repository_id, id, user_id, role) VALUES ($1, $2, ('00000000-0000-7000-8000-00000000000' || $3)::uuid, $3::int, $4)`,
      ...own,
      n,
      role,
    );
  }
  await query(
    `INSERT INTO clients (tenant_id, repository_id, id, kind, name, user_id) SELECT $1, $2, id, 'tenant', 'C', 0 FROM unnest('{kept,ended}'::text[]) id`,
    ...own,
  );
  await query(
    `INSERT INTO secret_versions (tenant_id, repository_id, client_id, id, hash, pepper_id, hint, ended_at)
     SELECT $1, $2, id, gen_random_uuid(), sha256(id::bytea), 'k1', 'x', ended FROM (VALUES ('kept', now() - interval '3 days'), ('ended', now())) c (id, ended)`,
    ...own,
  );
  // By whom (9 is nobody any more), with what, and to which role; null is to an account.
  const invitations: [by: number | null, made: string | null, role: string | null, stays: boolean][] = [
    [0, null, 'owner', true],
    [1, null, 'super-admin', true],
    [1, null, 'owner', false],
    [2, null, 'viewer', false],
    [2, null, null, true],
    [3, null, null, false],
    [9, null, 'viewer', false],
    [null, 'kept', 'viewer', true],
    [null, 'ended', 'viewer', false],
    [null, null, 'owner', true],
  ];
  for (const [n, [by, made, role]] of invitations.entries())
    await query(
      `INSERT INTO invitations (tenant_id, repository_id, hash, user_id, role, invited_by, invited_with, email, created_at, expires_at)
       VALUES ($1, $2, sha256($3::text::bytea), CASE WHEN $4::text IS NULL THEN 0 END, $4, ('00000000-0000-7000-8000-00000000000' || $5)::uuid, $6, $3,
         now() - interval '1 day', now() + interval '1 day')`,
      ...own,
      String(n),
      role,
      by,
      made,
    );
  await query(`DELETE FROM migrations WHERE name = 'EndInvitationsOfLostRights1763768000750'`);
  await migrate(other.ownerUrl);
  const open = await query('SELECT email AS n FROM invitations WHERE expires_at > now() ORDER BY email');
  expect(open.map(({ n }) => Number(n))).toEqual(invitations.flatMap(([, , , stays], n) => (stays ? [n] : [])));
  await other.drop();
});

it('refuses a server that is older than PostgreSQL 16 before anything is made', async () => {
  const other = await createTestDatabase();
  // A server that says it is older: its own answer is found before that of the system.
  await other.owner.query(`
    DROP SCHEMA latchkey CASCADE;
    CREATE SCHEMA older;
    CREATE FUNCTION older.current_setting(name text) RETURNS text LANGUAGE sql
      AS $$ SELECT CASE name WHEN 'server_version_num' THEN '150099' ELSE '15.99' END $$;`);
  const url = new URL(other.ownerUrl);
  url.searchParams.set('options', '-c search_path=older,pg_catalog');
  await expect(migrate(url.href)).rejects.toThrow('PostgreSQL 16 or later is needed, and this server is 15.99');
  const { rows } = await other.owner.query(`SELECT FROM pg_namespace WHERE nspname = 'latchkey'`);
  expect(rows).toEqual([]);
  await other.drop();
});
