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
  // A character of the database may be two here.
  return path.length <= 2 * maxPathLength && path.startsWith('/') && path.slice(1).split('/').every(isNodeName);
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
 * @param options.lock keeps the node as it is until the transaction ends; others may refer to it meanwhile.
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
     ${lock ? 'FOR NO KEY UPDATE OF n' : ''}`,
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

/** The container of a collection, with the nodes where its reader was given See or Open: those that a node below meets, or not. */
interface Container {
  id: number;
  path_key: string;
  permission_path: number[];
  see: number[];
  see_here: number[];
  open: number[];
  open_here: number[];
}

/**
 * Finds the container and what was given, so that the statement that reads has values to plan with and nothing but nodes to
 * look at. One prepared statement.
 *
 * @param options.planOnce lets PostgreSQL remember the plan of what is prepared and run later in the transaction. Left to itself
 * it plans a statement with a limit anew each time, which takes longer than a page of children by id takes to read.
 * @throws Problem `not-found` when the caller does not see it.
 */
async function readContainer(tx: EntityManager, caller: Caller, address: Address, { planOnce = false } = {}): Promise<Container> {
  if (!leadsSomewhere(address)) throw notFound();
  const parameters = new Parameters(caller.repositoryId, ownIdentities(caller.userId));
  const [container] = await prepared<Container>(
    tx,
    `${grantsClause}
     SELECT n.id, n.path_key, n.permission_path, g.see, g.see_here, g.open, g.open_here
       ${planOnce ? `, set_config('plan_cache_mode', 'force_generic_plan', true)` : ''}
     FROM content_nodes n CROSS JOIN granted g
     WHERE n.repository_id = $1 AND ${addressCondition(parameters, address)} AND ${readableCondition(caller)} AND ${visible}`,
    parameters.values,
  );
  if (!container) throw notFound();
  return container;
}

const isOrIsInTrash = (key: string) => key === trashPath || key.startsWith(`${trashPath}/`);

/**
 * True for the nodes of a collection that meet the grants. Nearly all of them inherit from its container, and then its grants
 * are theirs: that is told by the first place of their permission paths, which takes a third of the time that an overlap does.
 * Not in the trash, where nothing inherits from where it is.
 */
function meetsBelow(container: Container, what: 'see' | 'open', parameters: Parameters): string {
  const inherited = container[what];
  const here = `n.id = ANY (${parameters.add(container[`${what}_here`])}::integer[])`;
  if (inherited.length === 0) return here;
  const [top] = container.permission_path;
  const reaches = !isOrIsInTrash(container.path_key) && container.permission_path.some((id) => inherited.includes(id));
  const first = reaches ? `WHEN n.permission_path[1] = ${parameters.add(top)}::integer THEN true` : '';
  return `CASE ${first} WHEN n.permission_path && ${parameters.add(inherited)}::integer[] THEN true ELSE ${here} END`;
}

/** True for the nodes right below the container, or for everything below it. What is in the trash turns up only for those who look into it. */
function isWithin({ id, path_key: key }: Container, { reach }: Pick<Query, 'reach'>, parameters: Parameters): string {
  if (reach === 'children') return `n.parent_id = ${parameters.add(id)}::integer`;
  const below = isBelow(`${parameters.add(key)}::text`);
  return trashPath.startsWith(`${key}/`) ? `${below} AND ${notInTrash}` : below;
}

/**
 * The part of a statement that finds the nodes of a collection as `n`, with the fields that the caller may open as
 * `f.fields`, so that a filter tells nothing about those it may not.
 */
function fromCollection(parameters: Parameters, caller: Caller, container: Container, query: Query, types: ContentTypes): string {
  const readable = () => readableCondition(caller, () => `${parameters.add(caller.userId)}::integer`);
  const isSeen =
    () => `(n.permission_path && ${parameters.add(container.see)}::integer[] OR n.id = ANY (${parameters.add(container.see_here)}::integer[]))
    AND ${notInTrash} AND ${readable()}`;
  return `FROM content_nodes n
    CROSS JOIN LATERAL (SELECT CASE WHEN ${meetsBelow(container, 'open', parameters)} THEN n.fields END AS fields) f
    WHERE n.repository_id = $1 AND ${isWithin(container, query, parameters)} AND ${meetsBelow(container, 'see', parameters)}
      AND ${readable()}
      AND ${query.filter ? conditionOf(query.filter, parameters, types, isSeen) : 'true'}`;
}

/** A statement without filter and order is one of a few, which are prepared; with them it is any. */
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
 * Reads a page of a collection: what the caller may see of it and nothing else. Two statements, three when filter or order name
 * a field; `Database.read` lets them see one state of things.
 *
 * @throws Problem `not-found` when the caller does not see the address.
 * @throws Problem `invalid-request` when filter or order name a field that no type has, or compare what cannot be compared.
 */
export async function readCollection(tx: EntityManager, caller: Caller, address: Address, query: Query): Promise<ContentEntity[]> {
  const planOnce = query.reach === 'children' && !query.filter && !query.orderBy?.length;
  const container = await readContainer(tx, caller, address, { planOnce });
  const parameters = new Parameters(caller.repositoryId);
  const types = await typesFor(tx, caller, query);
  const rows = await run<NodeRow>(
    tx,
    query,
    `SELECT ${nodeColumns}, f.fields ${fromCollection(parameters, caller, container, query, types)}
     ${query.after ? `AND ${isAfter(query.after, query.orderBy ?? [], parameters, types)}` : ''}
     ORDER BY ${orderOf(query.orderBy ?? [], types)}
     LIMIT ${parameters.add(Math.min(query.top ?? maxPageSize, maxPageSize + 1))} OFFSET ${parameters.add(query.skip ?? 0)}`,
    parameters.values,
  );
  return rows.map(toEntity);
}

/** Counts what `readCollection` would read without `top` and `skip`. As many statements. */
export async function countCollection(
  tx: EntityManager,
  caller: Caller,
  address: Address,
  query: Pick<Query, 'reach' | 'filter'>,
): Promise<number> {
  const container = await readContainer(tx, caller, address);
  const parameters = new Parameters(caller.repositoryId);
  const types = await typesFor(tx, caller, query);
  const rows = await run<{ count: number }>(
    tx,
    query,
    `SELECT count(*)::integer AS count ${fromCollection(parameters, caller, container, query, types)}`,
    parameters.values,
  );
  return rows[0]?.count ?? 0;
}

/** What the caller sees at each of the addresses. One statement for all ids, and one for each path. */
export async function readNodesAt(tx: EntityManager, caller: Caller, addresses: Address[]): Promise<(ContentEntity | undefined)[]> {
  const ids = addresses.flatMap((address) => ('id' in address && leadsSomewhere(address) ? [address.id] : []));
  const byId = await readNodes(tx, caller, ids);
  const found: (ContentEntity | undefined)[] = [];
  for (const address of addresses) found.push('id' in address ? byId.get(address.id) : await findNode(tx, caller, address));
  return found;
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
