import { isAdministrator, readUsage, wellKnown } from '@latchkey/content';
import type { EntityManager } from '@latchkey/database';
import { json } from './answer.js';
import { ODataFault } from './odata/fault.js';
import type { Operation } from './operation.js';

/** What the plan allows, what the repository holds and, for administrators, who has called how often in 30 days. */
export const getDashboardData: Operation = {
  name: 'GetDashboardData',
  isFunction: true,
  run: async ({ request, repositoryUrls }) => {
    const { caller, repository } = request;
    if (caller.userId === wellKnown.visitor) throw new ODataFault(403, 'Forbidden', 'Sign in to see this.');
    return request.read(async (tx) => {
      const { limits, usage } = await readUsage(tx, repository.id);
      return json({
        host: repositoryUrls.of(repository.slug),
        subscription: {
          plan: {
            name: limits.plan,
            displayName: `${limits.plan.slice(0, 1).toUpperCase()}${limits.plan.slice(1)}`,
            limitations: {
              user: limits.users,
              group: limits.groups,
              content: limits.contents,
              storageBytes: limits.storageBytes,
              requestsPerMinute: limits.requestsPerMinute,
            },
          },
        },
        usage: { user: usage.users, group: usage.groups, content: usage.contents, storageBytes: usage.storageBytes },
        ...((await isAdministrator(tx, caller)) ? { calls: await readCalls(tx, repository.id) } : {}),
      });
    });
  },
};

/** The credentials that were used most, as far as their calls are written down: all but those of the last second. */
async function readCalls(tx: EntityManager, repositoryId: string) {
  const rows = await tx.query<{ credentialId: string; userId: number; calls: string; refused: string }[]>(
    `SELECT credential_id AS "credentialId", user_id AS "userId", sum(calls) AS calls, sum(refused) AS refused FROM call_counts
     WHERE repository_id = $1 AND starts_at > now() - interval '30 days' GROUP BY 1, 2 ORDER BY sum(calls) DESC, 1, 2 LIMIT 100`,
    [repositoryId],
  );
  return rows.map((row) => ({ ...row, calls: Number(row.calls), refused: Number(row.refused) }));
}
