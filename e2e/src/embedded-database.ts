import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Behind the apps' backs: the login that owns the embedded database of a running product. */
export async function embeddedOwnerUrl(dataDir: string): Promise<string> {
  const folder = join(dataDir, 'postgres');
  const [password, postmaster] = await Promise.all([
    readFile(join(folder, 'owner-password'), 'utf8'),
    readFile(join(folder, 'cluster', 'postmaster.pid'), 'utf8'),
  ]);
  return `postgres://latchkey_owner:${password.trim()}@127.0.0.1:${postmaster.split('\n')[3]}/latchkey`;
}
