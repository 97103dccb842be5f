import { Problem } from '@latchkey/contracts';
import { violatedConstraint, type EntityManager } from '@latchkey/database';
import { ownIdentities, type Caller } from './caller.js';
import type { ContentTypes } from './content-types.js';
import { contentTypesOf } from './custom-types.js';
import type { ContentEntity, PermittedEntity } from './node.js';
import { cut, maxNameLength, maxPathLength } from './node-name.js';
import { hereOnlyShift, permissionBits, type ContentPermissionName } from './permissions.js';
import { identitiesClause, isBelow, keyOf, trashPath } from './statement.js';
import { firstFreeId } from './well-known.js';

/*
 * What every change of the tree has in common. Whoever changes the shape of the tree (creates, renames, moves, copies,
 * deletes, restores, sets permissions) holds the repository's counter row until the transaction ends, so that nothing is put
 * below a node that is on its way elsewhere. Changes of fields lock the node alone.
 */

/** Somebody else changed the content since the caller read it: HTTP 412. */
export class VersionMismatch extends Error {
  constructor(readonly currentVersion: number) {
    super('The content has been changed meanwhile. Read it again and repeat your change.');
    this.name = 'VersionMismatch';
  }
}

export function requirePermission(node: PermittedEntity, permission: ContentPermissionName): void {
  if (!node.permissions.has(permission)) throw new Problem('forbidden', `This takes the permission ${permission} on ${node.path}.`);
}

/** @param ifVersion the version the caller knows; any if absent. */
export function requireVersion(node: ContentEntity, ifVersion: number | undefined): void {
  if (ifVersion !== undefined && node.version !== ifVersion) throw new VersionMismatch(node.version);
}

export function requireNotBuiltIn(node: ContentEntity): void {
  if (node.id < firstFreeId)
    throw new Problem('forbidden', `${node.path} is part of every repository: it can be neither renamed, moved nor deleted.`);
}

/** True for what was deleted and waits in the trash. */
export function isInTrash({ path }: ContentEntity): boolean {
  return path.toLowerCase().startsWith(`${trashPath}/`);
}

/** @throws Problem `conflict`: what is in the trash stays as it was. */
export function requireNotInTrash(node: ContentEntity): void {
  if (isInTrash(node)) throw new Problem('conflict', `${node.path} is in the trash: restore it first.`);
}

/** @throws Problem `invalid-request` when the parent takes none of this type. */
export function requireAllowedBelow(types: ContentTypes, parentType: string, type: string): void {
  const allowed = types.allowedBelow(parentType);
  if (allowed.includes(type)) return;
  throw new Problem('invalid-request', `A ${parentType} takes no ${type} here. It takes ${allowed.join(', ') || 'nothing'}.`);
}

/** Holds the shape of the tree. One prepared statement. @returns the content types as they are from then on. */
export async function lockShape(tx: EntityManager, caller: Pick<Caller, 'repositoryId'>): Promise<ContentTypes> {
  return contentTypesOf(tx, caller.repositoryId, { lock: true });
}

/** What a change finds below a node, and the node itself. */
export interface SubtreeFacts {
  nodes: number;
  /** Characters of the longest path. */
  longest: number;
  /** Nodes on which the caller lacks the permission. */
  withheld: number;
  /** Users, groups and content types, of which there are no copies. */
  unique: number;
}

/**
 * Looks at a node and everything below it. A permission may have been given on the node alone, or inheritance may be broken
 * below it, so every node is looked at. One statement.
 */
export async function examineSubtree(
  tx: EntityManager,
  caller: Caller,
  node: ContentEntity,
  permission: ContentPermissionName,
): Promise<SubtreeFacts> {
  const bit = permissionBits[permission];
  const rows = await tx.query<SubtreeFacts[]>(
    `${identitiesClause}, granted AS MATERIALIZED (
       SELECT
         coalesce(array_agg(p.node_id) FILTER (WHERE p.bits & ${bit} <> 0), '{}') AS below,
         coalesce(array_agg(p.node_id) FILTER (WHERE p.bits & ${bit << hereOnlyShift} <> 0), '{}') AS here
       FROM content_permissions p WHERE p.repository_id = $1 AND p.identity_id IN (SELECT id FROM identity))
     SELECT
       count(*)::integer AS nodes,
       max(length(n.path)) AS longest,
       count(*) FILTER (WHERE NOT (n.permission_path && granted.below OR n.id = ANY (granted.here)))::integer AS withheld,
       count(*) FILTER (WHERE n.type IN ('User', 'Group', 'ContentType'))::integer AS "unique"
     FROM content_nodes n CROSS JOIN granted
     WHERE n.repository_id = $1 AND (n.id = $3 OR ${isBelow(keyOf('$4'))})`,
    [caller.repositoryId, ownIdentities(caller.userId), node.id, node.path],
  );
  return rows[0] ?? { nodes: 0, longest: 0, withheld: 0, unique: 0 };
}

