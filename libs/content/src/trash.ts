import { Problem } from '@latchkey/contracts';
import { prepared, type Database, type EntityManager } from '@latchkey/database';
import { ownIdentities, readableCondition, requireWritable, type Caller } from './caller.js';
import { checkTypeUnused } from './custom-types.js';
import { requireAdministratorFor } from './groups.js';
import { nodeColumns, toEntity, type Address, type ContentEntity, type NodeRow } from './node.js';
import { findNode, grantsClause, opened, readNode, visible } from './read.js';
import {
  examineSubtree,
  freeName,
  isInTrash,
  lockShape,
  permissionPathOf,
  relocate,
  requireAllowedBelow,
  requireNothingWithheld,
  requireNotBuiltIn,
  requirePathsFit,
  requirePermission,
  requireVersion,
  touch,
} from './shape.js';
import { isBelow, keyOf } from './statement.js';
import { wellKnown } from './well-known.js';

/*
 * What is deleted goes below /Root/Trash, with all that is below it and under its id for a name. It keeps the permissions that
 * it had: whoever saw it where it was sees it in the trash, and nobody else does. Nothing in the trash can be changed, a
 * group there gives its members nothing, and a user there cannot sign in.
 */

/** A user whose tokens, sessions and API keys end with the transaction. */
export interface EndedUser {
  id: number;
  /** The user's generation now. */
  generation: number;
}

export interface Deletion {
  /** What was deleted, as it was. */
  node: ContentEntity;
  /** In the trash, or gone. */
  permanent: boolean;
  endedUsers: EndedUser[];
}

export interface DeletionWish {
  /** For good, and not into the trash. */
  permanent?: boolean;
  ifVersion?: number | undefined;
}

/**
 * Deletes a node and everything below it: into the trash, or for good. Needs Delete on all of it. What is in the trash already,
 * and a content type, goes for good. Up to eight statements, however large it is.
 *
 * @throws VersionMismatch when it has another version than the caller knows.
 * @throws Problem `not-found`; `forbidden` also when something below may not be deleted; `conflict` for a content type that is
 * in use.
 */
export async function deleteContent(
  tx: EntityManager,
  caller: Caller,
  address: Address,
  { permanent = false, ifVersion }: DeletionWish = {},
): Promise<Deletion> {
  await lockShape(tx, caller);
  const node = await readNode(tx, caller, address);
  requireWritable(caller, await placeOf(tx, caller, node));
  requirePermission(node, 'Delete');
  requireVersion(node, ifVersion);
  requireNotBuiltIn(node);
  const facts = await examineSubtree(tx, caller, node, 'Delete');
  requireNothingWithheld(facts, node, 'Delete');
  if (node.type === 'ContentType') await checkTypeUnused(tx, caller.repositoryId, node.name);
  const forGood = permanent || isInTrash(node) || node.type === 'ContentType';
  const endedUsers = facts.unique > 0 ? await endPeople(tx, caller, node) : [];
  if (forGood) await erase(tx, caller, node);
  else await intoTrash(tx, caller, node);
  return { node, permanent: forGood, endedUsers };
}

/** Where a node is or, when it is in the trash, was: that says which permission a credential needs to change it. */
async function placeOf(tx: EntityManager, caller: Caller, node: ContentEntity): Promise<string> {
  if (!isInTrash(node)) return node.path;
  const [, , , topId = ''] = node.path.split('/');
  const rows = await tx.query<{ path: string }[]>('SELECT path FROM content_trash WHERE repository_id = $1 AND node_id = $2', [
    caller.repositoryId,
    Number(topId),
  ]);
  return rows[0]?.path ?? node.path;
}

