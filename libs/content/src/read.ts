import { Problem } from '@latchkey/contracts';
import { prepared, type EntityManager } from '@latchkey/database';
import { builtInTypes } from './built-in-types.js';
import { ownIdentities, readableCondition, type Caller } from './caller.js';
import type { ContentTypes } from './content-types.js';
import { contentTypesOf } from './custom-types.js';
import { conditionOf, isAfter, orderOf, type Cursor, type Expression, type Order } from './filter.js';
import { namesOf, nodeColumns, toEntity, type Address, type ContentEntity, type NodeRow, type PermittedEntity } from './node.js';
import { isNodeName, maxPathLength } from './node-name.js';
import { allPermissions, hereOnlyShift, permissionBits } from './permissions.js';
import { identitiesClause, isBelow, keyOf, notInTrash, Parameters, trashPath } from './statement.js';

/** Whoever looks for what is not there, or not for them, learns no more than this. */
export function notFound(): Problem {
  return new Problem('not-found', 'There is no such content.');
}

/** True when something could be there; what is not a path is simply not found. */
function leadsSomewhere(address: Address): boolean {
  if ('id' in address) return Number.isInteger(address.id) && address.id > 0 && address.id <= 2_147_483_647;
  const { path } = address;
  return path.length <= maxPathLength && path.startsWith('/') && path.slice(1).split('/').every(isNodeName);
}

function addressCondition(parameters: Parameters, address: Address): string {
  return 'id' in address ? `n.id = ${parameters.add(address.id)}` : `n.path_key = ${keyOf(parameters.add(address.path))}`;
}

/** What the identities may do on the node `n`, as bits: given on it or above it, up to a break; or on it only. */
const effectiveBits = `(
  SELECT coalesce(bit_or(p.bits | CASE WHEN p.node_id = n.id THEN p.bits >> ${hereOnlyShift} ELSE 0 END), 0) & ${allPermissions}
  FROM content_permissions p
  WHERE p.repository_id = $1 AND p.node_id = ANY (n.permission_path) AND p.identity_id IN (SELECT id FROM identity))`;

/**
 * Reads one node, with what the caller may do on it. One prepared statement by the primary key or the unique index of paths;
 * the permissions above the node are read by their primary key.
 *
 * @param options.lock keeps the node as it is until the transaction ends.
 * @throws Problem `not-found` when it is not there or the caller may not see it.
 */
export async function readNode(tx: EntityManager, caller: Caller, address: Address, { lock = false } = {}): Promise<PermittedEntity> {
  const node = await findNode(tx, caller, address, { lock });
  if (!node) throw notFound();
  return node;
}

/** Like `readNode`, but gives nothing where that throws. */
export async function findNode(
  tx: EntityManager,
  caller: Caller,
  address: Address,
  { lock = false } = {},
): Promise<PermittedEntity | undefined> {
  if (!leadsSomewhere(address)) return undefined;
  const parameters = new Parameters(caller.repositoryId, ownIdentities(caller.userId));
  const rows = await prepared<NodeRow & { bits: number }>(
    tx,
    `${identitiesClause}
     SELECT ${nodeColumns}, may.bits, CASE WHEN may.bits & ${permissionBits.Open} <> 0 THEN n.fields END AS fields
     FROM content_nodes n CROSS JOIN LATERAL (SELECT ${effectiveBits} AS bits OFFSET 0) may
     WHERE n.repository_id = $1 AND ${addressCondition(parameters, address)} AND ${readableCondition(caller)}
       AND may.bits & ${permissionBits.See} <> 0
     ${lock ? 'FOR UPDATE OF n' : ''}`,
    parameters.values,
  );
  const row = rows[0];
  return row && { ...toEntity(row), permissions: namesOf(row.bits) };
}

/**
 * Says what someone may do on a node that the caller sees. One statement more than reading the node.
 *
 * @param identityId a user or group.
 */
