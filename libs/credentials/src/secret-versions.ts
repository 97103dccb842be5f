import type { SecretView } from '@latchkey/contracts';
import type { EntityManager, SecretVersion } from '@latchkey/database';

/** A version that works now, in SQL, as the index `secret_versions_live` has it. */
export const aliveNow = `ended_at IS NULL AND coalesce(least(expires_at, overlap_ends_at), 'infinity') > now()`;

type ListedVersion = Omit<SecretVersion, 'hash' | 'pepperId'> & { lastUsedAt: Date | null; cutoffId: string | null };

const listed = `SELECT v.client_id AS "clientId", v.id, v.hint, v.created_at AS "createdAt", v.expires_at AS "expiresAt",
  v.overlap_ends_at AS "overlapEndsAt", v.ended_at AS "endedAt",
  (SELECT max(u.last_used_at) FROM credential_uses u WHERE u.repository_id = v.repository_id AND u.credential_id = v.client_id
     AND u.version_id = v.id AND u.outcome = 'accepted') AS "lastUsedAt",
  CASE WHEN v.overlap_ends_at IS NOT NULL AND v.ended_at IS NULL THEN (
    SELECT c.id FROM cutoffs c WHERE c.repository_id = v.repository_id AND c.client_id = v.client_id AND c.successor_id IS NOT NULL
      AND c.withdrawn_at IS NULL AND c.effective_at > now() AND v.id = ANY (c.secret_version_ids) LIMIT 1) END AS "cutoffId"
  FROM secret_versions v`;

/** The secrets of a client, without their values: those that work, and the latest 100 of all. The latest comes first. */
export async function listSecrets(tx: EntityManager, repositoryId: string, clientId: string): Promise<SecretView[]> {
  const rows: ListedVersion[] = await tx.query(
    `WITH shown AS (
       SELECT id FROM secret_versions WHERE repository_id = $1 AND client_id = $2 AND ${aliveNow}
       UNION (SELECT id FROM secret_versions WHERE repository_id = $1 AND client_id = $2 ORDER BY id DESC LIMIT 100))
     ${listed} WHERE v.repository_id = $1 AND v.client_id = $2 AND v.id = ANY (ARRAY(SELECT id FROM shown)) ORDER BY v.created_at DESC, v.id DESC`,
    [repositoryId, clientId],
  );
  const now = new Date();
  return rows.map((row) => present(row, now));
}

/** The secrets of some clients of one repository that work now, by client ID, the latest first, without their values. */
export async function liveSecrets(tx: EntityManager, repositoryId: string, clientIds: string[]): Promise<Map<string, SecretView[]>> {
  const rows: ListedVersion[] = await tx.query(
    `${listed} WHERE v.repository_id = $1 AND v.client_id = ANY($2) AND ${aliveNow} ORDER BY v.created_at DESC, v.id DESC`,
    [repositoryId, clientIds],
  );
  const now = new Date();
  const byClient = Map.groupBy(rows, ({ clientId }) => clientId);
  return new Map([...byClient].map(([clientId, own]) => [clientId, own.map((row) => present(row, now))]));
}

function present(row: ListedVersion, now: Date): SecretView {
  const isPast = (date: Date | null) => date !== null && date <= now;
  const endedAt = row.endedAt ?? (isPast(row.overlapEndsAt) ? row.overlapEndsAt : null);
  return {
    id: row.id,
    hint: row.hint,
    createdAt: row.createdAt.toISOString(),
    expiresAt: earlier(row.expiresAt, row.overlapEndsAt)?.toISOString() ?? null,
    lastUsedAt: row.lastUsedAt?.toISOString() ?? null,
    endedAt: endedAt?.toISOString() ?? null,
    status: endedAt ? 'ended' : isPast(row.expiresAt) ? 'expired' : row.overlapEndsAt ? 'ending' : 'live',
    cutoffId: row.cutoffId,
  };
}

function earlier(one: Date | null, other: Date | null): Date | null {
  return one && other ? new Date(Math.min(one.getTime(), other.getTime())) : (one ?? other);
}
