import { Problem } from '@latchkey/contracts';
import { prepared, violatedConstraint, type EntityManager } from '@latchkey/database';
import { builtInTypes } from './built-in-types.js';
import { ownIdentities, requireWritable, type Caller } from './caller.js';
import { checkFields } from './field-values.js';
import { requireAdministratorFor } from './groups.js';
import { nodeColumns, toEntity, type ContentEntity, type NodeRow, type PermittedEntity } from './node.js';
import { maxPathLength, nameFrom, requireNodeName } from './node-name.js';
import { hereOnlyShift, permissionBits, type ContentPermissionName } from './permissions.js';
import { notFound, readNode, type Address } from './read.js';
import { identitiesClause, isBelow, keyOf } from './statement.js';
import { firstFreeId } from './well-known.js';

/*
 * Whoever changes the shape of the tree (creates, renames, deletes) holds the repository's counter row until the
 * transaction ends, so that nothing is put below a node that is being deleted or renamed. Changes of fields lock the node
 * alone.
 */

/** Somebody else changed the content since the caller read it: HTTP 412. */
export class VersionMismatch extends Error {
  constructor(readonly currentVersion: number) {
    super('The content has been changed meanwhile. Read it again and repeat your change.');
    this.name = 'VersionMismatch';
  }
}

function requirePermission(node: PermittedEntity, permission: ContentPermissionName): void {
  if (!node.permissions.has(permission)) throw new Problem('forbidden', `This takes the permission ${permission} on ${node.path}.`);
}

/** @param ifVersion the version the caller knows; any if absent. */
function requireVersion(node: ContentEntity, ifVersion: number | undefined): void {
  if (ifVersion !== undefined && node.version !== ifVersion) throw new VersionMismatch(node.version);
}

async function lockShape(tx: EntityManager, caller: Caller): Promise<void> {
  await tx.query('SELECT FROM content_counters WHERE repository_id = $1 FOR UPDATE', [caller.repositoryId]);
}

export interface NewContent {
  /** Name of a content type. */
  type: string;
  /** Made from the display name or the type, and free, if absent. */
  name?: unknown;
  /** Values by field name, as the caller wrote them. */
  fields: Record<string, unknown>;
}

/**
 * Puts a new node below another. Needs AddNew there. Three statements, four when the name is to be made.
 *
 * @throws Problem `not-found` when the parent is not visible; `forbidden`; `invalid-request` when the parent does not take
 * the type or a field does not fit; `already-exists` when the name is taken.
 */
export async function createContent(
  tx: EntityManager,
  caller: Caller,
  parentAddress: Address,
  content: NewContent,
): Promise<ContentEntity> {
  const parent = await readNode(tx, caller, parentAddress);
  requireWritable(caller, parent.path);
  requirePermission(parent, 'AddNew');
  const type = builtInTypes.find(content.type);
  // A person is more than a node: users.ts makes both.
  if (type?.name === 'User') throw new Problem('invalid-request', 'Users are made below /Root/IMS/Public.');
  if (!type) throw new Problem('invalid-request', `There is no content type ${JSON.stringify(content.type)}.`);
  const allowed = builtInTypes.allowedBelow(parent.type);
  if (!allowed.includes(type.name)) {
    throw new Problem('invalid-request', `A ${parent.type} takes no ${type.name} here. It takes ${allowed.join(', ') || 'nothing'}.`);
  }
  const fields = checkFields(builtInTypes, type, content.fields, { whole: true });
  const wanted = content.name === undefined ? undefined : requireNodeName(content.name);

  await lockShape(tx, caller);
  const name = wanted ?? (await freeName(tx, caller, parent, nameFrom(String(fields['DisplayName'] ?? '')) || type.name));
  // Clients show the display name, so there is one.
  fields['DisplayName'] ??= name;
  if (parent.path.length + 1 + name.length > maxPathLength)
    throw new Problem('invalid-request', `The path would be longer than ${maxPathLength} characters.`);
  const rows = await orNameTaken(
    name,
    prepared<NodeRow>(
      tx,
      `WITH next AS (UPDATE content_counters SET next_id = next_id + 1 WHERE repository_id = $1 RETURNING next_id - 1 AS id)
       INSERT INTO content_nodes AS n (repository_id, tenant_id, id, parent_id, name, path, type, fields, permission_path, created_by, modified_by)
       SELECT $1, $2, next.id, parent.id, $4, parent.path || '/' || $4, $5, $6, parent.permission_path || next.id, $7, $7
       FROM next JOIN content_nodes parent ON parent.repository_id = $1 AND parent.id = $3
       RETURNING ${nodeColumns}, n.fields`,
      [caller.repositoryId, caller.tenantId, parent.id, name, type.name, JSON.stringify(fields), caller.userId],
    ),
  );
  // The parent was deleted while we waited for the lock.
  if (!rows[0]) throw notFound();
  return toEntity(rows[0]);
}

