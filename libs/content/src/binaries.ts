import { Problem } from '@latchkey/contracts';
import { newId, prepared, type Database, type EntityManager } from '@latchkey/database';
import { requireWritable, type Caller } from './caller.js';
import { contentTypesOf } from './custom-types.js';
import type { Address, ContentEntity, PermittedEntity } from './node.js';
import { requireNodeName } from './node-name.js';
import { findNode, readNode } from './read.js';
import { lockShape, requireNotInTrash, requirePermission, requireVersion, touch } from './shape.js';
import { createContent } from './write.js';

/*
 * A file's bytes are a blob: chunks in rows, each written in a transaction of its own, so that memory stays flat and no
 * transaction lasts as long as its sender is slow. Only when the blob is whole a node gets it, in one transaction. What was
 * given up half-way is swept.
 */

/** Bytes of one row at most. */
const chunkBytes = 1024 * 1024;

/** The largest file. */
export const maxBlobBytes = 10 * 1024 ** 3;

/** The field in which a File has its bytes. */
export const defaultBinaryField = 'Binary';

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

const scopeOf = ({ tenantId, repositoryId }: Caller) => ({ tenantId, repositoryId });

/**
 * Adds bytes at the end of a blob, in transactions of at most 1 MiB each; what came before a failure stays. Holds 1 MiB in
 * memory, however much there is.
 *
 * @param start where the sender believes the end to be.
 * @returns the blob's length now.
 * @throws Problem `not-found` for a blob that is not the caller's or is whole; `conflict` when it does not end at `start`;
 * `quota-exceeded` as soon as the plan's storage cannot hold it; `body-too-large`.
 */
export async function appendToBlob(
  database: Database,
  caller: Caller,
  blobId: string,
  start: number,
  source: AsyncIterable<Buffer>,
): Promise<number> {
  let length = await database.read(scopeOf(caller), (tx) => blobLength(tx, caller, blobId));
  if (length !== start) throw new Problem('conflict', `The upload goes on at byte ${length}, not at ${start}.`);
  const room = await database.read(scopeOf(caller), (tx) => roomFor(tx, caller));
  for await (const bytes of inChunks(source)) {
    if (length + bytes.length > maxBlobBytes) throw new Problem('body-too-large', `A file has at most ${maxBlobBytes} bytes.`);
    if (length + bytes.length > room) throw new Problem('quota-exceeded', 'The plan of this repository allows no more bytes of files.');
    await database.transaction(scopeOf(caller), (tx) => appendChunk(tx, caller, blobId, length, bytes));
    length += bytes.length;
  }
  return length;
}

/** An upload's token is a UUID that whoever goes on with it sends back. */
const isUuid = (text: string) => /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i.test(text);

async function blobLength(tx: EntityManager, caller: Caller, blobId: string): Promise<number> {
  const rows = isUuid(blobId)
    ? await prepared<{ length: string }>(
        tx,
        'SELECT length FROM content_blobs WHERE repository_id = $1 AND id = $2 AND user_id = $3 AND NOT whole',
        [caller.repositoryId, blobId, caller.userId],
      )
    : [];
  if (!rows[0]) throw new Problem('not-found', 'There is no such upload.');
  return Number(rows[0].length);
}

/** Bytes that the plan allows still; infinitely many without a limit. */
async function roomFor(tx: EntityManager, caller: Caller): Promise<number> {
  const rows = await prepared<{ room: string | null }>(
    tx,
    `SELECT (repository_limits(r.settings) ->> 'storageBytes')::bigint - c.storage_bytes AS room
     FROM content_counters c JOIN repositories r ON r.tenant_id = c.tenant_id AND r.id = c.repository_id WHERE c.repository_id = $1`,
    [caller.repositoryId],
  );
  return rows[0]?.room == null ? Infinity : Number(rows[0].room);
}

