import type { CutoffView } from '@latchkey/contracts';
import { Cutoff, newId, type Database, type EntityManager, type Scope } from '@latchkey/database';

/** A cut-off that is part of a transaction that has not committed yet. */
export interface PendingCutoff {
  id: string;
  /** When a planned rotation will end the earlier secret. */
  plannedFor: Date | null;
}

/** Writes down, in the transaction that ends a credential, that it does. */
export async function recordCutoff(
  tx: EntityManager,
  repository: { id: string; tenantId: string },
  {
    kind,
    clientId = null,
    userId = null,
    afterSeconds = 0,
  }: { kind: string; clientId?: string | null; userId?: number | null; afterSeconds?: number },
): Promise<PendingCutoff> {
  const plannedFor = afterSeconds > 0 ? new Date(Date.now() + afterSeconds * 1000) : null;
  const id = newId();
  await tx.insert(Cutoff, {
    repositoryId: repository.id,
    id,
    tenantId: repository.tenantId,
    kind,
    clientId,
    userId,
    effectiveAt: plannedFor,
  });
  return { id, plannedFor };
}

/** How an event names the cut-off that goes with it. */
export function announced(cutoff: PendingCutoff): { cutoffId: string; plannedFor: string | null } {
  return { cutoffId: cutoff.id, plannedFor: cutoff.plannedFor?.toISOString() ?? null };
}

/**
 * After the commit: notes the time from which no node accepts what was ended. It is taken after the transaction was
 * durable, so it is never earlier than the truth; a cut-off without one was cut short before its caller was answered.
 *
 * This write does not wait for the disk: losing it loses a time, not a cut-off.
 */
export async function confirmCutoff(database: Database, scope: Scope & object, cutoff: PendingCutoff): Promise<CutoffView> {
  if (cutoff.plannedFor) return { id: cutoff.id, effectiveAt: cutoff.plannedFor.toISOString() };
  return database.transaction(scope, async (tx) => {
    const [[row]] = (await tx.query(
      `WITH quick AS (SELECT set_config('synchronous_commit', 'off', true))
       UPDATE cutoffs SET effective_at = coalesce(effective_at, clock_timestamp()) FROM quick
       WHERE id = $1 AND repository_id = current_repository() RETURNING effective_at`,
      [cutoff.id],
    )) as [[{ effective_at: Date }]];
    return { id: cutoff.id, effectiveAt: row.effective_at.toISOString() };
  });
}
