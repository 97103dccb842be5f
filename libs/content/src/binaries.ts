import { Problem } from '@latchkey/contracts';
import { newId, prepared, type EntityManager } from '@latchkey/database';
import { requireWritable, type Caller } from './caller.js';
import { contentTypesOf } from './custom-types.js';
import type { Address, ContentEntity, PermittedEntity } from './node.js';
import { requireNodeName } from './node-name.js';
import { findNode, readNode } from './read.js';
import { lockShape, requireNotInTrash, requirePermission, requireVersion, touch } from './shape.js';
import { createContent } from './write.js';

/** The field in which a File has its bytes. */
const defaultBinaryField = 'Binary';

/** A file as a node has it. */
export interface Binary {
  nodeId: number;
  field: string;
  blobId: string;
  fileName: string;
  contentType: string;
  length: number;
}

/** Begins a blob. @returns its id, with which only the same user can go on. */
export async function beginBlob(tx: EntityManager, caller: Caller): Promise<string> {
  const id = newId();
  await tx.query('INSERT INTO content_blobs (repository_id, tenant_id, id, user_id) VALUES ($1, $2, $3, $4)', [
    caller.repositoryId,
    caller.tenantId,
    id,
    caller.userId,
  ]);
  return id;
}

/** An upload's token is a UUID that whoever goes on with it sends back. */
const isUuid = (text: string) => /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i.test(text);

/** How long an upload of the caller's is by now. @throws Problem `not-found` for one that is not the caller's or is whole. */
export async function blobLength(tx: EntityManager, caller: Caller, blobId: string, { lock = false } = {}): Promise<number> {
  const rows = isUuid(blobId)
    ? await prepared<{ length: string }>(
        tx,
        `SELECT length FROM content_blobs WHERE repository_id = $1 AND id = $2 AND user_id = $3 AND NOT whole ${lock ? 'FOR UPDATE' : ''}`,
        [caller.repositoryId, blobId, caller.userId],
      )
    : [];
  if (!rows[0]) throw new Problem('not-found', 'There is no such upload.');
  return Number(rows[0].length);
}

export interface BinaryWish {
  fileName: string;
  contentType: string;
  /** The field that gets it; `Binary` if absent. */
  field?: string | undefined;
  /** A child of this name gets it; otherwise a new child with a free name. Of no matter for a node that has the field itself. */
  overwrite?: boolean;
  /** The type of a new child; `File` if absent. */
  type?: string | undefined;
  ifVersion?: number | undefined;
}

/**
 * Finds which node an upload is for, before its bytes come: a node with the field itself, or the child of a node that takes
 * files. Up to two statements.
 *
 * @returns the node that gets the bytes; nothing when a new child of `parent` does.
 * @throws Problem as `attachBlob`.
 */
export async function findUploadTarget(
  tx: EntityManager,
  caller: Caller,
  address: Address,
  wish: BinaryWish,
): Promise<{ parent: PermittedEntity; node: PermittedEntity | undefined }> {
  const bound = await readNode(tx, caller, address);
  requireWritable(caller, bound.path);
  requireNotInTrash(bound);
  const types = await contentTypesOf(tx, caller.repositoryId);
  const field = wish.field ?? defaultBinaryField;
  const has = (node: ContentEntity) => types.fieldsOf(node.type).some(({ name, kind }) => kind === 'Binary' && name === field);
  if (has(bound)) {
    requirePermission(bound, 'Save');
    if (wish.fileName !== '') requireNodeName(wish.fileName);
    requireVersion(bound, wish.ifVersion);
    return { parent: bound, node: bound };
  }
  const name = requireNodeName(wish.fileName);
  const child = wish.overwrite ? await findNode(tx, caller, { path: `${bound.path}/${name}` }) : undefined;
  if (child && !has(child)) throw new Problem('invalid-request', `${child.path} has no field ${field} for a file.`);
  requirePermission(child ?? bound, child ? 'Save' : 'AddNew');
  if (child) requireVersion(child, wish.ifVersion);
  return { parent: bound, node: child };
}

/**
 * Gives a whole blob to a node, which has it from then on in place of what it had. Needs Save on it or, for a new child,
 * AddNew on the parent. One transaction.
 *
 * @throws VersionMismatch when the node has another version than the caller knows.
 * @throws Problem `not-found`; `forbidden`; `invalid-request`; `already-exists`; `quota-exceeded` when the plan's storage cannot
 * hold it.
 */
export async function attachBlob(
  tx: EntityManager,
  caller: Caller,
  address: Address,
  wish: BinaryWish,
  blobId: string,
): Promise<{ node: ContentEntity; binary: Binary }> {
  // In the order in which a chunk takes them.
  const length = await blobLength(tx, caller, blobId, { lock: true });
  await lockShape(tx, caller);
  const { parent, node: found } = await findUploadTarget(tx, caller, address, wish);
  const fields = { DisplayName: wish.fileName };
  const type = wish.type ?? 'File';
  const node =
    found ?? (await createContent(tx, caller, { id: parent.id }, { type, fields, ...(wish.overwrite ? { name: wish.fileName } : {}) }));
  const field = wish.field ?? defaultBinaryField;
  const types = await contentTypesOf(tx, caller.repositoryId);
  if (!types.fieldsOf(node.type).some(({ name, kind }) => kind === 'Binary' && name === field)) {
    throw new Problem('invalid-request', `A ${node.type} has no field ${field} for a file.`);
  }
  await tx.query('UPDATE content_blobs SET whole = true, used_at = NULL WHERE repository_id = $1 AND id = $2', [
    caller.repositoryId,
    blobId,
  ]);
  await tx.query('DELETE FROM content_binaries WHERE repository_id = $1 AND node_id = $2 AND field = $3', [
    caller.repositoryId,
    node.id,
    field,
  ]);
  const binary = { nodeId: node.id, field, blobId, fileName: wish.fileName, contentType: wish.contentType, length };
  await tx.query(
    `INSERT INTO content_binaries (repository_id, tenant_id, node_id, field, blob_id, file_name, content_type, length)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
    [caller.repositoryId, caller.tenantId, node.id, field, blobId, binary.fileName, binary.contentType, length],
  );
  if (found) await touch(tx, caller, node.id);
  return { node: (await findNode(tx, caller, { id: node.id })) ?? node, binary };
}

/** The binaries of some nodes, which the caller has read and may open. One statement. */
export async function readBinaries(tx: EntityManager, repositoryId: string, nodeIds: number[]): Promise<Binary[]> {
  if (nodeIds.length === 0) return [];
  const rows = await prepared<{ node_id: number; field: string; blob_id: string; file_name: string; content_type: string; length: string }>(
    tx,
    `SELECT node_id, field, blob_id, file_name, content_type, length FROM content_binaries
     WHERE repository_id = $1 AND node_id = ANY ($2::integer[]) ORDER BY node_id, field`,
    [repositoryId, nodeIds],
  );
  return rows.map((row) => ({
    nodeId: row.node_id,
    field: row.field,
    blobId: row.blob_id,
    fileName: row.file_name,
    contentType: row.content_type,
    length: Number(row.length),
  }));
}