/** `Folder`, or `Folder (1)` when that is taken, and so on. */
async function freeName(tx: EntityManager, caller: Caller, parent: ContentEntity, base: string): Promise<string> {
  const rows = await tx.query<{ path_key: string }[]>(
    `SELECT n.path_key FROM content_nodes n
     WHERE n.repository_id = $1 AND n.parent_id = $2 AND starts_with(n.path_key, ${keyOf('$3')})`,
    [caller.repositoryId, parent.id, `${parent.path}/${base}`],
  );
  const taken = new Set(rows.map((row) => row.path_key));
  for (let number = 0; ; number++) {
    const name = number === 0 ? base : `${base} (${number})`;
    if (!taken.has(`${parent.path}/${name}`.toLowerCase())) return name;
  }
}

export interface ContentChange {
  /** Values by field name, as the caller wrote them; `Name` renames. */
  fields: Record<string, unknown>;
  /** Fields that are not named lose their value. */
  replace?: boolean;
  /** The version the caller knows; any if absent. */
  ifVersion?: number | undefined;
}

/**
 * Changes a node's fields, or replaces them, and renames it when they say so. Needs Save. Two statements; two more to
 * rename.
 *
 * @throws VersionMismatch when it has another version than the caller knows.
 * @throws Problem `not-found`, `forbidden`, `invalid-request`, `already-exists`.
 */
export async function updateContent(tx: EntityManager, caller: Caller, address: Address, change: ContentChange): Promise<ContentEntity> {
  const wantedName = Object.entries(change.fields).find(([key]) => key.toLowerCase() === 'name')?.[1];
  if (wantedName !== undefined) await lockShape(tx, caller);
  const node = await readNode(tx, caller, address, { lock: true });
  requireWritable(caller, node.path);
  requirePermission(node, 'Save');
  requireVersion(node, change.ifVersion);
  const type = builtInTypes.find(node.type);
  if (!type) throw new Error(`Node ${node.id} is of the unknown type ${node.type}`);
  const fields = checkFields(builtInTypes, type, change.fields, { whole: change.replace ?? false });
  if (wantedName !== undefined) await rename(tx, caller, node, requireNodeName(wantedName));

  // What the system gives stays when the rest is replaced.
  const kept = builtInTypes
    .fieldsOf(type.name)
    .filter((field) => field.readOnly)
    .map((field) => field.name);
  const [rows] = await tx.query<[NodeRow[], number]>(
    `UPDATE content_nodes n SET
       fields = CASE WHEN $3 THEN (SELECT coalesce(jsonb_object_agg(k.key, k.value), '{}') FROM jsonb_each(n.fields) k WHERE k.key = ANY ($4::text[])) ELSE n.fields END || $5,
       version = n.version + 1, modified_at = now(), modified_by = $6
     WHERE n.repository_id = $1 AND n.id = $2 RETURNING ${nodeColumns}, n.fields`,
    [caller.repositoryId, node.id, change.replace ?? false, kept, JSON.stringify(fields), caller.userId],
  );
  const row = rows[0];
  if (!row) throw notFound();
  // Whoever may save but not open it does not get to read it this way.
  return toEntity({ ...row, fields: node.permissions.has('Open') ? row.fields : null });
}

/** Gives a node another name, and everything below it another path. */
async function rename(tx: EntityManager, caller: Caller, node: ContentEntity, name: string): Promise<void> {
  if (name === node.name) return;
  requireNotBuiltIn(node);
  if (node.type === 'User') throw new Problem('invalid-request', 'The name of a user is its login name, which stays.');
  const path = `${node.path.slice(0, node.path.lastIndexOf('/'))}/${name}`;
  const growth = path.length - node.path.length;
  const rows = await tx.query<{ longest: number }[]>(
    `SELECT max(length(n.path)) AS longest FROM content_nodes n WHERE n.repository_id = $1 AND ${isBelow(keyOf('$2'))}`,
    [caller.repositoryId, node.path],
  );
  if (Math.max(rows[0]?.longest ?? 0, node.path.length) + growth > maxPathLength) {
    throw new Problem('invalid-request', `A path would be longer than ${maxPathLength} characters.`);
  }
  await orNameTaken(
    name,
    tx.query(
      `UPDATE content_nodes n SET path = $4 || substr(n.path, length($3) + 1), name = CASE WHEN n.id = $2 THEN $5 ELSE n.name END
       WHERE n.repository_id = $1 AND (n.id = $2 OR ${isBelow(keyOf('$3'))})`,
      [caller.repositoryId, node.id, node.path, path, name],
    ),
  );
}

