import { spawnSync } from 'node:child_process';
import { chown, lstat, readdir } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import type { Binaries } from './binaries.js';
import { EmbeddedPostgresError } from './fault.js';

/** How a PostgreSQL program is run here: PostgreSQL refuses to run as root, or as an account without a name. */
export interface Runner {
  /** Words that go before the program. */
  prefix: string[];
  uid?: number;
  gid?: number;
  /** Hands a new file to the account that the programs run as. */
  own(file: string): Promise<void>;
}

const nobody = 65_534;

/**
 * As a usual account: runs the programs as they are. As root, or as one of those numbers without a name that container
 * platforms hand out: in a user namespace in which we are called nobody, which needs no other account to reach the
 * files, so it works under `/root` too. Where namespaces are forbidden, root runs them as the account nobody, which
 * must be able to reach the files.
 */
export async function findRunner(binaries: Binaries, dataDir: string): Promise<Runner> {
  const leave = async () => {};
  const us = process.getuid?.() ?? 0;
  if (us !== 0 && hasName()) return { prefix: deathSignal(), own: leave };

  const namespace = ['unshare', '--user', `--map-user=${nobody}`, `--map-group=${nobody}`];
  if (succeeds([...namespace, binaries.postgres, '--version'])) {
    await ownAll(dataDir, us);
    return { prefix: [...namespace, ...deathSignal()], own: leave };
  }
  const asNobody = { uid: nobody, gid: nobody };
  if (us === 0 && succeeds([binaries.postgres, '--version'], asNobody)) {
    await ownAll(dataDir, nobody);
    if (succeeds(['ls', dataDir], asNobody)) return { prefix: deathSignal(), ...asNobody, own: (file) => chown(file, nobody, nobody) };
  }
  throw new EmbeddedPostgresError(
    `PostgreSQL does not run as ${us === 0 ? 'root' : `the nameless account ${us}`}, and this machine allows no user namespaces: start as another user, or set DATABASE_URL to a PostgreSQL 18 of your own.`,
  );
}

function hasName(): boolean {
  try {
    return userInfo().username !== '';
  } catch {
    return false;
  }
}

/**
 * The kernel asks the server to stop when its launcher is gone, in the mode that waits until the last client has left.
 * Without the program `setpriv` the next start finds the server and stops it.
 */
function deathSignal(): string[] {
  const words = ['setpriv', '--pdeathsig', 'TERM'];
  return succeeds([...words, 'true']) ? words : [];
}

function succeeds(command: string[], account: { uid?: number; gid?: number } = {}): boolean {
  return spawnSync(command[0]!, command.slice(1), { stdio: 'ignore', cwd: '/', ...account }).status === 0;
}

/** Usually there is nothing to do; after a change of the way PostgreSQL runs, every file must change hands. */
async function ownAll(folder: string, id: number): Promise<void> {
  if ((await lstat(folder)).uid === id) return;
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isSymbolicLink()) await chown(join(entry.parentPath, entry.name), id, id);
  }
  await chown(folder, id, id);
}
