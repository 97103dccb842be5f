import { audit, type Call } from '@latchkey/access';
import type { KnownRepository } from '@latchkey/credentials';
import { Member, type Database } from '@latchkey/database';
import { consoleSlug } from './installation.js';

/**
 * Writes down that a person signed in. At the console they did so as a member, and every tenant that they are a member of is
 * told; elsewhere as a user of the repository. Resolves when it is written, so that nobody gets in unseen.
 */
export async function recordSignIn(database: Database, repository: KnownRepository, userId: number, call: Call): Promise<void> {
  if (repository.slug !== consoleSlug) {
    const { tenantId, id: repositoryId } = repository;
    const deed = { action: 'user.signed-in', repositoryId, targetKind: 'user', targetId: String(userId) };
    await database.transaction({ tenantId, repositoryId }, (tx) => audit(tx, { kind: 'user', tenantId, id: String(userId), call }, deed));
    return;
  }
  for (const { tenantId, id } of await membershipsOf(database, repository.id, userId)) {
    const deed = { action: 'member.signed-in', targetKind: 'member', targetId: id };
    await database.transaction({ tenantId }, (tx) => audit(tx, { kind: 'member', tenantId, id, call }, deed));
  }
}

/** What a user of the console is a member of. */
export async function membershipsOf(database: Database, consoleId: string, userId: number): Promise<Pick<Member, 'tenantId' | 'id'>[]> {
  return database.read({ repositoryId: consoleId }, (tx) =>
    tx.find(Member, { select: { tenantId: true, id: true }, where: { repositoryId: consoleId, userId } }),
  );
}