/** Nobody loses an administrator but by an administrator's doing, and no tool the user in whose name it acts. */
async function endPeople(tx: EntityManager, caller: Caller, node: ContentEntity): Promise<EndedUser[]> {
  const rows = await tx.query<{ id: number; client_id: string | null }[]>(
    `SELECT n.id, c.id AS client_id FROM content_nodes n
     LEFT JOIN clients c ON c.repository_id = $1 AND c.user_id = n.id AND c.deleted_at IS NULL
     WHERE n.repository_id = $1 AND n.type IN ('User', 'Group') AND (n.id = $2 OR ${isBelow(keyOf('$3'))})`,
    [caller.repositoryId, node.id, node.path],
  );
  for (const { id, client_id: clientId } of rows) {
    await requireAdministratorFor(tx, caller, id);
    if (clientId) throw new Problem('conflict', `The client ${clientId} acts as a user there. Delete it, or let it act as another, first.`);
  }
  return endUsers(tx, caller, node);
}

/** Disables the users among them and ends their tokens. Their nodes still say whether they were enabled. */
async function endUsers(tx: EntityManager, caller: Caller, node: ContentEntity): Promise<EndedUser[]> {
  const [rows] = await tx.query<[EndedUser[], number]>(
    `UPDATE repository_users u SET enabled = false, generation = generation + 1, trashed_at = now()
     FROM content_nodes n
     WHERE u.repository_id = $1 AND n.repository_id = $1 AND n.id = u.id AND u.trashed_at IS NULL AND (n.id = $2 OR ${isBelow(keyOf('$3'))})
     RETURNING u.id, u.generation`,
    [caller.repositoryId, node.id, node.path],
  );
  if (rows.some(({ id }) => id === caller.userId))
    throw new Problem('forbidden', 'Nobody can delete the user in whose name the call is made.');
  return rows;
}

