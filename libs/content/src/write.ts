import { Problem } from '@latchkey/contracts';
import { prepared, type EntityManager } from '@latchkey/database';
import { builtInTypes } from './built-in-types.js';
import { requireWritable, type Caller } from './caller.js';
import type { ContentTypes } from './content-types.js';
import { checkType, contentTypesOf, normalDefinition } from './custom-types.js';
import { checkFields } from './field-values.js';
import { nodeColumns, toEntity, type Address, type ContentEntity, type NodeRow } from './node.js';
import { maxPathLength, nameFrom, requireNodeName } from './node-name.js';
import { notFound, readNode } from './read.js';
import { writeReferences } from './references.js';
import {
  freeName,
  lockShape,
  orNameTaken,
  relocate,
  requireAllowedBelow,
  requireNotBuiltIn,
  requireNotInTrash,
  requirePathsFit,
  requirePermission,
  requireVersion,
} from './shape.js';
import { isBelow, keyOf } from './statement.js';

export interface NewContent {
  /** Name of a content type. */
  type: string;
  /** Made from the display name or the type, and free, if absent. */
  name?: unknown;
  /** Values by field name, as the caller wrote them. */
  fields: Record<string, unknown>;
}

/**
 * Puts a new node below another. Needs AddNew there. Three statements, four when the name is to be made; more for references
 * and for a content type.
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
  requireNotInTrash(parent);
  const types = await lockShape(tx, caller);
  const type = types.find(content.type);
  // A person is more than a node: users.ts makes both.
  if (type?.name === 'User') throw new Problem('invalid-request', 'Users are made below /Root/IMS/Public.');
  if (!type) throw new Problem('invalid-request', `There is no content type ${JSON.stringify(content.type)}.`);
  requireAllowedBelow(types, parent.type, type.name);
  const input = type.name === 'ContentType' ? normalDefinition(content.fields) : content.fields;
  const { fields, references } = checkFields(types, type, input, { whole: true });
  const wanted = content.name === undefined ? undefined : requireNodeName(content.name);

  const name = wanted ?? (await freeName(tx, caller, parent, nameFrom(String(fields['DisplayName'] ?? '')) || type.name));
  // Clients show the display name, so there is one.
  fields['DisplayName'] ??= name;
  if (parent.path.length + 1 + name.length > maxPathLength)
    throw new Problem('invalid-request', `The path would be longer than ${maxPathLength} characters.`);
  if (type.name === 'ContentType') await checkType(tx, caller.repositoryId, { name, definition: String(fields['Definition']) });
  const rows = await orNameTaken(
    name,
    prepared<NodeRow>(
      tx,
      `WITH next AS (UPDATE content_counters SET next_id = next_id + 1 WHERE repository_id = $1 RETURNING next_id - 1 AS id)
       INSERT INTO content_nodes AS n (repository_id, tenant_id, id, parent_id, name, path, type, fields, permission_path, created_by, modified_by)
       SELECT $1, $2, next.id, parent.id, $4, parent.path || '/' || $4, $5, $6, parent.permission_path || next.id, $7, $7
       FROM next JOIN content_nodes parent ON parent.repository_id = $1 AND parent.id = $3 AND parent.path = $8
       RETURNING ${nodeColumns}, n.fields`,
      [caller.repositoryId, caller.tenantId, parent.id, name, type.name, JSON.stringify(fields), caller.userId, parent.path],
    ),
  );
  // The parent was deleted or moved while we waited for the lock.
  if (!rows[0]) throw notFound();
  const made = toEntity(rows[0]);
  await writeReferences(tx, caller, made, types, references);
  return made;
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
 * Changes a node's fields, or replaces them, and renames it when they say so. Needs Save. Three statements; two more to
 * rename, and more for references and for a content type.
 *
 * @throws VersionMismatch when it has another version than the caller knows.
 * @throws Problem `not-found`, `forbidden`, `invalid-request`, `already-exists`; `conflict` when a content type would no longer
 * fit the content that there is.
 */