async function appendChunk(tx: EntityManager, caller: Caller, blobId: string, start: number, bytes: Buffer): Promise<void> {
  const rows = await prepared<unknown>(
    tx,
    `WITH blob AS (
       UPDATE content_blobs SET length = length + $5, used_at = now()
       WHERE repository_id = $1 AND id = $2 AND length = $4 AND NOT whole RETURNING id)
     INSERT INTO content_blob_chunks (repository_id, tenant_id, blob_id, start, bytes) SELECT $1, $3, id, $4, $6 FROM blob RETURNING start`,
    [caller.repositoryId, blobId, caller.tenantId, start, bytes.length, bytes],
  );
  if (rows.length === 0) throw new Problem('conflict', 'Another call goes on with this upload.');
}

async function* inChunks(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let pieces: Buffer[] = [];
  let held = 0;
  for await (const piece of source) {
    pieces.push(piece);
    held += piece.length;
    if (held < chunkBytes) continue;
    let all = Buffer.concat(pieces, held);
    for (; all.length >= chunkBytes; all = all.subarray(chunkBytes)) yield all.subarray(0, chunkBytes);
    pieces = all.length > 0 ? [Buffer.from(all)] : [];
    held = all.length;
  }
  if (held > 0) yield Buffer.concat(pieces, held);
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
  await lockShape(tx, caller);
  const { parent, node: found } = await findUploadTarget(tx, caller, address, wish);
  const length = await blobLength(tx, caller, blobId);
  const fields = { DisplayName: wish.fileName };
  const type = wish.type ?? 'File';
  const node =
    found ?? (await createContent(tx, caller, { id: parent.id }, { type, fields, ...(wish.overwrite ? { name: wish.fileName } : {}) }));
  const field = wish.field ?? defaultBinaryField;
  const types = await contentTypesOf(tx, caller.repositoryId);
  if (!types.fieldsOf(node.type).some(({ name, kind }) => kind === 'Binary' && name === field)) {
    throw new Problem('invalid-request', `A ${node.type} has no field ${field} for a file.`);
  }
  await tx.query('UPDATE content_blobs SET whole = true, used_at = now() WHERE repository_id = $1 AND id = $2', [
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
  return { node: await readNode(tx, caller, { id: node.id }), binary };
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

/**
 * Reads bytes of a blob from `start` up to, not including, `end`. One short statement for each chunk, so that a slow reader
 * holds no connection.
 *
 * @throws Error when the blob is gone, which takes an hour after nothing has it any more.
 */
export async function* readBlob(database: Database, caller: Caller, blobId: string, start: number, end: number): AsyncGenerator<Buffer> {
  for (let at = start; at < end;) {
    const from = at;
    const rows = await database.read(scopeOf(caller), (tx) =>
      prepared<{ start: string; bytes: Buffer }>(
        tx,
        `SELECT start, bytes FROM content_blob_chunks WHERE repository_id = $1 AND blob_id = $2 AND start <= $3 ORDER BY start DESC LIMIT 1`,
        [caller.repositoryId, blobId, from],
      ),
    );
    const [chunk] = rows;
    const within = chunk ? from - Number(chunk.start) : 0;
    const bytes = chunk?.bytes.subarray(within, within + end - from);
    if (!bytes?.length) throw new Error(`Blob ${blobId} ends before byte ${from}`);
    yield bytes;
    at += bytes.length;
  }
}

/**
 * Removes blobs that nothing has: uploads given up a day ago, and what nodes had until an hour ago. For the worker's sweep, in
 * the scope `system`.
 *
 * @returns how many; fewer than `limit` when that was all.
 */
export async function sweepBlobs(tx: EntityManager, limit: number): Promise<number> {
  const [, count] = await tx.query<[unknown[], number]>(
    `DELETE FROM content_blobs WHERE (repository_id, id) IN (
       SELECT b.repository_id, b.id FROM content_blobs b
       WHERE b.used_at < now() - CASE WHEN b.whole THEN interval '1 hour' ELSE interval '1 day' END
         AND NOT EXISTS (SELECT FROM content_binaries c WHERE c.repository_id = b.repository_id AND c.blob_id = b.id)
       ORDER BY b.used_at LIMIT $1 FOR UPDATE SKIP LOCKED)`,
    [limit],
  );
  return count;
}
