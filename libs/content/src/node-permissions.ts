import { Problem } from '@latchkey/contracts';
import type { EntityManager } from '@latchkey/database';
import { requireWritable, type Caller } from './caller.js';
import { namesOf, type Address, type ContentEntity, type PermittedEntity } from './node.js';
import { allPermissions, hereOnly, hereOnlyShift, permissionBits, permissionNames, type ContentPermissionName } from './permissions.js';
import { readNode, readNodes, readNodesAt } from './read.js';
import { lockShape, permissionPathOf, requireNotInTrash, requireVersion, touch } from './shape.js';
import { isBelow, keyOf } from './statement.js';
import { wellKnown } from './well-known.js';

/*
 * Whoever may do everything on a node may say who else may do what there. The Administrators keep everything everywhere, so
 * that nobody can lock a repository's owners out of a part of it.
 */

/** What is given to a user or group on one node. */
export interface Grant {
  identityId: number;
  permissions: ReadonlySet<ContentPermissionName>;
  /** Not inherited by what is below the node. */
  hereOnly: boolean;
}

/** Who may do what on a node. */
export interface NodePermissions {
  /** Nothing is inherited from above. */
  broken: boolean;
  /** Given on the node itself. */
  own: Grant[];
  /** Given above it and in force here, from the nearest node up; empty after a break. */
  inherited: (Grant & { nodeId: number })[];
}

/** Somebody who may do everything there; others see no permissions but their own. */
function requireEverything(node: PermittedEntity): void {
  if (node.permissions.size < permissionNames.length) {
    throw new Problem('forbidden', `Permissions on ${node.path} are for those who may do everything there.`);
  }
}

/**
 * Reads who may do what on a node. For those who may do everything there; it names only users and groups that the caller
 * sees. Three statements.
 *
 * @throws Problem `not-found`, `forbidden`.
 */
export async function readPermissions(tx: EntityManager, caller: Caller, address: Address): Promise<NodePermissions> {
  const node = await readNode(tx, caller, address);
  requireEverything(node);
  const rows = await tx.query<{ node_id: number; identity_id: number; bits: number; broken: boolean }[]>(
    `SELECT p.node_id, p.identity_id, p.bits FROM content_nodes n
     JOIN content_permissions p ON p.repository_id = $1 AND p.node_id = ANY (n.permission_path)
     WHERE n.repository_id = $1 AND n.id = $2
     ORDER BY array_position(n.permission_path, p.node_id) DESC, p.identity_id`,
    [caller.repositoryId, node.id],
  );
  const known = await readNodes(tx, caller, [...new Set(rows.map(({ identity_id }) => identity_id))]);
  const visible = rows.filter(({ identity_id }) => known.has(identity_id));
  const [first] = await permissionPathOf(tx, caller, node.id);
  return {
    broken: first === node.id && node.parentId !== null,
    own: visible.filter(({ node_id }) => node_id === node.id).flatMap(grantsOf),
    inherited: visible
      .filter(({ node_id, bits }) => node_id !== node.id && (bits & allPermissions) !== 0)
      .map((row) => ({
        nodeId: row.node_id,
        identityId: row.identity_id,
        permissions: namesOf(row.bits & allPermissions),
        hereOnly: false,
      })),
  };
}

/** What one row of the table gives. */
export function grantsOf({ identity_id: identityId, bits }: { identity_id: number; bits: number }): Grant[] {
  const inherited = { identityId, permissions: namesOf(bits & allPermissions), hereOnly: false };
  const here = { identityId, permissions: namesOf(bits >> hereOnlyShift), hereOnly: true };
  return [inherited, here].filter(({ permissions }) => permissions.size > 0);
}

export interface PermissionChange {
  /** What these users and groups are given on the node from now on; nothing at all takes away what they had there. */
  grants?: { identity: Address; permissions: Iterable<ContentPermissionName>; hereOnly?: boolean }[];
  /** Break inheritance here, or let the node inherit again. */
  inheritance?: 'break' | 'inherit' | undefined;
  /** On a break, what was inherited until now is given on the node itself. */
  keepInherited?: boolean;
  ifVersion?: number | undefined;
}

/**
 * Changes who may do what on a node and, by inheritance, below it. For those who may do everything there. Up to a dozen
 * statements, however many nodes inherit.
 *
 * @throws VersionMismatch when the node has another version than the caller knows.
 * @throws Problem `not-found`; `forbidden`; `invalid-request` for an identity that is neither a user nor a group the caller sees.
 */