export async function permissionsOf(
  tx: EntityManager,
  caller: Caller,
  identityId: number,
  nodeId: number,
): Promise<PermittedEntity['permissions']> {
  const rows = await prepared<{ bits: number }>(
    tx,
    `${identitiesClause} SELECT ${effectiveBits} AS bits FROM content_nodes n WHERE n.repository_id = $1 AND n.id = $3`,
    [caller.repositoryId, ownIdentities(identityId), nodeId],
  );
  return namesOf(rows[0]?.bits ?? 0);
}

/** Which nodes of a collection to read, in which order. */
export interface Query {
  /** The nodes right below the address, or everything below it. */
  reach: 'children' | 'subtree';
  filter?: Expression | undefined;
  /** Ties are broken by id, so that pages do not overlap. */
  orderBy?: Order[];
  top?: number | undefined;
  skip?: number;
  /** Where an earlier page of the same query ended. */
  after?: Cursor | undefined;
}

/**
 * Nodes where the identities were given See or Open. Reckoned once for a whole collection; then a node is visible when its
 * permission path meets them.
 */
export const grantsClause = `${identitiesClause}, granted AS MATERIALIZED (
    SELECT
      coalesce(array_agg(p.node_id) FILTER (WHERE p.bits & ${permissionBits.See} <> 0), '{}') AS see,
      coalesce(array_agg(p.node_id) FILTER (WHERE p.bits & ${permissionBits.See << hereOnlyShift} <> 0), '{}') AS see_here,
      coalesce(array_agg(p.node_id) FILTER (WHERE p.bits & ${permissionBits.Open} <> 0), '{}') AS open,
      coalesce(array_agg(p.node_id) FILTER (WHERE p.bits & ${permissionBits.Open << hereOnlyShift} <> 0), '{}') AS open_here
    FROM content_permissions p
    WHERE p.repository_id = $1 AND p.identity_id IN (SELECT id FROM identity))`;

/**
 * True for the nodes that meet the grants. CASE, because the planner takes an overlap of arrays that it does not know for
 * next to impossible, and would then sort a whole collection to give one page of it.
 */
const meets = (inherited: string, here: string) =>
  `CASE WHEN n.permission_path && (SELECT ${inherited} FROM granted) THEN true ELSE n.id = ANY ((SELECT ${here} FROM granted)::integer[]) END`;
export const visible = meets('see', 'see_here');
export const opened = meets('open', 'open_here');

/**
 * The same for the nodes of a collection. Nearly all of them inherit from its container, and then its grants are theirs: that is
 * told by the first place of their permission paths, which takes a third of the time that an overlap does. Not in the trash,
 * where nothing inherits from where it is.
 */
const meetsBelow = (inherited: string, here: string) =>
  `CASE WHEN n.permission_path[1] = (SELECT top_${inherited} FROM container) THEN true
    WHEN n.permission_path && (SELECT ${inherited} FROM granted) THEN true ELSE n.id = ANY ((SELECT ${here} FROM granted)::integer[]) END`;

/** The break above the container, or the root, if what was given up to there reaches the container; else nothing. */
const topOf = (inherited: string) =>
  `CASE WHEN n.permission_path && (SELECT ${inherited} FROM granted) AND n.path_key <> '${trashPath}' AND ${notInTrash}
    THEN n.permission_path[1] END AS top_${inherited}`;

/**
 * The part of a statement that finds the nodes of a collection as `n`, with the fields that the caller may open as
 * `f.fields`, so that a filter tells nothing about those it may not.
 */
function fromCollection(parameters: Parameters, caller: Caller, address: Address, query: Query, types: ContentTypes): string {
  const container = `container AS (
    SELECT n.id, n.path_key, ${topOf('see')}, ${topOf('open')} FROM content_nodes n
    WHERE n.repository_id = $1 AND ${addressCondition(parameters, address)} AND ${readableCondition(caller)} AND ${visible})`;
  // What is in the trash turns up only for those who look into the trash.
  const below =
    query.reach === 'children'
      ? 'n.parent_id = (SELECT id FROM container)'
      : `${isBelow('(SELECT path_key FROM container)')} AND (${notInTrash} OR (SELECT path_key FROM container) >= '${trashPath}')`;
  return `${grantsClause}, ${container}
    SELECT /* columns */
    FROM content_nodes n CROSS JOIN LATERAL (SELECT CASE WHEN ${meetsBelow('open', 'open_here')} THEN n.fields END AS fields) f
    WHERE n.repository_id = $1 AND ${below} AND ${meetsBelow('see', 'see_here')} AND ${readableCondition(caller)}
      AND ${query.filter ? conditionOf(query.filter, parameters, types) : 'true'}`;
}

