import { existsSync } from 'node:fs';
import { readFile, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { startEmbeddedPostgres } from '@latchkey/database/embedded';
import { Complaint } from './complaint.js';
import { keepSecrets } from './kept-secrets.js';
import { lockFolder, type Lock } from './lock.js';
import { loginUrl } from './plan.js';

/** What a program beside the launcher needs to work on an installation. */
export interface KeptInstallation {
  /** The apps' login. */
  databaseUrl: string;
  /** The login that owns the tables. */
  ownerUrl: string;
  /** `id:base64`, as the apps are given them. */
  secretPeppers: string;
  keyEncryptionKeys: string;
  close(): Promise<void>;
}

/**
 * Opens an installation that was started once, be it running or not: on `DATABASE_URL`, or the one in the data folder, whose
 * database is started for as long as this is open if no launcher runs it.
 *
 * @throws Complaint when there is none.
 */
export async function openKeptInstallation(folder: string, outer: NodeJS.ProcessEnv): Promise<KeptInstallation> {
  const kept = existsSync(join(folder, 'keys.json')) ? await keepSecrets(folder, true) : undefined;
  const [secretPeppers, keyEncryptionKeys] = [
    outer['SECRET_PEPPERS'] || kept?.secretPeppers,
    outer['KEY_ENCRYPTION_KEYS'] || kept?.keyEncryptionKeys,
  ];
  if (!secretPeppers || !keyEncryptionKeys)
    throw new Complaint(
      `There are no keys in ${folder}: start the installation once with npm start, name its folder with --data-dir, or set SECRET_PEPPERS and KEY_ENCRYPTION_KEYS.`,
    );
  const keys = { secretPeppers, keyEncryptionKeys };
  const given = outer['DATABASE_OWNER_URL'] || outer['DATABASE_URL'];
  if (given) {
    const login = (outer['DATABASE_OWNER_URL'] && outer['DATABASE_URL']) || (kept ? loginUrl(given, kept.loginPassword) : given);
    return { ...keys, databaseUrl: login, ownerUrl: given, close: async () => undefined };
  }
  if (!existsSync(join(folder, 'postgres/cluster')))
    throw new Complaint(
      `There is no database in ${folder}: start the installation once with npm start, or name its folder with --data-dir.`,
    );
  if (!kept) throw new Complaint(`${folder} has a database without its keys.json: restore that from a backup.`);
  const { ownerUrl, close } = await openDatabase(folder);
  return { ...keys, databaseUrl: loginUrl(ownerUrl, kept.loginPassword), ownerUrl, close };
}

/** The embedded database: the one that a launcher runs, or else one that we run ourselves. */
async function openDatabase(folder: string): Promise<{ ownerUrl: string; close: () => Promise<void> }> {
  const dataDir = join(folder, 'postgres');
  const lock = await takeFolder(await realpath(folder));
  if (!lock) return { ownerUrl: await runningDatabase(dataDir), close: async () => undefined };
  const server = await startEmbeddedPostgres({ dataDir });
  return {
    ownerUrl: server.url,
    async close() {
      await server.stop();
      lock.release();
    },
  };
}

async function takeFolder(folder: string): Promise<Lock | undefined> {
  try {
    return await lockFolder(folder);
  } catch (error) {
    if (error instanceof Complaint) return undefined; // A launcher runs on it.
    throw error;
  }
}

/** The server says in its own file where it listens. */
async function runningDatabase(dataDir: string): Promise<string> {
  const port = (await readFile(join(dataDir, 'cluster/postmaster.pid'), 'utf8')).split('\n')[3];
  const password = (await readFile(join(dataDir, 'owner-password'), 'utf8')).trim();
  return `postgres://latchkey_owner:${password}@127.0.0.1:${port}/latchkey`;
}
