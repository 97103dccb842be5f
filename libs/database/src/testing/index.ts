import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { Database } from '../database.js';
import { appsLogin, onSameServer, testServerVariable } from './cluster.js';

/** A database of a test file's own, migrated and empty. */
export interface TestDatabase {
  /** What an app would be given as DATABASE_URL. */
  url: string;
  /** The login that owns the tables, for looking behind the apps' backs. */
  owner: pg.Pool;
  ownerUrl: string;
  database: Database;
  drop(): Promise<void>;
}

/**
 * Copies the migrated database of the test run.
 *
 * @throws when the run has no server: such a file must be named `*.integration.spec.ts`.
 */
export async function createTestDatabase(): Promise<TestDatabase> {
  const serverUrl = process.env[testServerVariable];
  if (!serverUrl) throw new Error('There is no test server: name the file *.integration.spec.ts');
  const name = `test_${randomBytes(8).toString('hex')}`;
  const template = new URL(serverUrl).pathname.slice(1);
  const admin = onSameServer(serverUrl, { database: 'postgres' });
  await once(admin, `CREATE DATABASE ${name} TEMPLATE ${template}`);

  const ownerUrl = onSameServer(serverUrl, { database: name });
  const url = onSameServer(ownerUrl, appsLogin);
  const database = await Database.connect({ url, poolSize: 8 });
  const owner = new pg.Pool({ connectionString: ownerUrl, max: 4, options: '-c search_path=latchkey' });
  owner.on('error', () => undefined);
  return {
    url,
    owner,
    ownerUrl,
    database,
    async drop() {
      await database.close();
      await owner.end();
      await once(admin, `DROP DATABASE ${name} WITH (FORCE)`);
    },
  };
}

async function once(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
export { costOf, documentedCost, type Cost } from './hot-paths.js';
