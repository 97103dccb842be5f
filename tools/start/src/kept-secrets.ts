import { randomBytes } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Complaint } from './complaint.js';

/** What a data folder must not lose: without the keys nothing in its database can be read or checked. */
export interface KeptSecrets {
  /** `id:base64`, as SECRET_PEPPERS and KEY_ENCRYPTION_KEYS are given to the apps. */
  secretPeppers: string;
  keyEncryptionKeys: string;
  /** Of the database login that the apps use. */
  loginPassword: string;
}

/**
 * Reads `keys.json` in the folder, or makes it with mode 0600.
 *
 * @param inUse whether there is a database that was written with the keys: new ones could not read it.
 */
export async function keepSecrets(dataDir: string, inUse: boolean): Promise<KeptSecrets> {
  const file = join(dataDir, 'keys.json');
  try {
    return check(JSON.parse(await readFile(file, 'utf8')));
  } catch (error) {
    if (inUse || (error as NodeJS.ErrnoException).code !== 'ENOENT') {
      throw new Complaint(`${file} cannot be read: restore it from a backup, or start anew in another folder with --data-dir.`, {
        cause: error,
      });
    }
  }
  const ring = () => `k1:${randomBytes(32).toString('base64')}`;
  const made: KeptSecrets = { secretPeppers: ring(), keyEncryptionKeys: ring(), loginPassword: randomBytes(24).toString('base64url') };
  // Whole or not at all, also when the power fails.
  await writeFile(`${file}.new`, `${JSON.stringify(made, null, 2)}\n`, { mode: 0o600, flush: true });
  await rename(`${file}.new`, file);
  return made;
}

function check(read: unknown): KeptSecrets {
  const { secretPeppers, keyEncryptionKeys, loginPassword } = read as Record<string, unknown>;
  if (typeof secretPeppers !== 'string' || typeof keyEncryptionKeys !== 'string' || typeof loginPassword !== 'string')
    throw new Error('a member is missing');
  return { secretPeppers, keyEncryptionKeys, loginPassword };
}
