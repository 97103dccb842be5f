import type { UsageQuery, UsageView } from '@latchkey/contracts';
import { authorize, type Actor } from '@latchkey/access';
import type { RepositoryDirectory } from '@latchkey/credentials';
import type { Database } from '@latchkey/database';
import { idOfRepository } from './audit-trail.js';
import { findConsole } from './installation.js';
import { namesOf } from './names.js';

/** How much the credentials of a tenant were used, by day. */
export class Usage {
  readonly #database: Database;
  readonly #directory: RepositoryDirectory;

  constructor(database: Database, directory: RepositoryDirectory) {
    this.#database = database;
    this.#directory = directory;
  }

  /**
   * Uses are counted by the processes that see them and written in batches; sign-ins and refusals are those of the audit trail,
   * where a refusal that is repeated counts as often as it happened.
   *
   * @throws Problem `not-found` for a repository that the tenant never had.
   */
  async read(actor: Actor, { days, repository }: UsageQuery): Promise<UsageView> {
    authorize(actor, 'repositories:read');
    const { id: consoleId } = await findConsole(this.#directory);
    return this.#database.read({ tenantId: actor.tenantId }, async (tx) => {
      const of = repository === undefined ? null : await idOfRepository(tx, repository);
      const items = await tx.query<Counted[]>(usage, [actor.tenantId, days, of]);
      const [range] = await tx.query<{ from: string; to: string }[]>(
        `SELECT (today - $1::int + 1)::text AS "from", today::text AS "to" FROM (SELECT (now() AT TIME ZONE 'UTC')::date AS today) AS t`,
        [days],
      );
      if (!range) throw new Error('there is always a today');
      const credentials = items.map(({ credentialId: id, repositoryId }) => ({ kind: 'credential', id, repositoryId }));
      const names = await namesOf(tx, consoleId, credentials);
      return {
        ...range,
        items: items.map(({ day, kind, repository, credentialId, reason, count }, index) => ({
          day,
          kind,
          repository,
          credentialId,
          reason,
          credential: names[index] ?? null,
          count: Number(count),
        })),
      };
    });
  }
}

interface Counted extends Omit<UsageView['items'][number], 'count' | 'credential'> {
  repositoryId: string | null;
  count: string;
}

/** Rows that the answer has at most; beyond them the smallest counts are left out. */
const rowLimit = 5_000;

const usage = `
  WITH first AS (SELECT (now() AT TIME ZONE 'UTC')::date - $2::int + 1 AS day)
  SELECT u.day::text AS day, u.kind, r.slug AS repository, u.repository_id AS "repositoryId", u."credentialId", u.reason, sum(u.count)::text AS count FROM (
    SELECT d.repository_id, d.day, CASE d.outcome WHEN 'replaced' THEN 'ended-secret' ELSE 'token' END AS kind,
      d.credential_id AS "credentialId", NULL AS reason, d.uses AS count
    FROM daily_uses d, first WHERE d.tenant_id = $1 AND d.day >= first.day AND NOT (d.of_api_key AND d.outcome = 'accepted')
    UNION ALL
    SELECT c.repository_id, (c.starts_at AT TIME ZONE 'UTC')::date, k.kind, nullif(c.credential_id, ''), NULL, k.count
    FROM call_counts c, first, LATERAL (VALUES ('call', c.calls), ('failed-call', c.refused)) AS k (kind, count)
    WHERE c.tenant_id = $1 AND c.starts_at >= first.day AT TIME ZONE 'UTC' AND k.count > 0
    UNION ALL
    SELECT a.repository_id, (a.at AT TIME ZONE 'UTC')::date, CASE WHEN a.action LIKE '%.signed-in' THEN 'sign-in' ELSE 'refusal' END,
      CASE WHEN a.target_kind = 'client' THEN a.target_id END, a.details->>'reason', coalesce((a.details->>'count')::bigint, 1)
    FROM audit_events a, first
    WHERE a.tenant_id = $1 AND a.at >= first.day AT TIME ZONE 'UTC' AND (a.action LIKE '%.signed-in' OR a.action LIKE '%.refused')
  ) AS u LEFT JOIN repositories r ON r.id = u.repository_id
  WHERE $3::uuid IS NULL OR u.repository_id = $3
  GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY sum(u.count) DESC, 1 LIMIT ${rowLimit}`;
