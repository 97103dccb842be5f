import { readFileSync } from 'node:fs';
import { createTestDatabase } from '@latchkey/database/testing';
import { migrateQueue } from '@latchkey/jobs/migrate';

describe('restoring a backup', () => {
  it('needs no roles but those that the guide has one make', async () => {
    const test = await createTestDatabase();
    await migrateQueue(test.ownerUrl, test.url);
    // What a dump names of the server's roles beside the owner: in grants and policies.
    const { rows } = await test.owner.query<{ role: string }>(
      `SELECT DISTINCT r.rolname AS role FROM pg_shdepend d JOIN pg_roles r ON r.oid = d.refobjid
       WHERE d.refclassid = 'pg_authid'::regclass AND d.deptype IN ('a', 'r')
         AND d.dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND r.rolname <> CURRENT_USER`,
    );
    const guide = readFileSync(new URL('../../../docs/guides/operate.md', import.meta.url), 'utf8');
    const made = [...guide.matchAll(/CREATE ROLE (\w+);/g)].map(([, name]) => name);
    expect(new Set(rows.map(({ role }) => role))).toEqual(new Set(made));
    expect(made.length).toBeGreaterThan(3);
    await test.drop();
  });
});
