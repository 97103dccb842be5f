import { Problem } from '@latchkey/contracts';
import type { EntityManager } from '@latchkey/database';
import { requireWritable, type Caller } from './caller.js';
import { contentTypesOf } from './custom-types.js';
import type { Address, ContentEntity, PermittedEntity } from './node.js';
import { readNode } from './read.js';
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
export const maxCopied = 50_000;

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
  await lockShape(tx, caller);
  const { node, target } = await readBoth(tx, caller, address, targetAddress);
  requirePermission(node, 'Delete');
  requireVersion(node, ifVersion);
  requireNotBuiltIn(node);
  if (node.type === 'ContentType') throw new Problem('conflict', 'A content type stays where content types are.');
  requireWritable(caller, node.path);
  requireAllowedBelow(await contentTypesOf(tx, caller.repositoryId), target.type, node.type);
  const facts = await examineSubtree(tx, caller, node, 'Delete');
  requireNothingWithheld(facts, node, 'Delete');
  const path = `${target.path}/${node.name}`;
  requirePathsFit(facts.longest, node.path, path);
  if (node.parentId !== target.id) {
    const permissionPath = await permissionPathOf(tx, caller, target.id);
    await relocate(tx, caller, node, { parentId: target.id, name: node.name, path, permissionPath });
    await touch(tx, caller, node.id);
  }
  return { ...(await readNode(tx, caller, { id: node.id }).catch(() => ({ ...node, path, parentId: target.id }))) };
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
  { onConflict = 'rename' }: { onConflict?: 'refuse' | 'rename' } = {},
): Promise<ContentEntity> {
  await lockShape(tx, caller);
  const { node, target } = await readBoth(tx, caller, address, targetAddress);
  requirePermission(node, 'Open');
  requireNotBuiltIn(node);
  requireAllowedBelow(await contentTypesOf(tx, caller.repositoryId), target.type, node.type);
  const facts = await examineSubtree(tx, caller, node, 'Open');
  requireNothingWithheld(facts, node, 'Open');
  if (facts.unique > 0) throw new Problem('invalid-request', 'Users, groups and content types cannot be copied.');
  if (facts.nodes > maxCopied) throw new Problem('invalid-request', `At most ${maxCopied} contents can be copied in one call.`);
  const name = onConflict === 'rename' ? await freeName(tx, caller, target, node.name) : node.name;
  const path = `${target.path}/${name}`;
  requirePathsFit(facts.longest, node.path, path);
  const firstId = await takeIds(tx, caller, facts.nodes);
  const values = [caller.repositoryId, node.id, node.path, firstId];
  await orNameTaken(
    name,
    tx.query(
      `${copiesClause}
       INSERT INTO content_nodes (repository_id, tenant_id, id, parent_id, name, path, type, fields, permission_path, created_by, modified_by)
       SELECT $1, $5, c.new_id, CASE WHEN n.id = $2 THEN $6 ELSE p.new_id END, CASE WHEN n.id = $2 THEN $7 ELSE n.name END,
         $8 || substr(n.path, length($3) + 1), n.type, n.fields, $9::integer[] || c.chain, $10, $10
       FROM copies c JOIN content_nodes n ON n.repository_id = $1 AND n.id = c.id LEFT JOIN copies p ON p.id = n.parent_id`,
      [...values, caller.tenantId, target.id, name, path, await permissionPathOf(tx, caller, target.id), caller.userId],
    ),
  );
  await tx.query(
    `${copiesClause}
     INSERT INTO content_references (repository_id, tenant_id, node_id, field, position, target_id)
     SELECT $1, $5, c.new_id, r.field, r.position, coalesce(t.new_id, r.target_id)
     FROM copies c JOIN content_references r ON r.repository_id = $1 AND r.node_id = c.id LEFT JOIN copies t ON t.id = r.target_id`,
    [...values, caller.tenantId],
  );
  return readNode(tx, caller, { id: firstId });
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

/**
 * What is copied, with the ids that the copies get, the node itself first, and the ids of the copies above each of them and
 * its own. $1 the repository, $2 and $3 the id and path of the node, $4 the first id.
 */
const copiesClause = `
  WITH RECURSIVE numbered AS MATERIALIZED (
    SELECT n.id, n.parent_id, ($4::integer + row_number() OVER (ORDER BY n.path_key) - 1)::integer AS new_id
    FROM content_nodes n WHERE n.repository_id = $1 AND (n.id = $2 OR ${isBelow(keyOf('$3'))})
  ), copies (id, new_id, chain) AS (
    SELECT id, new_id, ARRAY[new_id] FROM numbered WHERE id = $2
    UNION ALL
    SELECT n.id, n.new_id, c.chain || n.new_id FROM copies c JOIN numbered n ON n.parent_id = c.id
  )`;
