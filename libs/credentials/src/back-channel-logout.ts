import { importJWK, SignJWT } from 'jose';
import { Client, newId, Repository, type Database, type EntityManager } from '@latchkey/database';
import { enqueueAll, type JobData } from '@latchkey/jobs';
import { describeFault, post, type AddressTemplate } from '@latchkey/runtime';
import type { KeyRing } from './key-ring.js';
import { SigningKeys } from './signing-key.js';

/*
 * Apps that registered an address for it are told when somebody's session ends (OpenID Connect Back-Channel Logout 1.0).
 * Whatever ends a session asks for it in the same transaction; the worker tells them, and tries again when they do not answer.
 */

/** A session that has ended, as the authority keeps it (`oidc_records`). */
export interface EndedSession {
  userId: number | null;
  payload: {
    /** The issuer at whose address the person signed in; unknown of sessions that are older than this. */
    issuer?: string;
    /** What apps know the session by. */
    authorizations?: Record<string, { sid?: string }>;
  };
}

type Home = Pick<Repository, 'id' | 'tenantId'>;

/** Has the apps told that took part in these sessions, once the transaction commits. */
export async function tellOfEnd(tx: EntityManager, { id: repositoryId, tenantId }: Home, sessions: EndedSession[]): Promise<void> {
  const ended = sessions.flatMap(({ userId, payload: { issuer = null, authorizations = {} } }) =>
    Object.entries(authorizations).flatMap(([clientId, { sid }]) =>
      userId === null || sid === undefined ? [] : [{ tenantId, repositoryId, clientId, userId, sid, issuer }],
    ),
  );
  if (ended.length === 0) return;
  const listening = await tx.query<{ id: string }[]>(
    'SELECT id FROM clients WHERE repository_id = $1 AND id = ANY($2) AND backchannel_logout_uri IS NOT NULL AND deleted_at IS NULL',
    [repositoryId, ended.map(({ clientId }) => clientId)],
  );
  const jobs = ended.filter(({ clientId }) => listening.some(({ id }) => id === clientId));
  if (jobs.length > 0) await enqueueAll(tx, tenantId, 'logout.tell', jobs);
}

/**
 * The same for all sessions of a user that a new generation has just ended.
 *
 * @param keepSession the uid of one that will be taken over into the new generation.
 */
export async function tellOfGeneration(
  tx: EntityManager,
  repository: Home,
  { userId, belowGeneration, keepSession }: { userId: number; belowGeneration: number; keepSession?: string | undefined },
): Promise<void> {
  const sessions = await tx.query<EndedSession[]>(
    `SELECT user_id AS "userId", payload FROM oidc_records
     WHERE repository_id = $1 AND user_id = $2 AND kind = 'Session' AND user_generation = $3 - 1 AND expires_at > now()
       AND uid IS DISTINCT FROM $4`,
    [repository.id, userId, belowGeneration, keepSession ?? null],
  );
  await tellOfEnd(tx, repository, sessions);
}

interface LogoutOptions {
  database: Database;
  /** Opens the keys that sign. */
  encryption: KeyRing;
  authorityUrls: AddressTemplate;
  allowPrivateAddresses: boolean;
}

const timeoutMillis = 10_000;
/** A token is for this one message (§2.4 recommends two minutes at most). */
const lifeSeconds = 120;

/**
 * Tells one app that a session has ended. Nothing is left to do when it has gone, or no longer wants to know.
 *
 * @throws Error when it did not say that it has understood (§2.8); its message names no address that a name resolved to.
 */
export async function sendLogoutToken(
  { database, encryption, authorityUrls, allowPrivateAddresses }: LogoutOptions,
  { tenantId, repositoryId, clientId, userId, sid, issuer }: JobData<'logout.tell'>,
  signal: AbortSignal,
): Promise<void> {
  const [repository, client] = await database.read({ tenantId }, async (tx) => [
    await tx.findOneBy(Repository, { tenantId, id: repositoryId }),
    await tx.findOneBy(Client, { repositoryId, id: clientId }),
  ]);
  if (!repository || !client?.backchannelLogoutUri || client.deletedAt) return;
  const [key] = (await new SigningKeys(database).privateKeys(repository, encryption)).jwks;
  if (!key) return;
  const token = await new SignJWT({ sid, events: { 'http://schemas.openid.net/event/backchannel-logout': {} } })
    .setProtectedHeader({ alg: key.alg, kid: key.kid, typ: 'logout+jwt' })
    .setIssuer(issuer ?? authorityUrls.of(repository.slug))
    .setAudience(clientId)
    .setSubject(String(userId))
    .setJti(newId())
    .setIssuedAt()
    .setExpirationTime(`${lifeSeconds}s`)
    .sign(await importJWK(key as Parameters<typeof importJWK>[0], key.alg));
  const status = await post({
    url: client.backchannelLogoutUri,
    headers: { 'content-type': 'application/x-www-form-urlencoded', 'user-agent': 'Latchkey' },
    body: new URLSearchParams({ logout_token: token }).toString(),
    timeoutMillis,
    signal,
    allowPrivateAddresses,
  }).catch((error: unknown) => {
    throw new Error(describeFault(error));
  });
  if (status !== 200 && status !== 204) throw new Error(`the app answered ${status}`);
}
