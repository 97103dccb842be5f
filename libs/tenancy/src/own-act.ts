import type { Call } from '@latchkey/access';
import type { KnownRepository } from '@latchkey/credentials';
import type { Database, EntityManager } from '@latchkey/database';
import type { MailData } from '@latchkey/jobs';
import { consoleSlug } from './installation.js';
import { membershipsIn, writeOwnDeed, type Membership } from './own-deeds.js';

/** A person who acts on their own account at an authority. */
export interface OwnAct {
  call: Call;
  /** Of the mails that come of it. */
  language: MailData<'person.verify-email'>['language'];
}

/** What they did: a verb, such as `password-changed`. */
export interface OwnDeed {
  verb: string;
  details?: Record<string, unknown>;
}

/**
 * Runs what a person does to their own account in one transaction of their repository, and writes it down in the same: at the
 * console in the audit trail of every tenant that they are a member of, elsewhere in that of the repository's tenant.
 */
export async function carryOutOwn<T>(
  database: Database,
  repository: KnownRepository,
  { userId, call }: { userId: number; call: Call },
  work: (tx: EntityManager) => Promise<{ answer: T; deed?: OwnDeed }>,
): Promise<T> {
  const memberships = repository.slug === consoleSlug ? await membershipsOf(database, repository.id, userId) : [];
  return database.transaction({ tenantId: repository.tenantId, repositoryId: repository.id }, async (tx) => {
    const { answer, deed } = await work(tx);
    // The last thing, since at the console the transaction may be another tenant's afterwards.
    if (deed) await writeOwnDeed(tx, repository, memberships, { userId, call, ...deed });
    return answer;
  });
}

/** What a user of the console is a member of. */
export async function membershipsOf(database: Database, consoleId: string, userId: number): Promise<Membership[]> {
  return database.read({ repositoryId: consoleId }, (tx) => membershipsIn(tx, consoleId, userId));
}
