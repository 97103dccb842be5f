import { runMigrations } from 'bullmq';
import pg from 'pg';
import { queueSchema } from './queue.js';

/** One number for every migrator of queues, so that two that start together take turns. */
const migrationLock = 7_160_522_702;

/**
 * Makes or updates the queue's tables in a schema of their own, and a role that may use them and nothing else. Only a
 * queue on PostgreSQL needs it. Safe to repeat, and to start twice at once.
 *
 * @param ownerUrl a login that may create roles and schemas; it will own the tables.
 * @param loginUrl the login that the worker will use, made before (`migrate` of the database does); it gets to act as the
 * role. The owner itself if absent.
 */
export async function migrateQueue(ownerUrl: string, loginUrl?: string): Promise<void> {
  const owner = new pg.Client({ connectionString: ownerUrl, application_name: 'latchkey-migrate' });
  await owner.connect();
  try {
    await owner.query('SELECT pg_advisory_lock($1)', [migrationLock]);
    await makeRole(owner);
    await runMigrations(owner, queueSchema);
    const login = loginUrl && loginUrl !== ownerUrl ? pg.escapeIdentifier(decodeURIComponent(new URL(loginUrl).username)) : 'CURRENT_USER';
    await unlessThere(owner, `GRANT ${queueSchema} TO ${login} WITH SET TRUE, INHERIT FALSE`);
  } finally {
    await owner.end();
  }
}

/**
 * Before the tables, so that each is usable by the role as soon as it is made. BullMQ makes a sequence for every queue
 * while it runs, hence CREATE on the schema.
 */
async function makeRole(owner: pg.Client): Promise<void> {
  await unlessThere(owner, `CREATE ROLE ${queueSchema} NOLOGIN`);
  await owner.query(`
    CREATE SCHEMA IF NOT EXISTS ${queueSchema};
    GRANT USAGE, CREATE ON SCHEMA ${queueSchema} TO ${queueSchema};
    ALTER DEFAULT PRIVILEGES IN SCHEMA ${queueSchema} GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO ${queueSchema};
    ALTER DEFAULT PRIVILEGES IN SCHEMA ${queueSchema} GRANT USAGE ON SEQUENCES TO ${queueSchema};`);
}

/** Roles belong to the whole server, so the migrator of another database may do the same at the same moment. */
async function unlessThere(owner: pg.Client, statement: string): Promise<void> {
  await owner.query(`
    DO $unless_there$ BEGIN ${statement};
    EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $unless_there$`);
}
