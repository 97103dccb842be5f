import { OidcRecord } from '@latchkey/database';
import type { Errand } from '../federation/outside-provider.js';
import type { Visit } from './visit.js';

/*
 * What is remembered of somebody who signs in with others. It lies in the database, under the name of the app's request that
 * this browser's signed cookie holds: another browser finds nothing, and no address or form can say otherwise.
 */

interface Memories {
  /** Sent to a provider, and not back yet. */
  errand: Errand & { providerId: string };
  /** Came back, and has proved who they are there. */
  identity: {
    providerId: string;
    providerName: string;
    subject: string;
    email: string | undefined;
    /** Who they are here, */
    userId: number;
    /** or, if this is set, who they say to be and prove by signing in. */
    connect: boolean;
  };
}

const kinds: Record<keyof Memories, { kind: string; seconds: number }> = {
  errand: { kind: 'FederationErrand', seconds: 15 * 60 },
  identity: { kind: 'FederatedIdentity', seconds: 30 * 60 },
};

/** Remembers something for a while, instead of what was remembered before. */
export async function remember<M extends keyof Memories>(visit: Visit, memory: M, uid: string, value: Memories[M]): Promise<void> {
  const { kind, seconds } = kinds[memory];
  const { id: repositoryId } = visit.issuer.repository;
  const row = { repositoryId, kind, id: uid, payload: value as object, expiresAt: new Date(Date.now() + seconds * 1000) };
  await visit.authority.database.transaction({ repositoryId }, (tx) => tx.upsert(OidcRecord, row, ['repositoryId', 'kind', 'id']));
}

export async function recall<M extends keyof Memories>(visit: Visit, memory: M, uid: string): Promise<Memories[M] | undefined> {
  const { id: repositoryId } = visit.issuer.repository;
  const row = await visit.authority.database.read({ repositoryId }, (tx) =>
    tx
      .createQueryBuilder(OidcRecord, 'o')
      .where('o.repositoryId = :repositoryId AND o.kind = :kind AND o.id = :uid', { repositoryId, kind: kinds[memory].kind, uid })
      .andWhere('o.expiresAt > now()')
      .getOne(),
  );
  return row?.payload as Memories[M] | undefined;
}

/** What is remembered, once: of two that ask at the same time one gets it. */
export async function take<M extends keyof Memories>(visit: Visit, memory: M, uid: string): Promise<Memories[M] | undefined> {
  const { id: repositoryId } = visit.issuer.repository;
  const [rows] = await visit.authority.database.transaction({ repositoryId }, (tx) =>
    tx.query<[{ payload: unknown }[], number]>(
      'DELETE FROM oidc_records WHERE repository_id = $1 AND kind = $2 AND id = $3 AND expires_at > now() RETURNING payload',
      [repositoryId, kinds[memory].kind, uid],
    ),
  );
  return rows[0]?.payload as Memories[M] | undefined;
}

export async function forget(visit: Visit, memory: keyof Memories, uid: string): Promise<void> {
  await take(visit, memory, uid);
}