/** A statement without filter and order is one of a few and is prepared; with them it is planned each time. */
async function run<Row>(tx: EntityManager, query: Pick<Query, 'filter' | 'orderBy'>, text: string, values: unknown[]): Promise<Row[]> {
  return query.filter || query.orderBy?.length ? tx.query<Row[]>(text, values) : prepared<Row>(tx, text, values);
}

/** The types are asked for only when the query names a field or a type. */
async function typesFor(tx: EntityManager, caller: Caller, { filter, orderBy }: Partial<Query>): Promise<ContentTypes> {
  return filter || orderBy?.length ? contentTypesOf(tx, caller.repositoryId) : builtInTypes;
}

/** Nodes that one page holds at most, besides one more that tells that there are more. */
export const maxPageSize = 10_000;

/**
 * Reads a page of a collection: what the caller may see of it and nothing else. One statement, prepared when there is neither
 * filter nor order; a second when the page is
 * empty, to tell an empty collection from one that is not there.
 *
 * @throws Problem `not-found` when the caller does not see the address.
 * @throws Problem `invalid-request` when filter or order name a field that no type has, or compare what cannot be compared.
 */
export async function readCollection(tx: EntityManager, caller: Caller, address: Address, query: Query): Promise<ContentEntity[]> {
  if (!leadsSomewhere(address)) throw notFound();
  const parameters = new Parameters(caller.repositoryId, ownIdentities(caller.userId));
  const types = await typesFor(tx, caller, query);
  const from = fromCollection(parameters, caller, address, query, types);
  const rows = await run<NodeRow>(
    tx,
    query,
    `${from.replace('/* columns */', `${nodeColumns}, f.fields`)}
     ${query.after ? `AND ${isAfter(query.after, query.orderBy ?? [], parameters, types)}` : ''}
     ORDER BY ${orderOf(query.orderBy ?? [], types)}
     LIMIT ${parameters.add(Math.min(query.top ?? maxPageSize, maxPageSize + 1))} OFFSET ${parameters.add(query.skip ?? 0)}`,
    parameters.values,
  );
  if (rows.length === 0) await readNode(tx, caller, address);
  return rows.map(toEntity);
}

/** Counts what `readCollection` would read without `top` and `skip`. One statement, two when there is nothing. */
export async function countCollection(
  tx: EntityManager,
  caller: Caller,
  address: Address,
  query: Pick<Query, 'reach' | 'filter'>,
): Promise<number> {
  if (!leadsSomewhere(address)) throw notFound();
  const parameters = new Parameters(caller.repositoryId, ownIdentities(caller.userId));
  const types = await typesFor(tx, caller, query);
  const from = fromCollection(parameters, caller, address, query, types);
  const rows = await run<{ count: number }>(tx, query, from.replace('/* columns */', 'count(*)::integer AS count'), parameters.values);
  const count = rows[0]?.count ?? 0;
  if (count === 0) await readNode(tx, caller, address);
  return count;
}

/** Those of the nodes that the caller may see, by id. One statement. */
export async function readNodes(tx: EntityManager, caller: Caller, ids: number[]): Promise<Map<number, ContentEntity>> {
  if (ids.length === 0) return new Map();
  const rows = await prepared<NodeRow>(
    tx,
    `${grantsClause}
     SELECT ${nodeColumns}, CASE WHEN ${opened} THEN n.fields END AS fields
     FROM content_nodes n WHERE n.repository_id = $1 AND n.id = ANY ($3) AND ${visible} AND ${readableCondition(caller)}`,
    [caller.repositoryId, ownIdentities(caller.userId), ids],
  );
  return new Map(rows.map((row) => [row.id, toEntity(row)]));
}
