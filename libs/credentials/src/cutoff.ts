import type { CutoffView } from '@latchkey/contracts';
import { carryOut, type Actor } from '@latchkey/access';
import { newId, prepared, type Database, type EntityManager, type Scope } from '@latchkey/database';
import { tellOfGeneration } from './back-channel-logout.js';

/** The channel on which every node is told of a cut-off: `<repository id> <cut-off id>`. */
export const cutoffChannel = 'cutoff';

/**
 * What a cut-off ends, as exactly as a check can ask for it: versions of the client's secret, API keys, grants, or
 * everything that is bound to a generation below this one (the user's if one is named, else the client's if one is, else the repository's).
 */
export type Ended =
  | { secretVersionIds: string[] }
  | { apiKeyIds: string[] }
  | { grants: { id: string; userId: number }[] }
  | { belowGeneration: number };

/** Of very many grants, nodes are asked about so many. */
const grantsAskedFor = 1_000;

/** A cut-off to be written down. */
export interface CutoffRecord {
  /** What it will be known by; a fresh id if absent. */
  id?: string;
  /** Noun and verb, such as `secret.regenerated`. */
  kind: string;
  clientId?: string | undefined;
  userId?: number | undefined;
  ended: Ended;
  /** How long from the start of the transaction what is ended goes on working, in a planned rotation. */
  afterSeconds?: number;
  /** Of a planned rotation: the secret version that it goes over to. */
  successorId?: string | undefined;
  /** Of a user's: the uid of the session that goes on. */
  keepSession?: string | undefined;
}

/** A cut-off that is part of a transaction that has not committed yet. */
export interface PendingCutoff {
  id: string;
  /** When a planned rotation will end the earlier secret. */
  plannedFor: Date | null;
}

/**
 * Writes down, in the transaction that ends a credential, that it does, and what it ends. Apps in which a user's sessions were
 * used are told that these have ended.
 */
export async function recordCutoff(
  tx: EntityManager,
  repository: { id: string; tenantId: string },
  { id = newId(), kind, clientId, userId, ended, afterSeconds = 0, successorId, keepSession }: CutoffRecord,
): Promise<PendingCutoff> {
  const grants = 'grants' in ended ? ended.grants.slice(0, grantsAskedFor) : undefined;
  // The time comes from the clock by which the secret itself will end.
  const [row] = await prepared<{ effective_at: Date | null }>(
    tx,
    `WITH recorded AS (
       INSERT INTO cutoffs (repository_id, id, tenant_id, kind, client_id, user_id, secret_version_ids, api_key_ids, below_generation, successor_id, grant_ids, grant_user_ids, effective_at)
       VALUES ($1::uuid, $2::uuid, $3, $4, $5, $6, $7, $8, $9, $11, $12, $13, CASE WHEN $10::integer > 0 THEN now() + make_interval(secs => $10::integer) END)
       RETURNING effective_at)
     SELECT effective_at, CASE WHEN effective_at IS NOT NULL THEN pg_notify('${cutoffChannel}', $1::text || ' ' || $2::text) END FROM recorded`,
    [
      repository.id,
      id,
      repository.tenantId,
      kind,
      clientId ?? null,
      userId ?? null,
      'secretVersionIds' in ended ? ended.secretVersionIds : null,
      'apiKeyIds' in ended ? ended.apiKeyIds : null,
      'belowGeneration' in ended ? ended.belowGeneration : null,
      afterSeconds,
      successorId ?? null,
      grants?.map(({ id: grantId }) => grantId) ?? null,
      grants?.map((grant) => grant.userId) ?? null,
    ],
  );
  if (userId !== undefined && 'belowGeneration' in ended) await tellOfGeneration(tx, repository, { userId, keepSession, ...ended });
  return { id, plannedFor: row?.effective_at ?? null };
}

/** How an event names the cut-off that goes with it. */
export function announced(cutoff: PendingCutoff): { cutoffId: string; plannedFor: string | null } {
  return { cutoffId: cutoff.id, plannedFor: cutoff.plannedFor?.toISOString() ?? null };
}

/**
 * After the commit: notes the time from which no node accepts what was ended, and tells the nodes, so that each reports
 * (see `proof.ts`). The time is taken after the transaction was durable, so it is never earlier than the truth; a cut-off
 * without one was cut short before its caller was answered.
 *
 * This write does not wait for the disk: losing it loses a time, not a cut-off. The nodes are told here and not in the
 * transaction itself, because PostgreSQL lets one transaction at a time commit that announces something, and that one would
 * be waiting for the disk. Of planned rotations, which are few, they are told there.
 */
export async function confirmCutoff(database: Database, scope: Scope & object, cutoff: PendingCutoff): Promise<CutoffView> {
  if (cutoff.plannedFor) return { id: cutoff.id, effectiveAt: cutoff.plannedFor.toISOString() };
  const [row] = await database.statement<{ effective_at: Date }>(
    scope,
    `WITH quick AS (SELECT set_config('synchronous_commit', 'off', true))
     UPDATE cutoffs SET effective_at = coalesce(effective_at, clock_timestamp()) FROM quick
     WHERE id = $1 AND repository_id = current_repository()
     RETURNING effective_at, pg_notify('${cutoffChannel}', repository_id || ' ' || id)`,
    [cutoff.id],
  );
  if (!row) throw new Error('the cut-off is not of the repository in scope');
  return { id: cutoff.id, effectiveAt: row.effective_at.toISOString() };
}

/** What a change came to that may have ended something in a repository; all else of it is the answer. */
interface Ending {
  repositoryId: string;
  cutoff: PendingCutoff | null | undefined;
}

/** The answer, with the cut-off that is in force now. */
type Confirmed<T extends Ending> = Omit<T, keyof Ending> & { cutoff: CutoffView | Exclude<T['cutoff'], PendingCutoff> };

/** `carryOut` of a change that ends something: when it resolves, nothing accepts what was ended. */
export async function carryOutCutoff<T extends Ending>(
  database: Database,
  actor: Actor,
  work: (tx: EntityManager) => Promise<T>,
  options?: { answerIsSecret: boolean },
): Promise<Confirmed<T>> {
  const { repositoryId, cutoff, ...answer } = await carryOut(database, actor, work, options);
  const confirmed = cutoff && (await confirmCutoff(database, { tenantId: actor.tenantId, repositoryId }, cutoff));
  return { ...answer, cutoff: confirmed } as Confirmed<T>;
}
