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
