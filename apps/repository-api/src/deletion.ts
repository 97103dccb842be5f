import type { Address, ContentEntity, DeletionWish } from '@latchkey/content';
import { deleteWithPeople } from '@latchkey/tenancy';
import type { ContentRequest } from './request.js';

/**
 * Deletes a content and all that is below it: into the trash, or for good. When it resolves, no node accepts a token, session
 * or API key of a user that was among it.
 */
export async function deleteNode(request: ContentRequest, address: Address, wish: DeletionWish = {}): Promise<ContentEntity> {
  const { node, cutoffs } = await request.write((tx) => deleteWithPeople(tx, request.actor, request.caller, address, wish));
  for (const cutoff of cutoffs) await request.confirm(cutoff);
  return node;
}

/** `true` in any of the forms in which clients send it. */
export function readPermanent(value: unknown): boolean {
  return value === true || (typeof value === 'string' && value.toLowerCase() === 'true');
}
