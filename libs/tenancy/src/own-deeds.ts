import { audit, type Call } from '@latchkey/access';
import type { KnownRepository } from '@latchkey/credentials';
import { enterTenant, Member, type EntityManager } from '@latchkey/database';
import { consoleSlug } from './installation.js';

/** What a user of the console is a member of, in a transaction of the console alone. */
export async function membershipsIn(tx: EntityManager, consoleId: string, userId: number): Promise<Membership[]> {
  return tx.find(Member, { select: { tenantId: true, id: true }, where: { repositoryId: consoleId, userId } });
}

export type Membership = Pick<Member, 'tenantId' | 'id'>;

/**
 * Writes down what somebody did to their own account, in the transaction that did it, which is in the scope of the repository
 * and its tenant. At the console they are a member, and every tenant that they are a member of is told; elsewhere they are a
 * user of the repository.
 *
 * The last thing of its transaction: the audit trail is a tenant's, so that afterwards only what is that tenant's is seen.
 *
 * @param deed.verb what they did: it becomes `user.<verb>` or `member.<verb>`.
 */
export async function writeOwnDeed(
  tx: EntityManager,
  repository: KnownRepository,
  memberships: Membership[],
  { userId, verb, details = {}, call }: { userId: number; verb: string; details?: Record<string, unknown>; call: Call },
): Promise<void> {
  if (repository.slug !== consoleSlug) {
    const { tenantId, id: repositoryId } = repository;
    const deed = { action: `user.${verb}`, repositoryId, targetKind: 'user', targetId: String(userId), details };
    return audit(tx, { kind: 'user', tenantId, id: String(userId), call }, deed);
  }
  for (const { tenantId, id } of memberships) {
    await enterTenant(tx, tenantId);
    await audit(tx, { kind: 'member', tenantId, id, call }, { action: `member.${verb}`, targetKind: 'member', targetId: id, details });
  }
}
