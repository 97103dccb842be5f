import { Problem } from '@latchkey/contracts';
import { prepared, type EntityManager } from '@latchkey/database';
import type { Caller } from './caller.js';
import type { ContentTypes, FieldDefinition } from './content-types.js';
import type { Address, ContentEntity } from './node.js';
import { readNodesAt } from './read.js';
import { notInTrash } from './statement.js';

/*
 * A reference leads from a field of a node to other nodes. It is a row, not a value in the node's fields, so that it is gone
 * when either of the two is. While one of them is in the trash it is there but does not show.
 */

/**
 * Ids of what one reference field of some nodes leads to, by the node's id and in their order, whether anybody may see it or
 * not: who shows it asks `readNodes`, and asks only about nodes that the caller may open. One statement.
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
  const nodes = await readNodesAt(tx, caller, targets);
  for (const [index, target] of targets.entries()) {
    const found = nodes[index];
    const type = found && types.find(found.type);
    const fits = type && (!field.allowedTypes || field.allowedTypes.some((allowed) => types.isA(type, allowed)));
    if (!fits) throw unfit(field, target, found ? `is no ${field.allowedTypes?.join(' or ') ?? 'content'}` : 'is not there');
    ids.add(found.id);
  }
  return [...ids];
}

function unfit(field: FieldDefinition, target: Address, why: string): Problem {
  const detail = `leads to ${JSON.stringify('id' in target ? target.id : target.path)}, which ${why}`;
  return new Problem('invalid-request', `${field.name} ${detail}.`, { errors: [{ pointer: `/${field.name}`, detail }] });
}
