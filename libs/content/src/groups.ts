import { Problem } from '@latchkey/contracts';
import { prepared, type EntityManager } from '@latchkey/database';
import { ownIdentities, requireWritable, type Caller } from './caller.js';
import type { Address, PermittedEntity } from './node.js';
import { notFound, readNode, readNodes } from './read.js';
import { requireNotInTrash, requireVersion, touch } from './shape.js';
import { identitiesClause, notInTrash } from './statement.js';
import { wellKnown } from './well-known.js';

/*
 * Groups hold users and groups, at any depth. Whoever may save a group decides who belongs to it. Into the Administrators, and
 * into every group that belongs to them, only administrators let anyone, and out of them too.
 */

/** Whether a user or group belongs to the Administrators, itself or through other groups. One statement. */
export async function isAdministrator(
  tx: EntityManager,
  { repositoryId, userId }: { repositoryId: string; userId: number },
): Promise<boolean> {
  return (await groupsOf(tx, { repositoryId, id: userId })).includes(wellKnown.administrators);
}

/** Ids of the groups that a user or group belongs to, at any depth. One statement. */
async function groupsOf(tx: EntityManager, { repositoryId, id }: { repositoryId: string; id: number }): Promise<number[]> {
  const rows = await prepared<{ id: number }>(tx, `${identitiesClause} SELECT id FROM identity WHERE id <> $3`, [
    repositoryId,
    ownIdentities(id),
    id,
  ]);
  return rows.map((row) => row.id);
}

/**
 * Ids of the groups that some users or groups belong to, by member: at any depth, with Everyone, or only those that name them.
 * One statement.
 */
export async function rolesOf(
  tx: EntityManager,
  repositoryId: string,
  ids: number[],
  { directly }: { directly: boolean },
): Promise<Map<number, number[]>> {
  const everything = `
    WITH RECURSIVE role (member, id) AS (
      SELECT i, i FROM unnest($2::integer[]) i
      UNION SELECT i, ${wellKnown.everyone} FROM unnest($2::integer[]) i WHERE i <> ${wellKnown.visitor}
      UNION SELECT r.member, m.group_id FROM content_group_members m JOIN role r ON r.id = m.member_id WHERE m.repository_id = $1 AND m.active)
    SELECT member, array_agg(id ORDER BY id) AS groups FROM role WHERE id <> member GROUP BY member`;
  const named = `SELECT member_id AS member, array_agg(group_id ORDER BY group_id) AS groups FROM content_group_members
    WHERE repository_id = $1 AND active AND member_id = ANY ($2::integer[]) GROUP BY member_id`;
  const rows = await prepared<{ member: number; groups: number[] }>(tx, directly ? named : everything, [repositoryId, ids]);
  return new Map(rows.map((row) => [row.member, row.groups]));
}

/** Ids of the direct members of some groups, by group, without those in the trash. One statement. */
export async function membersOf(tx: EntityManager, repositoryId: string, groupIds: number[]): Promise<Map<number, number[]>> {
  const rows = await prepared<{ id: number; members: number[] }>(
    tx,
    `SELECT m.group_id AS id, array_agg(m.member_id ORDER BY m.member_id) AS members
     FROM content_group_members m JOIN content_nodes n ON n.repository_id = $1 AND n.id = m.member_id
     WHERE m.repository_id = $1 AND m.group_id = ANY ($2::integer[]) AND ${notInTrash} GROUP BY m.group_id`,
    [repositoryId, groupIds],
  );
  return new Map(rows.map((row) => [row.id, row.members]));
}

/**
 * Lets users and groups into a group. Needs Save on it. Who is in it already stays.
 *
 * @returns the group as it was, and who was let in.
 * @throws VersionMismatch when the group has another version than the caller knows.
 * @throws Problem `not-found` when the caller does not see the group or one of the members; `forbidden`; `invalid-request` for
 * something that cannot be a member, and for a group that the group itself belongs to; `conflict` for what is in the trash.
 */
