import { Problem } from '@latchkey/contracts';
import type { EntityManager } from '@latchkey/database';
import { requireWritable, type Caller } from './caller.js';
import type { Address, ContentEntity, PermittedEntity } from './node.js';
import { findNode, readNode } from './read.js';
import {
  examineSubtree,
  freeName,
  lockShape,
  orNameTaken,
  permissionPathOf,
  relocate,
  requireAllowedBelow,
  requireNotBuiltIn,
  requireNothingWithheld,
  requireNotInTrash,
  requirePathsFit,
  requirePermission,
  requireVersion,
  touch,
} from './shape.js';
import { isBelow, keyOf } from './statement.js';

/** Nodes that one call copies at most. */
const maxCopied = 50_000;

/**
 * Moves a node and everything below it below another node. Needs Delete on all of it and AddNew on the target. What is
 * given on the nodes themselves, and breaks in inheritance, go along; what was inherited from the old place is inherited from
 * the new one instead. Up to nine statements, however large it is.
 *
 * @throws VersionMismatch when it has another version than the caller knows.
 * @throws Problem `not-found`; `forbidden`; `invalid-request` when the target takes no such type, or is the node itself or
 * below it; `already-exists` when the name is taken there.
 */
export async function moveContent(
  tx: EntityManager,
  caller: Caller,
  address: Address,
  targetAddress: Address,
  ifVersion?: number,
): Promise<ContentEntity> {
  const types = await lockShape(tx, caller);
  const { node, target } = await readBoth(tx, caller, address, targetAddress);
  requirePermission(node, 'Delete');
  requireVersion(node, ifVersion);
  requireNotBuiltIn(node);
  if (node.type === 'ContentType') throw new Problem('conflict', 'A content type stays where content types are.');
  requireWritable(caller, node.path);
  requireAllowedBelow(types, target.type, node.type);
  const facts = await examineSubtree(tx, caller, node, 'Delete');
  requireNothingWithheld(facts, node, 'Delete');
  const path = `${target.path}/${node.name}`;
  requirePathsFit(facts.longest, node.path, path);
  if (node.parentId !== target.id) {
    const permissionPath = await permissionPathOf(tx, caller, target.id);
    await relocate(tx, caller, node, { parentId: target.id, name: node.name, path, permissionPath });
    await touch(tx, caller, node.id);
  }
  // It may be hidden from the caller where it is now.
  return (await findNode(tx, caller, { id: node.id })) ?? { ...node, path, parentId: target.id };
}

/** Both ends of a move or a copy, where the far one is fit for it. */
async function readBoth(
  tx: EntityManager,
  caller: Caller,
  address: Address,
  targetAddress: Address,
): Promise<{ node: PermittedEntity; target: PermittedEntity }> {
  const node = await readNode(tx, caller, address);
  const target = await readNode(tx, caller, targetAddress);
  requireNotInTrash(node);
  requireNotInTrash(target);
  requireWritable(caller, target.path);
  requirePermission(target, 'AddNew');
  if (target.id === node.id || target.path.toLowerCase().startsWith(`${node.path.toLowerCase()}/`)) {
    throw new Problem('invalid-request', `${node.path} cannot be put below itself.`);
  }
  return { node, target };
}

/**
 * Copies a node and everything below it below another node, with fields, references and binaries. Needs Open on all of it
 * and AddNew on the target. References within what is copied lead to the copies. A copy has no permissions of its own: it
 * inherits those of its new place. Up to eight statements, however large it is.
 *
 * @param options.onConflict what to do when its name is taken there: take a free one such as `Report (1)`, or refuse.
 * @returns the copy.
 * @throws Problem as `moveContent`; `invalid-request` also for users, groups and content types, which cannot be copied, and for
 * more than 50,000 nodes.
 */
