import { open, rename, rm, stat } from 'node:fs/promises';
import { Complaint } from './complaint.js';
import type { FirstStart } from './setup.js';

/** A place for a credential that is known to be writable before the credential exists. */
export interface CredentialsFile {
  /** Puts the credential there, readable by this account alone, whole or not at all. */
  write(credential: FirstStart['credential']): Promise<void>;
  /** Leaves no trace if nothing was written. */
  discard(): Promise<void>;
}

/** @throws Complaint when the file cannot be written. */
export async function reserveCredentialsFile(file: string): Promise<CredentialsFile> {
  const draft = `${file}.${process.pid}.new`;
  const cannot = (reason: string) => new Complaint(`Cannot write ${file} (${reason}): choose another file with --credentials-file.`);
  if ((await stat(file).catch(() => undefined))?.isDirectory()) throw cannot('it is a folder');
  const handle = await open(draft, 'w', 0o600).catch((error: NodeJS.ErrnoException) => {
    throw cannot(error.code === 'ENOENT' ? 'its folder does not exist' : (error.code ?? error.message));
  });
  return {
    async write(credential) {
      await handle.writeFile(`${JSON.stringify(credential, null, 2)}\n`);
      await handle.sync();
      await rename(draft, file);
    },
    async discard() {
      await handle.close();
      await rm(draft, { force: true });
    },
  };
}
