import { Problem } from '@latchkey/contracts';
import { prepared, type EntityManager } from '@latchkey/database';
import { ownIdentities, readableCondition, type Caller } from './caller.js';
import type { ContentTypes, FieldDefinition } from './content-types.js';
import { nodeColumns, toEntity, type Address, type ContentEntity, type NodeRow } from './node.js';
import { findNode, grantsClause, opened, readNodes, visible } from './read.js';
import { notInTrash } from './statement.js';

/*
 * A reference leads from a field of a node to other nodes. It is a row, not a value in the node's fields, so that it is gone
 * when either of the two is. While one of them is in the trash it is there but does not show.
 */

/** What the references of one node lead to, by the field's name. */
export type References = Map<string, ContentEntity[]>;

/**
 * Follows reference fields of some nodes: those of a type, the members of groups, and who made and changed a node. Gives only
 * what the caller may see, and nothing for a node that the caller may not open. At most two statements for a whole page.
 *
 * @param fields names of reference fields as the types have them.
 * @returns what each node's references lead to, in their order, by the node's id.
 */
export async function readReferences(
  tx: EntityManager,
  caller: Caller,
  nodes: ContentEntity[],
  fields: string[],
): Promise<Map<number, References>> {
  const found = new Map<number, References>(nodes.map(({ id }) => [id, new Map()]));
  const put = (nodeId: number, field: string, target: ContentEntity | undefined) => {
    const references = found.get(nodeId);
    if (references && target) references.set(field, [...(references.get(field) ?? []), target]);
  };
  const opened = nodes.filter((node) => node.fields);
  const stored = fields.filter((field) => field !== 'CreatedBy' && field !== 'ModifiedBy');
  if (opened.length > 0 && stored.length > 0) {
    for (const row of await readStored(tx, caller, opened, stored)) put(row.source_id, row.field, toEntity(row));
  }
  if (stored.length < fields.length) {
    const users = await readNodes(tx, caller, [...new Set(opened.flatMap(({ createdBy, modifiedBy }) => [createdBy, modifiedBy]))]);
    for (const node of opened) {
      if (fields.includes('CreatedBy')) put(node.id, 'CreatedBy', users.get(node.createdBy));
      if (fields.includes('ModifiedBy')) put(node.id, 'ModifiedBy', users.get(node.modifiedBy));
    }
  }
  return found;
}

/**
 * Ids of what one reference field of some nodes leads to, by the node's id and in their order, whether the caller may see them
 * or not. One statement.
 */
export async function readTargets(
  tx: EntityManager,
  repositoryId: string,
  nodes: ContentEntity[],
  field: string,
): Promise<Map<number, number[]>> {
  const rows = await prepared<{ id: number; targets: number[] }>(
    tx,
    `SELECT r.node_id AS id, array_agg(r.target_id ORDER BY r.position) AS targets
     FROM content_references r JOIN content_nodes n ON n.repository_id = $1 AND n.id = r.target_id
     WHERE r.repository_id = $1 AND r.field = $3 AND r.node_id = ANY ($2::integer[]) AND ${notInTrash} GROUP BY r.node_id`,
    [repositoryId, nodes.map(({ id }) => id), field],
  );
  return new Map(rows.map((row) => [row.id, row.targets]));
}

function readStored(tx: EntityManager, caller: Caller, nodes: ContentEntity[], fields: string[]) {
  return prepared<NodeRow & { source_id: number; field: string }>(
    tx,
    `${grantsClause}, leads AS (
       SELECT r.node_id, r.field, r.position, r.target_id FROM content_references r
       WHERE r.repository_id = $1 AND r.node_id = ANY ($3::integer[]) AND r.field = ANY ($4::text[])
       UNION ALL
       SELECT m.group_id, 'Members', m.member_id, m.member_id FROM content_group_members m
       WHERE m.repository_id = $1 AND m.group_id = ANY ($3::integer[]) AND 'Members' = ANY ($4::text[]))
     SELECT r.node_id AS source_id, r.field, ${nodeColumns}, CASE WHEN ${opened} THEN n.fields END AS fields
     FROM leads r JOIN content_nodes n ON n.repository_id = $1 AND n.id = r.target_id
     WHERE ${visible} AND ${readableCondition(caller)} AND ${notInTrash}
     ORDER BY r.node_id, r.field, r.position`,
    [caller.repositoryId, ownIdentities(caller.userId), nodes.map(({ id }) => id), fields],
  );
}