export async function copyContent(
  tx: EntityManager,
  caller: Caller,
  address: Address,
  targetAddress: Address,
  { onConflict = 'rename', ifVersion }: { onConflict?: 'refuse' | 'rename'; ifVersion?: number | undefined } = {},
): Promise<ContentEntity> {
  const types = await lockShape(tx, caller);
  const { node, target } = await readBoth(tx, caller, address, targetAddress);
  requirePermission(node, 'Open');
  requireVersion(node, ifVersion);
  requireNotBuiltIn(node);
  requireAllowedBelow(types, target.type, node.type);
  const facts = await examineSubtree(tx, caller, node, 'Open');
  requireNothingWithheld(facts, node, 'Open');
  if (facts.unique > 0) throw new Problem('invalid-request', 'Users, groups and content types cannot be copied.');
  if (facts.nodes > maxCopied) throw new Problem('invalid-request', `At most ${maxCopied} contents can be copied in one call.`);
  const name = onConflict === 'rename' ? await freeName(tx, caller, target, node.name) : node.name;
  const path = `${target.path}/${name}`;
  requirePathsFit(facts.longest, node.path, path);
  const firstId = await takeIds(tx, caller, facts.nodes);
  const copies = await copiesOf(tx, caller, node, target.id, firstId);
  await orNameTaken(
    name,
    tx.query(
      `INSERT INTO content_nodes (repository_id, tenant_id, id, parent_id, name, path, type, fields, permission_path, created_by, modified_by)
       SELECT $1, $2, c.copy, c.parent, CASE WHEN n.id = $3 THEN $4 ELSE n.name END, $5 || substr(n.path, length($6) + 1), n.type, n.fields,
         $7::integer[] || c.chain, $8, $8
       FROM jsonb_to_recordset($9) AS c (id integer, copy integer, parent integer, chain integer[])
       JOIN content_nodes n ON n.repository_id = $1 AND n.id = c.id`,
      [
        caller.repositoryId,
        caller.tenantId,
        node.id,
        name,
        path,
        node.path,
        await permissionPathOf(tx, caller, target.id),
        caller.userId,
        JSON.stringify([...copies.values()]),
      ],
    ),
  );
  await copyReferences(tx, caller, copies);
  await copyBinaries(tx, caller, copies);
  return (await findNode(tx, caller, { id: firstId })) ?? { ...node, id: firstId, parentId: target.id, name, path };
}

/** What becomes of one node that is copied. */
interface Copy {
  id: number;
  /** The id of the copy. */
  copy: number;
  parent: number;
  /** Ids of the copies above it, the topmost first, and its own. */
  chain: number[];
}

/** Gives each of a node and what is below it the id of its copy; the node itself gets the first. By the node's id. */
async function copiesOf(
  tx: EntityManager,
  caller: Caller,
  node: ContentEntity,
  parent: number,
  firstId: number,
): Promise<Map<number, Copy>> {
  // A path sorts behind the paths above it, so parents come first.
  const rows = await tx.query<{ id: number; parent_id: number }[]>(
    `SELECT n.id, n.parent_id FROM content_nodes n
     WHERE n.repository_id = $1 AND (n.id = $2 OR ${isBelow(keyOf('$3'))}) ORDER BY n.path_key`,
    [caller.repositoryId, node.id, node.path],
  );
  const copies = new Map<number, Copy>();
  rows.forEach((row, index) => {
    const above = copies.get(row.parent_id);
    const copy = firstId + index;
    copies.set(row.id, { id: row.id, copy, parent: above?.copy ?? parent, chain: [...(above?.chain ?? []), copy] });
  });
  return copies;
}

async function copyReferences(tx: EntityManager, caller: Caller, copies: Map<number, Copy>): Promise<void> {
  const rows = await tx.query<{ node_id: number; field: string; position: number; target_id: number }[]>(
    'SELECT node_id, field, position, target_id FROM content_references WHERE repository_id = $1 AND node_id = ANY ($2::integer[])',
    [caller.repositoryId, [...copies.keys()]],
  );
  if (rows.length === 0) return;
  const idOf = (id: number) => copies.get(id)?.copy ?? id;
  await tx.query(
    `INSERT INTO content_references (repository_id, tenant_id, node_id, field, position, target_id)
     SELECT $1, $2, * FROM unnest($3::integer[], $4::text[], $5::integer[], $6::integer[])`,
    [
      caller.repositoryId,
      caller.tenantId,
      rows.map((row) => idOf(row.node_id)),
      rows.map((row) => row.field),
      rows.map((row) => row.position),
      rows.map((row) => idOf(row.target_id)),
    ],
  );
}

/** The copies share the bytes. */
async function copyBinaries(tx: EntityManager, caller: Caller, copies: Map<number, Copy>): Promise<void> {
  await tx.query(
    `INSERT INTO content_binaries (repository_id, tenant_id, node_id, field, blob_id, file_name, content_type, length)
     SELECT $1, $2, c.copy, b.field, b.blob_id, b.file_name, b.content_type, b.length
     FROM unnest($3::integer[], $4::integer[]) AS c (id, copy) JOIN content_binaries b ON b.repository_id = $1 AND b.node_id = c.id`,
    [caller.repositoryId, caller.tenantId, [...copies.keys()], [...copies.values()].map(({ copy }) => copy)],
  );
}

/** Takes so many ids in a row. @returns the first. */
async function takeIds(tx: EntityManager, caller: Caller, count: number): Promise<number> {
  const [rows] = await tx.query<[{ first: number }[], number]>(
    'UPDATE content_counters SET next_id = next_id + $2 WHERE repository_id = $1 RETURNING next_id - $2 AS first',
    [caller.repositoryId, count],
  );
  if (!rows[0]) throw new Error('The repository has no content root');
  return rows[0].first;
}
