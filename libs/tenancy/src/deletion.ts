import { audit, type Actor } from '@latchkey/access';
import { deleteContent, type Address, type Caller, type ContentEntity, type DeletionWish, type EndedUser } from '@latchkey/content';
import { announced, endApiKeys, recordCutoff, type PendingCutoff } from '@latchkey/credentials';
import type { EntityManager } from '@latchkey/database';
import { announce } from '@latchkey/jobs';

/**
 * Deletes a content and all that is below it: into the trash, or for good. Tokens, sessions and API keys of the users among it
 * end, with audit and event. The caller has authorised the actor, and confirms the cut-offs after the commit.
 *
 * @throws as `deleteContent`.
 */
export async function deleteWithPeople(
  tx: EntityManager,
  actor: Actor,
  caller: Caller,
  address: Address,
  wish: DeletionWish = {},
): Promise<{ node: ContentEntity; cutoffs: PendingCutoff[] }> {
  const { node, endedUsers } = await deleteContent(tx, caller, address, wish);
  const cutoffs: PendingCutoff[] = [];
  for (const user of endedUsers) cutoffs.push(...(await endUser(tx, actor, caller, user)));
  return { node, cutoffs };
}

/** The cut-offs of one user: of its sign-in first, then of its API keys if it has any. */
async function endUser(
  tx: EntityManager,
  actor: Actor,
  { tenantId, repositoryId }: Caller,
  { id: userId, generation }: EndedUser,
): Promise<PendingCutoff[]> {
  const home = { id: repositoryId, tenantId };
  const cutoff = await recordCutoff(tx, home, { kind: 'user.deleted', userId, ended: { belowGeneration: generation } });
  const keys = await endApiKeys(tx, actor, { tenantId, repositoryId, userId });
  const details = { cutoffId: cutoff.id };
  await audit(tx, actor, { action: 'user.deleted', repositoryId, targetKind: 'user', targetId: String(userId), details });
  await announce(tx, tenantId, 'user.deleted', { repositoryId, userId, ...announced(cutoff) });
  return keys ? [cutoff, keys] : [cutoff];
}