/**
 * Finds who refers to a node: the nodes whose fields lead to it, as far as the caller may open them, since what a field holds
 * is for those who may open its node. One statement; the page ends at `limit`.
 *
 * @throws Problem `not-found` when the caller does not see the target.
 */
export async function readReferrers(
  tx: EntityManager,
  caller: Caller,
  target: Address,
  { field, limit = 1_000 }: { field?: string; limit?: number } = {},
): Promise<ContentEntity[]> {
  const node = await findNode(tx, caller, target);
  if (!node) throw new Problem('not-found', 'There is no such content.');
  const rows = await prepared<NodeRow>(
    tx,
    `${grantsClause}, referring AS (
       SELECT r.node_id FROM content_references r
       WHERE r.repository_id = $1 AND r.target_id = $3 AND ($4::text IS NULL OR r.field = $4)
       UNION
       SELECT m.group_id FROM content_group_members m
       WHERE m.repository_id = $1 AND m.member_id = $3 AND ($4::text IS NULL OR $4 = 'Members'))
     SELECT ${nodeColumns}, n.fields FROM referring r JOIN content_nodes n ON n.repository_id = $1 AND n.id = r.node_id
     WHERE ${visible} AND ${opened} AND ${readableCondition(caller)} AND ${notInTrash}
     ORDER BY n.id LIMIT $5`,
    [caller.repositoryId, ownIdentities(caller.userId), node.id, field ?? null, limit],
  );
  return rows.map(toEntity);
}

/**
 * Makes reference fields of a node lead to these targets and nowhere else. The caller has authorised the act on the node.
 * Two statements for each field.
 *
 * @param references targets by the name of the field, as `checkFields` gives them.
 * @throws Problem `invalid-request` for a target that the caller does not see, or of a type that the field does not take.
 */
export async function writeReferences(
  tx: EntityManager,
  caller: Caller,
  node: { id: number; type: string },
  types: ContentTypes,
  references: Record<string, Address[]>,
): Promise<void> {
  for (const field of types.fieldsOf(node.type)) {
    const targets = references[field.name];
    if (!targets) continue;
    await replaceTargets(tx, caller, node.id, field.name, await resolve(tx, caller, types, field, targets));
  }
}

async function replaceTargets(tx: EntityManager, caller: Caller, nodeId: number, field: string, ids: number[]): Promise<void> {
  await tx.query('DELETE FROM content_references WHERE repository_id = $1 AND node_id = $2 AND field = $3', [
    caller.repositoryId,
    nodeId,
    field,
  ]);
  if (ids.length === 0) return;
  await tx.query(
    `INSERT INTO content_references (repository_id, tenant_id, node_id, field, position, target_id)
     SELECT $1, $2, $3, $4, t.position, t.id FROM unnest($5::integer[]) WITH ORDINALITY AS t (id, position)`,
    [caller.repositoryId, caller.tenantId, nodeId, field, ids],
  );
}

/** The targets' ids in their order, each once. */
async function resolve(
  tx: EntityManager,
  caller: Caller,
  types: ContentTypes,
  field: FieldDefinition,
  targets: Address[],
): Promise<number[]> {
  const ids = new Set<number>();
  const byId = await readNodes(
    tx,
    caller,
    targets.flatMap((target) => ('id' in target && isId(target.id) ? [target.id] : [])),
  );
  for (const target of targets) {
    const found = 'id' in target ? byId.get(target.id) : await findNode(tx, caller, target);
    const type = found && types.find(found.type);
    const fits = type && (!field.allowedTypes || field.allowedTypes.some((allowed) => types.isA(type, allowed)));
    if (!fits) throw unfit(field, target, found ? `is no ${field.allowedTypes?.join(' or ') ?? 'content'}` : 'is not there');
    ids.add(found.id);
  }
  return [...ids];
}

const isId = (id: number) => Number.isInteger(id) && id > 0 && id <= 2_147_483_647;

function unfit(field: FieldDefinition, target: Address, why: string): Problem {
  const detail = `leads to ${JSON.stringify('id' in target ? target.id : target.path)}, which ${why}`;
  return new Problem('invalid-request', `${field.name} ${detail}.`, { errors: [{ pointer: `/${field.name}`, detail }] });
}
