import { Problem } from '@latchkey/contracts';
import { audit, type Actor } from '@latchkey/access';
import { isId, type EntityManager } from '@latchkey/database';
import { recordCutoff, type PendingCutoff } from './cutoff.js';

/**
 * How a planned rotation ends before its time: `cancelled`, the newer secret ends now and the earlier one lives on; or
 * `finished`, the earlier one ends now.
 */
export type RotationEnd = 'cancelled' | 'finished';

/** Whose rotation is meant. */
export interface RotationOwner {
  tenantId: string;
  repositoryId: string;
  clientId: string;
}

/** What became of a rotation. */
export interface EndedRotation {
  /** The newer secret: ended if it was cancelled, else the one that is left. */
  secretId: string;
  cutoff: PendingCutoff;
}

/**
 * A rotation is not cancelled so shortly before its time: a node that has seen the earlier secret dead must never see it
 * alive again, however long the commit takes.
 */
const marginSeconds = 10;

/**
 * Ends a planned rotation before its time, in a transaction that holds the client's row, with cut-off and audit. The planned
 * cut-off is withdrawn, and another comes in its place. The event is the caller's, since each kind of client has its own.
 *
 * @param plannedId the cut-off that `regenerate` answered when it planned the rotation. So nobody ends another rotation than
 * the one they have seen.
 * @throws Problem `not-found`; `conflict` when the rotation is over, or nothing of the earlier secret is left.
 */
export async function endRotation(
  tx: EntityManager,
  actor: Actor,
  owner: RotationOwner,
  plannedId: string,
  how: RotationEnd,
): Promise<EndedRotation> {
  const { tenantId, repositoryId, clientId } = owner;
  const planned = await findRotation(tx, owner, plannedId);
  const secretId = planned.successorId;
  const left = how === 'cancelled' ? await keepEarlier(tx, owner, planned) : await endEarlier(tx, owner, planned);
  if (left.length === 0) throw new Problem('conflict', nothingLeft[how]);
  if (how === 'cancelled') await endNow(tx, owner, [secretId]);
  await withdraw(tx, owner, plannedId);
  const ended = { secretVersionIds: how === 'cancelled' ? [secretId] : left };
  const cutoff = await recordCutoff(tx, { id: repositoryId, tenantId }, { kind: `secret.rotation-${how}`, clientId, ended });
  const details = { clientId, cutoffId: cutoff.id, plannedCutoffId: plannedId };
  await audit(tx, actor, { action: `secret.rotation-${how}`, repositoryId, targetKind: 'secret', targetId: secretId, details });
  return { secretId, cutoff };
}

const nothingLeft: Record<RotationEnd, string> = {
  cancelled: `The earlier secret has ended, or will within ${marginSeconds} seconds: there is nothing to go back to.`,
  finished: 'The earlier secret has ended already.',
};

interface PlannedRotation {
  successorId: string;
  versionIds: string[];
}

async function findRotation(tx: EntityManager, { repositoryId, clientId }: RotationOwner, id: string): Promise<PlannedRotation> {
  const [row] = isId(id)
    ? await tx.query<(PlannedRotation & { withdrawn: boolean })[]>(
        `SELECT successor_id AS "successorId", secret_version_ids AS "versionIds", withdrawn_at IS NOT NULL AS withdrawn FROM cutoffs
         WHERE repository_id = $1 AND client_id = $2 AND id = $3 AND successor_id IS NOT NULL`,
        [repositoryId, clientId, id],
      )
    : [];
  if (!row) throw new Problem('not-found', 'There is no such planned rotation.');
  if (row.withdrawn) throw new Problem('conflict', 'The rotation has been cancelled or finished.');
  return row;
}

/** The clock is asked once the client's row is held: whoever waited for it may have waited for long. */
const stillEnding = `ended_at IS NULL AND (expires_at IS NULL OR expires_at > clock_timestamp())
  AND overlap_ends_at > clock_timestamp() + make_interval(secs => $4)`;

/** @returns the versions that live on. */
async function keepEarlier(tx: EntityManager, owner: RotationOwner, { versionIds }: PlannedRotation): Promise<string[]> {
  return change(tx, `SET overlap_ends_at = NULL`, stillEnding, [owner.repositoryId, owner.clientId, versionIds, marginSeconds]);
}

/** @returns the versions that it ended. */
async function endEarlier(tx: EntityManager, owner: RotationOwner, { versionIds }: PlannedRotation): Promise<string[]> {
  return change(tx, `SET ended_at = now()`, stillEnding, [owner.repositoryId, owner.clientId, versionIds, 0]);
}

async function endNow(tx: EntityManager, { repositoryId, clientId }: RotationOwner, versionIds: string[]): Promise<void> {
  await change(tx, `SET ended_at = now()`, 'ended_at IS NULL', [repositoryId, clientId, versionIds]);
}

async function change(tx: EntityManager, assignment: string, condition: string, values: unknown[]): Promise<string[]> {
  const [changed]: [{ id: string }[], number] = await tx.query(
    `UPDATE secret_versions ${assignment} WHERE repository_id = $1 AND client_id = $2 AND id = ANY($3) AND ${condition} RETURNING id`,
    values,
  );
  return changed.map(({ id }) => id);
}

async function withdraw(tx: EntityManager, { repositoryId }: RotationOwner, id: string): Promise<void> {
  const [, withdrawn] = (await tx.query(
    `UPDATE cutoffs SET withdrawn_at = clock_timestamp() WHERE repository_id = $1 AND id = $2 AND effective_at > clock_timestamp()`,
    [repositoryId, id],
  )) as [unknown, number];
  if (withdrawn === 0) throw new Problem('conflict', nothingLeft.finished);
}
