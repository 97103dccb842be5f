import type { Call } from '@latchkey/access';
import { confirmCutoff, recordCutoff, tellOfEnd, type EndedSession, type KnownRepository, type PendingCutoff } from '@latchkey/credentials';
import { IdentityLink, Passkey, RepositoryUser, type Database, type EntityManager } from '@latchkey/database';
import { carryOutOwn } from './own-act.js';

/** With whom a person may sign in. */
export interface KnownLink {
  providerId: string;
  providerName: string;
  since: Date;
  /** They could not sign in any more without it. */
  needed: boolean;
}

/** The identity providers with which a person is connected, in the order in which they were. */
export async function listLinks(database: Database, repository: KnownRepository, userId: number): Promise<KnownLink[]> {
  return database.read({ repositoryId: repository.id }, async (tx) => {
    const [links, others] = [await linksOf(tx, repository.id, userId), await hasOtherWay(tx, repository.id, userId)];
    return links.map((link) => ({ ...link, needed: !others && !links.some((each) => each.enabled && each !== link) }));
  });
}

/**
 * Disconnects a person from an identity provider, and ends what they had from it: sessions, grants and tokens, by a cut-off.
 *
 * @returns false when they could not sign in any more without it; nothing happens then.
 */
export async function endLink(
  database: Database,
  repository: KnownRepository,
  { userId, providerId }: { userId: number; providerId: string },
  call: Call,
): Promise<boolean> {
  const { id: repositoryId } = repository;
  const { done, cutoff } = await carryOutOwn<{ done: boolean; cutoff?: PendingCutoff }>(
    database,
    repository,
    { userId, call },
    async (tx) => {
      // Held, so that of two that are disconnected at once one stays.
      await tx.findOneOrFail(RepositoryUser, { where: { repositoryId, id: userId }, lock: { mode: 'pessimistic_write' } });
      const links = await linksOf(tx, repositoryId, userId);
      if (!links.some((link) => link.providerId === providerId)) return { answer: { done: true } };
      const others = links.some((link) => link.enabled && link.providerId !== providerId);
      if (!others && !(await hasOtherWay(tx, repositoryId, userId))) return { answer: { done: false } };
      await tx.delete(IdentityLink, { repositoryId, providerId, userId });
      const [ended] = await tx.query<[(EndedSession & { kind: string; id: string })[], number]>(
        `DELETE FROM oidc_records WHERE repository_id = $1 AND user_id = $2 AND identity_provider_id = $3
       RETURNING kind, id, user_id AS "userId", payload`,
        [repositoryId, userId, providerId],
      );
      await tellOfEnd(
        tx,
        repository,
        ended.filter(({ kind }) => kind === 'Session'),
      );
      const grants = ended.filter(({ kind }) => kind === 'Grant').map(({ id }) => ({ id, userId }));
      const cutoff = await recordCutoff(tx, repository, { kind: 'user.unlinked', userId, ended: { grants } });
      return { answer: { done: true, cutoff }, deed: { verb: 'unlinked', details: { providerId, cutoffId: cutoff.id } } };
    },
  );
  if (cutoff) await confirmCutoff(database, { tenantId: repository.tenantId, repositoryId }, cutoff);
  return done;
}

type LinkRow = Omit<KnownLink, 'needed'> & { enabled: boolean };

async function linksOf(tx: EntityManager, repositoryId: string, userId: number): Promise<LinkRow[]> {
  return tx.query<LinkRow[]>(
    `SELECT DISTINCT ON (l.provider_id) l.provider_id AS "providerId", p.name AS "providerName", l.created_at AS since, p.enabled
     FROM identity_links l JOIN identity_providers p ON p.repository_id = l.repository_id AND p.id = l.provider_id
     WHERE l.repository_id = $1 AND l.user_id = $2 ORDER BY l.provider_id, l.created_at`,
    [repositoryId, userId],
  );
}

/** A password, or a passkey, which is enough alone. */
async function hasOtherWay(tx: EntityManager, repositoryId: string, userId: number): Promise<boolean> {
  const user = await tx.findOneBy(RepositoryUser, { repositoryId, id: userId });
  return Boolean(user?.passwordHash) || (await tx.existsBy(Passkey, { repositoryId, userId }));
}