function requireNotBuiltIn(node: ContentEntity): void {
  if (node.id < firstFreeId)
    throw new Problem('forbidden', `${node.path} is part of every repository: it can be neither renamed nor deleted.`);
}

/**
 * Deletes a node and everything below it, for good. Needs Delete on all of it. Four statements, however large it is.
 *
 * @returns what was deleted.
 * @throws VersionMismatch when it has another version than the caller knows.
 * @throws Problem `not-found`; `forbidden` also when something below may not be deleted.
 */
export async function deleteContent(tx: EntityManager, caller: Caller, address: Address, ifVersion?: number): Promise<ContentEntity> {
  await lockShape(tx, caller);
  const node = await readNode(tx, caller, address);
  requireWritable(caller, node.path);
  requirePermission(node, 'Delete');
  requireVersion(node, ifVersion);
  requireNotBuiltIn(node);
  await requireDeletableBelow(tx, caller, node);
  await tx.query(
    `WITH doomed AS (
       SELECT n.id FROM content_nodes n WHERE n.repository_id = $1 AND (n.id = $2 OR ${isBelow(keyOf('$3'))})
     ), permissions AS (
       DELETE FROM content_permissions
       WHERE repository_id = $1 AND (node_id IN (SELECT id FROM doomed) OR identity_id IN (SELECT id FROM doomed))
     ), memberships AS (
       DELETE FROM content_group_members
       WHERE repository_id = $1 AND (group_id IN (SELECT id FROM doomed) OR member_id IN (SELECT id FROM doomed))
     )
     DELETE FROM content_nodes WHERE repository_id = $1 AND id IN (SELECT id FROM doomed)`,
    [caller.repositoryId, node.id, node.path],
  );
  return node;
}

/** Delete may have been given on the node alone, or inheritance may be broken below it, so every node is looked at. */
async function requireDeletableBelow(tx: EntityManager, caller: Caller, node: ContentEntity): Promise<void> {
  const rows = await tx.query<{ kept: number; people: number; groups: number[] }[]>(
    `${identitiesClause}, granted AS MATERIALIZED (
       SELECT
         coalesce(array_agg(p.node_id) FILTER (WHERE p.bits & ${permissionBits.Delete} <> 0), '{}') AS below,
         coalesce(array_agg(p.node_id) FILTER (WHERE p.bits & ${permissionBits.Delete << hereOnlyShift} <> 0), '{}') AS here
       FROM content_permissions p WHERE p.repository_id = $1 AND p.identity_id IN (SELECT id FROM identity))
     SELECT
       count(*) FILTER (WHERE NOT (n.permission_path && granted.below OR n.id = ANY (granted.here)))::integer AS kept,
       count(*) FILTER (WHERE n.type = 'User')::integer AS people,
       coalesce(array_agg(n.id) FILTER (WHERE n.type = 'Group'), '{}') AS groups
     FROM content_nodes n CROSS JOIN granted
     WHERE n.repository_id = $1 AND (n.id = $3 OR ${isBelow(keyOf('$4'))})`,
    [caller.repositoryId, ownIdentities(caller.userId), node.id, node.path],
  );
  if (rows[0]?.people) throw new Problem('forbidden', 'There are users below it. Delete them one by one.');
  for (const id of rows[0]?.groups ?? []) await requireAdministratorFor(tx, caller, id);
  if (rows[0]?.kept) throw new Problem('forbidden', `Something below ${node.path} may not be deleted by you.`);
}

async function orNameTaken<T>(name: string, statement: Promise<T>): Promise<T> {
  try {
    return await statement;
  } catch (error) {
    if (violatedConstraint(error) !== 'content_nodes_path') throw error;
    throw new Problem('already-exists', `There is something named ${JSON.stringify(name)} already.`, { cause: error });
  }
}