async function intoTrash(tx: EntityManager, caller: Caller, node: ContentEntity): Promise<void> {
  await tx.query(
    `INSERT INTO content_trash (repository_id, tenant_id, node_id, name, parent_id, path, deleted_by) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
    [caller.repositoryId, caller.tenantId, node.id, node.name, node.parentId, node.path, caller.userId],
  );
  await setGroupsActive(tx, caller, node, false);
  const name = String(node.id);
  await relocate(tx, caller, node, { parentId: wellKnown.trash, name, path: `/Root/Trash/${name}` });
  await touch(tx, caller, node.id);
}

async function setGroupsActive(tx: EntityManager, caller: Caller, node: ContentEntity, active: boolean): Promise<void> {
  await tx.query(
    `UPDATE content_group_members m SET active = $4 FROM content_nodes n
     WHERE m.repository_id = $1 AND n.repository_id = $1 AND n.id = m.group_id AND (n.id = $2 OR ${isBelow(keyOf('$3'))})`,
    [caller.repositoryId, node.id, node.path, active],
  );
}

/** What is known of people, beside their row and their node: each is found by the user's id. */
const tablesOfPeople = ['totp_secrets', 'recovery_codes', 'factor_guesses', 'passkeys', 'identity_links', 'mailed_links', 'invitations'];

/**
 * Removes a node and everything below it. Of a user the id remains, which the audit trail and clients may name, and that there were
 * API keys; what is known of the person goes, with the mails that were sent to them.
 */
async function erase(
  tx: EntityManager,
  { tenantId, repositoryId }: { tenantId: string; repositoryId: string },
  node: { id: number; path: string },
): Promise<void> {
  await tx.query(
    `WITH doomed AS MATERIALIZED (
       SELECT n.id FROM content_nodes n WHERE n.repository_id = $1 AND (n.id = $2 OR ${isBelow(keyOf('$3'))})
     ), people AS MATERIALIZED (
       SELECT id, login_name FROM repository_users WHERE repository_id = $1 AND id IN (SELECT id FROM doomed)
     ), permissions AS (
       DELETE FROM content_permissions
       WHERE repository_id = $1 AND (node_id IN (SELECT id FROM doomed) OR identity_id IN (SELECT id FROM doomed))
     ), members AS (
       DELETE FROM content_group_members
       WHERE repository_id = $1 AND (group_id IN (SELECT id FROM doomed) OR member_id IN (SELECT id FROM doomed))
     ), ${tablesOfPeople
       .map((table) => `of_${table} AS (DELETE FROM ${table} WHERE repository_id = $1 AND user_id IN (SELECT id FROM people))`)
       .join(', ')}
     , records AS (
       DELETE FROM oidc_records WHERE repository_id = $1 AND user_id IN (SELECT id FROM people) AND user_generation IS NOT NULL
     ), mails AS (
       DELETE FROM mails WHERE tenant_id = $4 AND coalesce(data ->> 'repositoryId', data ->> 'repository') = $1::text
         AND data ->> 'loginName' IN (SELECT login_name FROM people)
     ), keys AS (
       UPDATE api_keys SET name = '' WHERE repository_id = $1 AND user_id IN (SELECT id FROM people)
     ), users AS (
       UPDATE repository_users SET login_name = '/deleted/' || id, email = NULL, email_verified_at = NULL, name = '',
         password_hash = NULL, enabled = false, deleted_at = now()
       WHERE repository_id = $1 AND id IN (SELECT id FROM people)
     )
     DELETE FROM content_nodes WHERE repository_id = $1 AND id IN (SELECT id FROM doomed)`,
    [repositoryId, node.id, node.path, tenantId],
  );
}

export interface RestoreWish {
  /** The content below which to put it; where it was if absent. */
  to?: Address | undefined;
  /** What to do when its name is taken there: refuse, or take a free one such as `Report (1)`. */
  onConflict?: 'refuse' | 'rename';
  ifVersion?: number | undefined;
}

/**
 * Takes a node out of the trash, with everything below it. Needs Delete on all of it, as moving does, and AddNew where it goes.
 * Users can sign in again if they could before, with their password; tokens and API keys stay ended.
 *
 * @throws VersionMismatch when it has another version than the caller knows.
 * @throws Problem `not-found`; `forbidden`; `invalid-request` when it is not in the trash by itself; `conflict` when the place
 * where it was is gone; `already-exists` when its name is taken there.
 */
export async function restoreContent(
  tx: EntityManager,
  caller: Caller,
  address: Address,
  { to, onConflict = 'refuse', ifVersion }: RestoreWish = {},
): Promise<ContentEntity> {
  const types = await lockShape(tx, caller);
  const node = await readNode(tx, caller, address);
  const entry = await trashEntry(tx, caller, node);
  requireWritable(caller, entry.path);
  requirePermission(node, 'Delete');
  requireVersion(node, ifVersion);
  const facts = await examineSubtree(tx, caller, node, 'Delete');
  requireNothingWithheld(facts, node, 'Delete');
  const parent = await readNode(tx, caller, to ?? { id: entry.parent_id }).catch((error: unknown) => {
    if (to || !(error instanceof Problem)) throw error;
    throw new Problem('conflict', `${entry.path} cannot be restored: the place where it was is gone. Name another.`, { cause: error });
  });
  if (isInTrash(parent)) throw new Problem('conflict', `${entry.path} cannot be restored: the place where it was is in the trash too.`);
  requireWritable(caller, parent.path);
  requirePermission(parent, 'AddNew');
  requireAllowedBelow(types, parent.type, node.type);
  const name = onConflict === 'rename' ? await freeName(tx, caller, parent, entry.name) : entry.name;
  const path = `${parent.path}/${name}`;
  requirePathsFit(facts.longest, node.path, path);
  await setGroupsActive(tx, caller, node, true);
  await relocate(tx, caller, node, { parentId: parent.id, name, path, permissionPath: await permissionPathOf(tx, caller, parent.id) });
  await tx.query('DELETE FROM content_trash WHERE repository_id = $1 AND node_id = $2', [caller.repositoryId, node.id]);
  if (facts.unique > 0) await letUsersIn(tx, caller, node.id, path);
  await touch(tx, caller, node.id);
  return (await findNode(tx, caller, { id: node.id })) ?? { ...node, parentId: parent.id, name, path };
}

interface TrashRow {
  name: string;
  parent_id: number;
  path: string;
}

async function trashEntry(tx: EntityManager, caller: Caller, node: ContentEntity): Promise<TrashRow> {
  const rows = await tx.query<TrashRow[]>('SELECT name, parent_id, path FROM content_trash WHERE repository_id = $1 AND node_id = $2', [
    caller.repositoryId,
    node.id,
  ]);
  if (rows[0]) return rows[0];
  throw new Problem('invalid-request', `${node.path} was not deleted by itself: restore what it is in.`);
}

/** Nobody brings an administrator back, or a group that makes them, but an administrator. */
async function letUsersIn(tx: EntityManager, caller: Caller, nodeId: number, path: string): Promise<void> {
  const back = await tx.query<{ id: number }[]>(
    `SELECT n.id FROM content_nodes n
     WHERE n.repository_id = $1 AND n.type IN ('User', 'Group') AND (n.id = $2 OR ${isBelow(keyOf('$3'))})`,
    [caller.repositoryId, nodeId, path],
  );
  for (const { id } of back) await requireAdministratorFor(tx, caller, id);
  await tx.query(
    `UPDATE repository_users u SET enabled = coalesce((n.fields ->> 'Enabled')::boolean, false), trashed_at = NULL
     FROM content_nodes n
     WHERE u.repository_id = $1 AND n.repository_id = $1 AND n.id = u.id AND (n.id = $2 OR ${isBelow(keyOf('$3'))})`,
    [caller.repositoryId, nodeId, path],
  );
}

/** Something in the trash. */
export interface TrashEntry {
  node: ContentEntity;
  /** Where it was, with the name it had. */
  originalPath: string;
  deletedAt: Date;
  deletedBy: number;
}

/** Lists what the caller may see of the trash, the latest deletion first. One statement. */
export async function listTrash(
  tx: EntityManager,
  caller: Caller,
  { top = 1_000, skip = 0 }: { top?: number; skip?: number } = {},
): Promise<TrashEntry[]> {
  const rows = await prepared<NodeRow & { original_path: string; deleted_at: Date; deleted_by: number }>(
    tx,
    `${grantsClause}
     SELECT ${nodeColumns}, CASE WHEN ${opened} THEN n.fields END AS fields, t.path AS original_path, t.deleted_at, t.deleted_by
     FROM content_trash t JOIN content_nodes n ON n.repository_id = $1 AND n.id = t.node_id
     WHERE t.repository_id = $1 AND ${visible} AND ${readableCondition(caller)}
     ORDER BY t.deleted_at DESC, n.id DESC LIMIT $3 OFFSET $4`,
    [caller.repositoryId, ownIdentities(caller.userId), Math.min(top, 10_000), skip],
  );
  return rows.map((row) => ({
    node: toEntity(row),
    originalPath: row.original_path,
    deletedAt: row.deleted_at,
    deletedBy: row.deleted_by,
  }));
}

/**
 * Removes for good what has been in the trash for longer than this, the oldest first. For the worker's sweep: it looks in the
 * scope `system`, and removes each deletion in a transaction of its repository's scope.
 *
 * @param options.limit deletions that one call removes at most.
 * @returns how many were removed; fewer than `limit` when that was all.
 */
export async function purgeTrash(database: Database, { olderThanDays, limit }: { olderThanDays: number; limit: number }): Promise<number> {
  const rows = await database.read('system', (tx) =>
    tx.query<{ repository_id: string; tenant_id: string; node_id: number }[]>(
      `SELECT repository_id, tenant_id, node_id FROM content_trash
       WHERE deleted_at < now() - make_interval(days => $1) ORDER BY deleted_at LIMIT $2`,
      [olderThanDays, limit],
    ),
  );
  for (const { repository_id: repositoryId, tenant_id: tenantId, node_id: nodeId } of rows) {
    await database.transaction({ tenantId, repositoryId }, async (tx) => {
      await lockShape(tx, { repositoryId });
      // It may have been restored, and deleted again, since.
      const [node] = await tx.query<{ id: number; path: string }[]>(
        `SELECT n.id, n.path FROM content_trash t JOIN content_nodes n ON n.repository_id = $1 AND n.id = t.node_id
         WHERE t.repository_id = $1 AND t.node_id = $2 AND t.deleted_at < now() - make_interval(days => $3)`,
        [repositoryId, nodeId, olderThanDays],
      );
      if (node) await erase(tx, { tenantId, repositoryId }, node);
    });
  }
  return rows.length;
}
