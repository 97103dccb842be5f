import { deleteContent, type Address, type ContentEntity, type DeletionWish, type EndedUser } from '@latchkey/content';
import { audit } from '@latchkey/access';
import { announced, endApiKeys, recordCutoff, type PendingCutoff } from '@latchkey/credentials';
import type { EntityManager } from '@latchkey/database';
import { announce } from '@latchkey/jobs';
import type { ContentRequest } from './request.js';

/**
 * Deletes a content and all that is below it: into the trash, or for good. When it resolves, no node accepts a token, session
 * or API key of a user that was among it.
 */
export async function deleteNode(request: ContentRequest, address: Address, wish: DeletionWish = {}): Promise<ContentEntity> {
  const { node, cutoffs } = await request.write(async (tx) => {
    const deletion = await deleteContent(tx, request.caller, address, wish);
    const ended: PendingCutoff[] = [];
    for (const user of deletion.endedUsers) ended.push(...(await endUser(tx, request, user)));
    return { node: deletion.node, cutoffs: ended };
  });
  for (const cutoff of cutoffs) await request.confirm(cutoff);
  return node;
}

/** The cut-off of one user's sign-in, with its audit trail and event. */
async function endUser(tx: EntityManager, request: ContentRequest, { id, generation }: EndedUser): Promise<PendingCutoff[]> {
  const { repository, actor } = request;
  const { tenantId } = repository;
  const cutoff = await recordCutoff(tx, repository, { kind: 'user.deleted', userId: id, ended: { belowGeneration: generation } });
  const keys = await endApiKeys(tx, actor, { tenantId, repositoryId: repository.id, userId: id });
  const details = { cutoffId: cutoff.id };
  await audit(tx, actor, { action: 'user.deleted', repositoryId: repository.id, targetKind: 'user', targetId: String(id), details });
  await announce(tx, tenantId, 'user.deleted', { repositoryId: repository.id, userId: id, ...announced(cutoff) });
  return keys ? [cutoff, keys] : [cutoff];
}

/** `true` in any of the forms in which clients send it. */
export function readPermanent(value: unknown): boolean {
  return value === true || (typeof value === 'string' && value.toLowerCase() === 'true');
}