export async function changePermissions(tx: EntityManager, caller: Caller, address: Address, change: PermissionChange): Promise<void> {
  await lockShape(tx, caller);
  const node = await readNode(tx, caller, address, { lock: true });
  requireWritable(caller, node.path);
  requireEverything(node);
  requireNotInTrash(node);
  requireVersion(node, change.ifVersion);
  if (change.inheritance === 'break') await breakInheritance(tx, caller, node, change.keepInherited ?? true);
  if (change.inheritance === 'inherit') await inheritAgain(tx, caller, node);
  if (change.grants?.length) await give(tx, caller, node.id, await newBits(tx, caller, change.grants));
  await touch(tx, caller, node.id);
}

/** Of one identity there may be two entries, one inherited and one not. */
async function newBits(tx: EntityManager, caller: Caller, grants: NonNullable<PermissionChange['grants']>): Promise<Map<number, number>> {
  const bits = new Map<number, number>();
  const nodes = await readNodesAt(
    tx,
    caller,
    grants.map((grant) => grant.identity),
  );
  for (const [index, grant] of grants.entries()) {
    const identity = identityAt(grant.identity, nodes[index]);
    if (identity === wellKnown.administrators) {
      throw new Problem('forbidden', 'What the Administrators may do cannot be changed: they may do everything everywhere.');
    }
    const given = [...grant.permissions].reduce((sum, name) => sum | permissionBits[name], 0);
    bits.set(identity, (bits.get(identity) ?? 0) | (grant.hereOnly ? hereOnly(given) : given));
  }
  return bits;
}

function identityAt(address: Address, identity: ContentEntity | undefined): number {
  if (identity?.type === 'User' || identity?.type === 'Group') return identity.id;
  const detail = `${JSON.stringify('id' in address ? address.id : address.path)} is neither a user nor a group`;
  throw new Problem('invalid-request', `${detail}.`, { errors: [{ pointer: '/identity', detail }] });
}

/** In place of what each of the identities had on the node: nothing, or these bits. */
async function give(tx: EntityManager, caller: Caller, nodeId: number, bits: Map<number, number>): Promise<void> {
  await tx.query('DELETE FROM content_permissions WHERE repository_id = $1 AND node_id = $2 AND identity_id = ANY ($3::integer[])', [
    caller.repositoryId,
    nodeId,
    [...bits.keys()],
  ]);
  await tx.query(
    `INSERT INTO content_permissions (repository_id, tenant_id, node_id, identity_id, bits)
     SELECT $1, $2, $3, given.* FROM unnest($4::integer[], $5::integer[]) AS given (identity_id, bits) WHERE bits <> 0`,
    [caller.repositoryId, caller.tenantId, nodeId, [...bits.keys()], [...bits.values()]],
  );
}

/**
 * The node $2 with path $3, what is below it, and what was deleted from there and waits in the trash: where a change of
 * inheritance holds.
 */
const affected = `n.repository_id = $1 AND n.permission_path @> ARRAY[$2]::integer[]
  AND (n.id = $2 OR ${isBelow(keyOf('$3'))} OR ${isBelow(`'/root/trash'`)})`;

async function breakInheritance(tx: EntityManager, caller: Caller, node: PermittedEntity, keepInherited: boolean): Promise<void> {
  const path = await permissionPathOf(tx, caller, node.id);
  if (node.parentId === null) throw new Problem('invalid-request', 'The root inherits from nothing.');
  if (path[0] === node.id) return;
  await tx.query(
    `INSERT INTO content_permissions AS own (repository_id, tenant_id, node_id, identity_id, bits)
     SELECT $1, $2, $3, p.identity_id, bit_or(p.bits & ${allPermissions}) FROM content_permissions p
     WHERE p.repository_id = $1 AND p.node_id = ANY ($4::integer[]) AND p.node_id <> $3 AND p.bits & ${allPermissions} <> 0
       AND ($5 OR p.identity_id = ${wellKnown.administrators})
     GROUP BY p.identity_id
     ON CONFLICT (repository_id, node_id, identity_id) DO UPDATE SET bits = own.bits | EXCLUDED.bits`,
    [caller.repositoryId, caller.tenantId, node.id, path, keepInherited],
  );
  await tx.query(
    `UPDATE content_nodes n SET permission_path = n.permission_path[array_position(n.permission_path, $2):] WHERE ${affected}`,
    [caller.repositoryId, node.id, node.path],
  );
}

async function inheritAgain(tx: EntityManager, caller: Caller, node: PermittedEntity): Promise<void> {
  const path = await permissionPathOf(tx, caller, node.id);
  if (node.parentId === null || path[0] !== node.id) return;
  await tx.query(`UPDATE content_nodes n SET permission_path = $4::integer[] || n.permission_path WHERE ${affected}`, [
    caller.repositoryId,
    node.id,
    node.path,
    await permissionPathOf(tx, caller, node.parentId),
  ]);
}
