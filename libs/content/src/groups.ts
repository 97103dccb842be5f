import { prepared, type EntityManager } from '@latchkey/database';
import { ownIdentities } from './caller.js';
import { identitiesClause } from './statement.js';
import { wellKnown } from './well-known.js';

/** Whether a user or group belongs to the Administrators, itself or through other groups. One statement. */
export async function isAdministrator(
  tx: EntityManager,
  { repositoryId, userId }: { repositoryId: string; userId: number },
): Promise<boolean> {
  const rows = await prepared<{ belongs: boolean }>(
    tx,
    `${identitiesClause} SELECT EXISTS (SELECT FROM identity WHERE id = ${wellKnown.administrators}) AS belongs`,
    [repositoryId, ownIdentities(userId)],
  );
  return rows[0]?.belongs ?? false;
}