/** @throws Problem `forbidden` when the caller lacks the permission on anything below the node. */
export function requireNothingWithheld({ withheld }: SubtreeFacts, node: ContentEntity, permission: ContentPermissionName): void {
  if (withheld > 0) throw new Problem('forbidden', `The permission ${permission} is missing on something below ${node.path}.`);
}

/** @throws Problem `invalid-request` when the longest path below the node would be too long once the node is at `path`. */
export function requirePathsFit(longest: number, from: string, path: string): void {
  if (Math.max(longest, from.length) + path.length - from.length > maxPathLength) {
    throw new Problem('invalid-request', `A path would be longer than ${maxPathLength} characters.`);
  }
}

export interface NewPlace {
  parentId: number | null;
  name: string;
  path: string;
  /** Where permissions are inherited from there; as they are now if absent. */
  permissionPath?: number[];
}

/** Puts a node, and everything below it, elsewhere. One statement, however large it is. */
export async function relocate(tx: EntityManager, caller: Caller, node: ContentEntity, place: NewPlace): Promise<void> {
  await orNameTaken(
    place.name,
    tx.query(
      `UPDATE content_nodes n SET
         path = $4 || substr(n.path, length($3) + 1),
         name = CASE WHEN n.id = $2 THEN $5 ELSE n.name END,
         parent_id = CASE WHEN n.id = $2 THEN $6 ELSE n.parent_id END,
         permission_path = CASE WHEN $7::integer[] IS NULL OR n.permission_path[1] = $2 OR NOT n.permission_path @> ARRAY[$2]::integer[]
           THEN n.permission_path ELSE $7::integer[] || n.permission_path[array_position(n.permission_path, $2):] END
       WHERE n.repository_id = $1 AND (n.id = $2 OR ${isBelow(keyOf('$3'))})`,
      [caller.repositoryId, node.id, node.path, place.path, place.name, place.parentId, place.permissionPath ?? null],
    ),
  );
}

/** Says that a node was changed, and by whom. */
export async function touch(tx: EntityManager, caller: Caller, nodeId: number): Promise<void> {
  await tx.query(
    'UPDATE content_nodes SET version = version + 1, modified_at = now(), modified_by = $3 WHERE repository_id = $1 AND id = $2',
    [caller.repositoryId, nodeId, caller.userId],
  );
}

/** `Folder`, or `Folder (1)` when that is taken, and so on; a long name is cut short to make room. One statement. */
export async function freeName(tx: EntityManager, caller: Caller, parent: ContentEntity, base: string): Promise<string> {
  const rows = await tx.query<{ path_key: string }[]>(
    `SELECT n.path_key FROM content_nodes n
     WHERE n.repository_id = $1 AND n.parent_id = $2 AND starts_with(n.path_key, ${keyOf('$3')})`,
    [caller.repositoryId, parent.id, `${parent.path}/${cut(base, maxNameLength - 12)}`],
  );
  const taken = new Set(rows.map((row) => row.path_key));
  for (let number = 0; ; number++) {
    const suffix = number === 0 ? '' : ` (${number})`;
    const name = `${cut(base, maxNameLength - suffix.length)}${suffix}`;
    if (!taken.has(`${parent.path}/${name}`.toLowerCase())) return name;
  }
}

export async function permissionPathOf(tx: EntityManager, caller: Caller, nodeId: number): Promise<number[]> {
  const rows = await tx.query<{ permission_path: number[] }[]>(
    'SELECT permission_path FROM content_nodes WHERE repository_id = $1 AND id = $2',
    [caller.repositoryId, nodeId],
  );
  return rows[0]?.permission_path ?? [];
}

export async function orNameTaken<T>(name: string, statement: Promise<T>): Promise<T> {
  try {
    return await statement;
  } catch (error) {
    if (violatedConstraint(error) !== 'content_nodes_path') throw error;
    throw new Problem('already-exists', `There is something named ${JSON.stringify(name)} already.`, { cause: error });
  }
}
