import { OidcRecord } from '@latchkey/database';
import type { SignedIn } from '@latchkey/credentials';
import type { Visit } from './visit.js';

/*
 * Where somebody is on the way to being signed in. It lies in the database, under the name of the app's request that this
 * browser's signed cookie holds, so that no address and no form can say that a step was taken which was not; and it is bound
 * to the user's generation, so that a changed password or a disabled user ends it.
 */

/** What a browser has proved already, and what it is to do next. */
export interface SignInStep extends SignedIn {
  /** How (RFC 8176). */
  amr: string[];
  /** `prove` a factor that there is, `enrol` one, or `keep` the recovery codes: everything is proved then. */
  next: 'prove' | 'enrol' | 'keep';
  /** The secret that an authenticator app is to learn, encrypted. */
  proposal?: { keyId: string; sealed: string };
}

const stepSeconds = { prove: 5 * 60, enrol: 10 * 60, keep: 10 * 60 };
const challengeSeconds = 15 * 60;
const arrivalSeconds = 10 * 60;

const step = 'SignInStep';
const challenge = 'PasskeyChallenge';
const arrival = 'Arrival';

/** Notes where somebody is. What was noted before under this name is gone. */
export async function writeStep(visit: Visit, name: string, { userId, generation, ...payload }: SignInStep): Promise<void> {
  await write(visit, step, name, payload, stepSeconds[payload.next], { userId, userGeneration: generation });
}

/** Where this browser is; nothing when it has proved nothing yet, took too long, or what it proved holds no longer. */
export async function readStep(visit: Visit, name: string): Promise<SignInStep | undefined> {
  const row = await read(visit, step, name);
  return row && { ...(row.payload as Omit<SignInStep, keyof SignedIn>), ...row.person };
}

/** Ends it. @returns false when it has ended already, so that of two that finish at once one does. */
export async function endStep(visit: Visit, name: string): Promise<boolean> {
  return (await take(visit, step, name)) !== undefined;
}

/** Remembers a challenge that a passkey is to answer, in place of the one before. */
export async function writeChallenge(visit: Visit, name: string, value: string): Promise<void> {
  await write(visit, challenge, name, { value }, challengeSeconds);
}

/** The challenge, once. */
export async function takeChallenge(visit: Visit, name: string): Promise<string | undefined> {
  return (await take(visit, challenge, name))?.['value'] as string | undefined;
}

/** Notes that whoever has the name has just made an account, so that nothing is asked of them when they sign in to an app next. */
export async function writeArrival(visit: Visit, name: string, { userId, generation }: SignedIn): Promise<void> {
  await write(visit, arrival, name, {}, arrivalSeconds, { userId, userGeneration: generation });
}

/** Who it was, once. */
export async function takeArrival(visit: Visit, name: string): Promise<SignedIn | undefined> {
  const row = await read(visit, arrival, name);
  return row && (await take(visit, arrival, name)) ? row.person : undefined;
}

async function read(visit: Visit, kind: string, name: string): Promise<{ payload: Record<string, unknown>; person: SignedIn } | undefined> {
  const { id: repositoryId } = visit.issuer.repository;
  const row = await visit.authority.database.read({ repositoryId }, (tx) =>
    tx
      .createQueryBuilder(OidcRecord, 'o')
      .innerJoin('repository_users', 'u', 'u.repository_id = o.repository_id AND u.id = o.user_id')
      .where('o.repositoryId = :repositoryId AND o.kind = :kind AND o.id = :name', { repositoryId, kind, name })
      .andWhere('o.expiresAt > now() AND u.enabled AND o.userGeneration = u.generation')
      .getOne(),
  );
  if (!row || row.userId === null || row.userGeneration === null) return undefined;
  return { payload: row.payload, person: { userId: row.userId, generation: row.userGeneration } };
}

async function write(
  { authority, issuer: { repository } }: Visit,
  kind: string,
  id: string,
  payload: object,
  seconds: number,
  person: { userId: number; userGeneration: number } | { userId: null; userGeneration: null } = { userId: null, userGeneration: null },
): Promise<void> {
  const expiresAt = new Date(Date.now() + seconds * 1000);
  const row = { repositoryId: repository.id, kind, id, payload, expiresAt, ...person };
  await authority.database.transaction({ repositoryId: repository.id }, (tx) => tx.upsert(OidcRecord, row, ['repositoryId', 'kind', 'id']));
}

async function take({ authority, issuer: { repository } }: Visit, kind: string, id: string): Promise<Record<string, unknown> | undefined> {
  const [rows] = await authority.database.transaction({ repositoryId: repository.id }, (tx) =>
    tx.query<[{ payload: Record<string, unknown> }[], number]>(
      'DELETE FROM oidc_records WHERE repository_id = $1 AND kind = $2 AND id = $3 AND expires_at > now() RETURNING payload',
      [repository.id, kind, id],
    ),
  );
  return rows[0]?.payload;
}
