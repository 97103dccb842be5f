import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmbeddedPostgres } from '../embedded.js';
import { migrate } from '../migrate.js';

/** Names the variable in which a test run tells its files where its server is. */
export const testServerVariable = 'LATCHKEY_TEST_SERVER';

/** The login that the apps use in tests, as they would in production. */
export const appsLogin = { username: 'latchkey', password: 'latchkey-test' };

/** The URL of another database or login on the same server. */
export function onSameServer(url: string, change: { database?: string; username?: string; password?: string }): string {
  const changed = new URL(url);
  if (change.database) changed.pathname = `/${change.database}`;
  if (change.username) changed.username = change.username;
  if (change.password) changed.password = change.password;
  return changed.href;
}

/**
 * Starts a PostgreSQL server that lives as long as the test run, with one migrated database. Every test file works on
 * its own copy of that one, which takes a few milliseconds to make.
 *
 * @returns ends the server and removes its files.
 */
export async function startTestServer(): Promise<() => Promise<void>> {
  const dataDir = await mkdtemp(join(tmpdir(), 'latchkey-test-'));
  const server = await startEmbeddedPostgres({ dataDir, durable: false });
  await migrate(server.url, onSameServer(server.url, appsLogin));
  process.env[testServerVariable] = server.url;
  return async () => {
    await server.stop();
    await rm(dataDir, { recursive: true, force: true });
  };
}