export async function updateContent(tx: EntityManager, caller: Caller, address: Address, change: ContentChange): Promise<ContentEntity> {
  const given = new Map(Object.entries(change.fields).map(([key, value]) => [key.toLowerCase(), value]));
  const wantedName = given.get('name');
  if (wantedName !== undefined || given.has('definition') || (await isReferring(tx, caller, [...given.keys()])))
    await lockShape(tx, caller);
  const node = await readNode(tx, caller, address, { lock: true });
  requireWritable(caller, node.path);
  requirePermission(node, 'Save');
  requireNotInTrash(node);
  requireVersion(node, change.ifVersion);
  // No lock: while there is content of a type it only takes more than before.
  const types = await contentTypesOf(tx, caller.repositoryId);
  const type = types.find(node.type);
  if (!type) throw new Error(`Node ${node.id} is of the unknown type ${node.type}`);
  const input = type.name === 'ContentType' ? normalDefinition(change.fields) : change.fields;
  const { fields, references } = checkFields(types, type, input, { whole: change.replace ?? false });
  if (wantedName !== undefined) await rename(tx, caller, node, requireNodeName(wantedName));
  if (type.name === 'ContentType') await changeType(tx, caller, node, fields['Definition']);

  // What the system gives stays when the rest is replaced.
  const kept = types
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
  await writeReferences(tx, caller, node, types, change.replace ? { ...noReferences(types, node.type), ...references } : references);
  // Whoever may save but not open it does not get to read it this way.
  return toEntity({ ...row, fields: node.permissions.has('Open') ? row.fields : null });
}

/**
 * True when one of the fields is a reference. Writing it holds what it leads to, which may be on its way elsewhere with the node
 * itself: then the two would wait for each other. One statement for a field of a repository's own, and none for others.
 */
async function isReferring(tx: EntityManager, caller: Caller, names: string[]): Promise<boolean> {
  const own = names.filter((name) => !name.startsWith('__') && !builtInTypes.field(name));
  if (own.length === 0) return false;
  const types = await contentTypesOf(tx, caller.repositoryId);
  return own.some((name) => types.field(name)?.kind === 'Reference');
}

/** Every reference that a caller may write, leading nowhere. */
function noReferences(types: ContentTypes, typeName: string): Record<string, Address[]> {
  const written = types.fieldsOf(typeName).filter(({ kind, readOnly }) => kind === 'Reference' && !readOnly);
  return Object.fromEntries(written.map(({ name }) => [name, []]));
}

/** Whoever changes a type holds the lock on the tree's shape, so that no content of it is made meanwhile. */
async function changeType(tx: EntityManager, caller: Caller, node: ContentEntity, definition: unknown): Promise<void> {
  const rows = await tx.query<{ definition: string }[]>(
    `SELECT fields ->> 'Definition' AS definition FROM content_nodes WHERE repository_id = $1 AND id = $2`,
    [caller.repositoryId, node.id],
  );
  const before = rows[0]?.definition ?? '';
  await checkType(tx, caller.repositoryId, { name: node.name, definition: typeof definition === 'string' ? definition : before }, before);
}

/** Gives a node another name, and everything below it another path. */
async function rename(tx: EntityManager, caller: Caller, node: ContentEntity, name: string): Promise<void> {
  if (name === node.name) return;
  requireNotBuiltIn(node);
  if (node.type === 'User') throw new Problem('invalid-request', 'The name of a user is its login name, which stays.');
  if (node.type === 'ContentType') throw new Problem('conflict', 'The name of a content type cannot change: content goes by it.');
  const path = `${node.path.slice(0, node.path.lastIndexOf('/'))}/${name}`;
  const rows = await tx.query<{ longest: number }[]>(
    `SELECT max(length(n.path)) AS longest FROM content_nodes n WHERE n.repository_id = $1 AND ${isBelow(keyOf('$2'))}`,
    [caller.repositoryId, node.path],
  );
  requirePathsFit(rows[0]?.longest ?? 0, node.path, path);
  await relocate(tx, caller, node, { parentId: node.parentId, name, path });
}
