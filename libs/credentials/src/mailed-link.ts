import { timingSafeEqual } from 'node:crypto';
import { MailedLink, newId, type EntityManager } from '@latchkey/database';
import type { KeyRing } from './key-ring.js';

/** 160 bits, which nobody guesses at a server that answers. */
const macBytes = 20;

/** How a token looks: the id of its row and a MAC, in hexadecimal. */
const shape = /^([0-9a-f]{32})([0-9a-f]{40})$/;

/** What a link is for and how long it works, in seconds. */
const lives = { invitation: 7 * 86_400, 'verify-email': 86_400, 'new-password': 1_800, 'sign-up': 86_400 } as const;
export type LinkPurpose = keyof typeof lives;

export interface LinkOrder {
  repositoryId: string;
  tenantId: string;
  purpose: LinkPurpose;
  /** Where it will be sent; opening the link proves that its reader reads what is sent there. */
  address: string;
  /** Whose account it is about, and the generation from which on the link is dead if it is raised. */
  user?: { id: number; generation: number };
  /** Of an invitation: which one it takes up. */
  invitationId?: string;
}

/**
 * Decides on a link that a mail will carry. What is written down cannot be presented: the token is a MAC of the row under a
 * server key, computed by the worker as it sends the mail (`linkToken`) and by the authority when the link is opened.
 *
 * @returns the id of the row, for the mail.
 */
export async function orderLink(tx: EntityManager, peppers: KeyRing, { user, invitationId, ...order }: LinkOrder): Promise<string> {
  const id = newId();
  await tx.insert(MailedLink, {
    ...order,
    id,
    userId: user?.id ?? null,
    userGeneration: user?.generation ?? null,
    invitationId: invitationId ?? null,
    keyId: peppers.currentId,
    expiresAt: new Date(Date.now() + lives[order.purpose] * 1000),
  });
  return id;
}

/** The part of a link that opens it. The same for the same row: a mail that is sent twice says the same. @throws if the key is gone. */
export function linkToken(peppers: KeyRing, link: LinkRow): string {
  return link.id.replaceAll('-', '') + mac(peppers, link).toString('hex');
}

type LinkRow = Pick<MailedLink, 'repositoryId' | 'id' | 'purpose' | 'userId' | 'address' | 'keyId'>;

/** Whatever the row says is under the MAC, so that who can write rows cannot turn a link into another. */
function mac(peppers: KeyRing, { repositoryId, id, purpose, userId, address, keyId }: LinkRow): Buffer {
  const text = ['mailed link', repositoryId, id, purpose, userId ?? '', address].join('\n');
  return peppers.mac(text, keyId).subarray(0, macBytes);
}

/**
 * The link that a token opens at a repository, or nothing when it was used, has run out, was made worthless by a change of
 * the account since, or never was one for this purpose. One statement by primary key.
 *
 * @param lock holds the row, so that of two who present it at once one finds it used.
 */
export async function findLink(
  tx: EntityManager,
  peppers: KeyRing,
  repositoryId: string,
  purpose: LinkPurpose,
  token: string,
  { lock = false } = {},
): Promise<MailedLink | undefined> {
  const [, id, presented] = shape.exec(token) ?? [];
  if (!id || !presented) return undefined;
  const query = tx
    .createQueryBuilder(MailedLink, 'l')
    .where('l.repositoryId = :repositoryId AND l.id = :id AND l.purpose = :purpose', { repositoryId, id, purpose })
    .andWhere('l.usedAt IS NULL AND l.expiresAt > now()')
    .andWhere(
      `(l.userId IS NULL OR EXISTS (SELECT FROM repository_users u WHERE u.repository_id = l.repository_id AND u.id = l.user_id
         AND u.enabled AND u.generation = coalesce(l.user_generation, u.generation)
         -- Whoever reads what is sent to an earlier address sets no password any more.
         AND (l.purpose <> 'new-password' OR u.email = l.address)))`,
    );
  const link = await (lock ? query.setLock('pessimistic_write') : query).getOne();
  // A key that was taken out of the ring takes its links with it.
  if (!link || !peppers.ids.includes(link.keyId)) return undefined;
  return timingSafeEqual(Buffer.from(presented, 'hex'), mac(peppers, link)) ? link : undefined;
}

/** A link works once. */
export async function useLink(tx: EntityManager, { repositoryId, id }: MailedLink): Promise<void> {
  await tx.query('UPDATE mailed_links SET used_at = now() WHERE repository_id = $1 AND id = $2', [repositoryId, id]);
}