export async function addMembers(tx: EntityManager, caller: Caller, address: Address, memberIds: number[], ifVersion?: number) {
  const group = await openGroup(tx, caller, address, ifVersion);
  const above = await groupsAbove(tx, caller.repositoryId, group.id);
  const members = await readNodes(tx, caller, memberIds);
  for (const id of memberIds) {
    const member = members.get(id);
    if (!member) throw notFound();
    requireNotInTrash(member);
    const refusal =
      member.type !== 'User' && member.type !== 'Group'
        ? 'is neither a user nor a group'
        : id === wellKnown.everyone || id === wellKnown.visitor
          ? 'belongs to no group'
          : id === group.id || above.includes(id)
            ? 'would belong to itself'
            : undefined;
    if (refusal) throw new Problem('invalid-request', `${member.path} ${refusal}.`);
  }
  const added: { id: number }[] = await tx.query(
    `INSERT INTO content_group_members (repository_id, tenant_id, group_id, member_id)
     SELECT $1, $2, $3, unnest($4::integer[]) ON CONFLICT DO NOTHING RETURNING member_id AS id`,
    [caller.repositoryId, caller.tenantId, group.id, [...new Set(memberIds)]],
  );
  if (added.length > 0) await touch(tx, caller, group.id);
  return { group, changed: added.map(({ id }) => id) };
}

/** Ids of the groups that a group belongs to, through groups in the trash too: those may come back. */
async function groupsAbove(tx: EntityManager, repositoryId: string, id: number): Promise<number[]> {
  const rows = await tx.query<{ id: number }[]>(
    `WITH RECURSIVE above (id) AS (
       SELECT $2::integer UNION SELECT m.group_id FROM content_group_members m JOIN above a ON a.id = m.member_id WHERE m.repository_id = $1)
     SELECT id FROM above WHERE id <> $2`,
    [repositoryId, id],
  );
  return rows.map((row) => row.id);
}

/**
 * Takes users and groups out of a group. Needs Save on it. Who is not in it is passed over.
 *
 * @returns the group as it was, and who was taken out.
 * @throws VersionMismatch when the group has another version than the caller knows.
 * @throws Problem `not-found`; `forbidden`, also for the administrators that every repository has.
 */
export async function removeMembers(tx: EntityManager, caller: Caller, address: Address, memberIds: number[], ifVersion?: number) {
  const group = await openGroup(tx, caller, address, ifVersion);
  const builtIn: number[] = [wellKnown.admin, wellKnown.publicAdmin];
  if (group.id === wellKnown.administrators && memberIds.some((id) => builtIn.includes(id)))
    throw new Problem('forbidden', 'The administrators that every repository has stay what they are.');
  const [removed] = await tx.query<[{ id: number }[], number]>(
    'DELETE FROM content_group_members WHERE repository_id = $1 AND group_id = $2 AND member_id = ANY ($3::integer[]) RETURNING member_id AS id',
    [caller.repositoryId, group.id, memberIds],
  );
  if (removed.length > 0) await touch(tx, caller, group.id);
  return { group, changed: removed.map(({ id }) => id) };
}

/** Changes of groups take turns with each other, so that two at once cannot close a circle. */
async function openGroup(tx: EntityManager, caller: Caller, address: Address, ifVersion: number | undefined): Promise<PermittedEntity> {
  await tx.query('SELECT FROM content_counters WHERE repository_id = $1 FOR UPDATE', [caller.repositoryId]);
  const group = await readNode(tx, caller, address, { lock: true });
  if (group.type !== 'Group') throw new Problem('invalid-request', `${group.path} is not a group.`);
  requireNotInTrash(group);
  requireWritable(caller, group.path);
  if (!group.permissions.has('Save')) throw new Problem('forbidden', `This takes the permission Save on ${group.path}.`);
  if (group.id === wellKnown.everyone) throw new Problem('forbidden', 'Everyone who is signed in belongs to it, and nobody else.');
  await requireAdministratorFor(tx, caller, group.id);
  requireVersion(group, ifVersion);
  return group;
}

/**
 * Whoever could change an administrator's sign-in, or who is one, would be one: so that takes an administrator.
 *
 * @throws Problem `forbidden` when the user or group belongs to the Administrators and the caller does not.
 */
export async function requireAdministratorFor(tx: EntityManager, caller: Caller, id: number): Promise<void> {
  const { repositoryId } = caller;
  const concerned = id === wellKnown.administrators || (await isAdministrator(tx, { repositoryId, userId: id }));
  if (concerned && !(await isAdministrator(tx, caller)))
    throw new Problem('forbidden', 'Only administrators may change administrators and who is one.');
}
