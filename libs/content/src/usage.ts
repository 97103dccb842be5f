import type { EntityManager } from '@latchkey/database';

/** What a repository may hold by its plan; null for no limit. */
export interface Limits {
  plan: string;
  users: number | null;
  groups: number | null;
  contents: number | null;
  storageBytes: number | null;
  requestsPerMinute: number | null;
}

/** What a repository holds besides what every repository has. */
export interface Usage {
  users: number;
  groups: number;
  contents: number;
  storageBytes: number;
}

/** What a repository holds and may hold. One statement by primary keys. */
export async function readUsage(tx: EntityManager, repositoryId: string): Promise<{ limits: Limits; usage: Usage }> {
  const rows = await tx.query<(Omit<Usage, 'storageBytes'> & { limits: Limits; storageBytes: string })[]>(
    `SELECT repository_limits(r.settings) AS limits, c.users, c.groups, c.contents, c.storage_bytes AS "storageBytes"
     FROM content_counters c JOIN repositories r ON r.tenant_id = c.tenant_id AND r.id = c.repository_id WHERE c.repository_id = $1`,
    [repositoryId],
  );
  const [row] = rows;
  if (!row) throw new Error('The repository has no content root');
  const { limits, users, groups, contents, storageBytes } = row;
  return { limits, usage: { users, groups, contents, storageBytes: Number(storageBytes) } };
}
