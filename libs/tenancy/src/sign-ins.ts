import type { Call } from '@latchkey/access';
import type { KnownRepository } from '@latchkey/credentials';
import type { Database } from '@latchkey/database';
import { carryOutOwn } from './own-act.js';

/**
 * Writes down that a person signed in. At the console they did so as a member, and every tenant that they are a member of is
 * told; elsewhere as a user of the repository. Resolves when it is written, so that nobody gets in unseen.
 */
export async function recordSignIn(database: Database, repository: KnownRepository, userId: number, call: Call): Promise<void> {
  await carryOutOwn(database, repository, { userId, call }, async () => ({ answer: undefined, deed: { verb: 'signed-in' } }));
}
