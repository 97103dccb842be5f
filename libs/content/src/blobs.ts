import { Problem } from '@latchkey/contracts';
import { newId, prepared, type Database, type EntityManager } from '@latchkey/database';
import { blobLength } from './binaries.js';
import type { Caller } from './caller.js';
import { StoreUnavailable, type ObjectStore } from './object-store.js';

/** The largest file. */
const maxBlobBytes = 10 * 1024 ** 3;

/** Bytes of one chunk at most: as a row, and as an object, each of which takes a request of its own. */
const rowBytes = 1024 * 1024;
const objectBytes = 8 * 1024 * 1024;

/**
 * The bytes of files. A file's bytes are a blob: chunks, each written by itself, so that memory stays flat and no transaction
 * lasts as long as its sender is slow. A chunk is a row, or an object of an object store and a row that names it. Only when
 * the blob is whole a node gets it, in one transaction. What was given up half-way is swept.
 */
export class Blobs {
  readonly #database: Database;
  readonly #objects: ObjectStore | undefined;

  /** @param objects where new bytes go, in place of PostgreSQL. What lies in the one or the other stays there and is found. */
  constructor(database: Database, objects: ObjectStore | undefined) {
    this.#database = database;
    this.#objects = objects;
  }

  /**
   * Adds bytes at the end of a blob, chunk by chunk; what came before a failure stays. Holds two chunks in memory, however much
   * there is: 2 MiB, or 16 MiB for an object store.
   *
   * @param start where the sender believes the end to be.
   * @returns the blob's length now.
   * @throws Problem `not-found` for a blob that is not the caller's or is whole; `conflict` when it does not end at `start`;
   * `quota-exceeded` as soon as the plan's storage cannot hold it; `body-too-large`.
   * @throws StoreUnavailable
   */
  async append(caller: Caller, blobId: string, start: number, source: AsyncIterable<Buffer>): Promise<number> {
    const scope = scopeOf(caller);
    let length = await this.#database.read(scope, (tx) => blobLength(tx, caller, blobId));
    if (length !== start) throw new Problem('conflict', `The upload goes on at byte ${length}, not at ${start}.`);
    const room = await this.#database.read(scope, (tx) => roomFor(tx, caller));
    let added = 0;
    for await (const bytes of inChunks(source, this.#objects ? objectBytes : rowBytes)) {
      if (length + bytes.length > maxBlobBytes) throw new Problem('body-too-large', `A file has at most ${maxBlobBytes} bytes.`);
      // It would be refused with the chunk too, of which an object store would have the bytes by then.
      if (added + bytes.length > room) throw new Problem('quota-exceeded', 'The plan of this repository allows no more bytes of files.');
      const key = this.#objects && (await this.#putObject(this.#objects, caller, blobId, bytes));
      await this.#database.transaction(scope, (tx) => appendChunk(tx, caller, blobId, length, bytes, key));
      length += bytes.length;
      added += bytes.length;
    }
    return length;
  }

  /** Leaves an upload that nobody can go on with to the sweep. It counts for nothing from now on. */
  async giveUp(caller: Caller, blobId: string): Promise<void> {
    await this.#database.transaction(scopeOf(caller), (tx) =>
      tx.query(
        `UPDATE content_blobs SET whole = true, used_at = now() - interval '1 hour'
         WHERE repository_id = $1 AND id = $2 AND user_id = $3 AND NOT whole`,
        [caller.repositoryId, blobId, caller.userId],
      ),
    );
  }

  /**
   * Writes a chunk under a key that nothing else has: of two calls that go on with one upload, one fails and must not have
   * changed anything. That there may be such an object is known before there is, so that the sweep finds it come what may.
   */
  async #putObject(objects: ObjectStore, caller: Caller, blobId: string, bytes: Buffer): Promise<string> {
    const key = `${caller.repositoryId}/${blobId}/${newId()}`;
    await this.#database.transaction(scopeOf(caller), (tx) =>
      prepared(tx, 'INSERT INTO content_blob_objects (repository_id, tenant_id, blob_id, key) VALUES ($1, $2, $3, $4)', [
        caller.repositoryId,
        caller.tenantId,
        blobId,
        key,
      ]),
    );
    await objects.put(key, bytes);
    return key;
  }

  /**
   * Reads bytes of a blob from `start` up to, not including, `end`. One short statement for each chunk, so that a slow reader
   * holds no connection.
   *
   * @throws Error when the blob is gone, which takes an hour after nothing has it any more.
   * @throws StoreUnavailable
   */
  async *read(caller: Caller, blobId: string, start: number, end: number): AsyncGenerator<Buffer> {
    for (let at = start; at < end;) {
      const chunk = await this.#chunkAt(caller, blobId, at);
      const from = at - chunk.start;
      const to = Math.min(chunk.length, end - chunk.start);
      if (from >= to) throw new Error(`Blob ${blobId} ends before byte ${at}`);
      if (chunk.bytes) yield chunk.bytes.subarray(from, to);
      else yield* this.#objectsOf(chunk).read(chunk.object, from, to);
      at = chunk.start + to;
    }
  }

  async #chunkAt(caller: Caller, blobId: string, at: number): Promise<Chunk> {
    const rows = await this.#database.read(scopeOf(caller), (tx) =>
      prepared<{ start: string; bytes: Buffer | null; object: string | null; length: number }>(
        tx,
        `SELECT start, bytes, object, coalesce(object_length, length(bytes)) AS length FROM content_blob_chunks
         WHERE repository_id = $1 AND blob_id = $2 AND start <= $3 ORDER BY start DESC LIMIT 1`,
        [caller.repositoryId, blobId, at],
      ),
    );
    const [row] = rows;
    if (!row) throw new Error(`Blob ${blobId} is gone`);
    return { start: Number(row.start), length: row.length, bytes: row.bytes ?? undefined, object: row.object ?? '' };
  }

  #objectsOf({ object }: Chunk): ObjectStore {
    if (this.#objects) return this.#objects;
    throw new StoreUnavailable(`${object} is in an object store, and none is configured`);
  }

  /**
   * Removes blobs that nothing has: uploads given up a day ago, and what nodes had until an hour ago. For the worker.
   *
   * @returns how many were removed, fewer than `limit` when that was all; and whether some stay because they are in an object
   * store and none is configured.
   */
  async sweep(limit: number): Promise<{ removed: number; outOfReach: boolean }> {
    return this.#database.transaction('system', async (tx) => {
      const found = await tx.query<{ repository_id: string; id: string; keys: string[] }[]>(
        `SELECT b.repository_id, b.id, o.keys
         FROM content_blobs b CROSS JOIN LATERAL (
           SELECT coalesce(array_agg(o.key), '{}') AS keys FROM content_blob_objects o WHERE o.repository_id = b.repository_id AND o.blob_id = b.id) o
         WHERE b.used_at < now() - interval '1 hour' AND (b.whole OR b.used_at < now() - interval '1 day')
           AND NOT EXISTS (SELECT FROM content_binaries c WHERE c.repository_id = b.repository_id AND c.blob_id = b.id)
         ORDER BY cardinality(o.keys) > 0, b.used_at LIMIT $1 FOR UPDATE OF b SKIP LOCKED`,
        [limit],
      );
      const gone = this.#objects ? found : found.filter(({ keys }) => keys.length === 0);
      const keys = gone.flatMap((blob) => blob.keys);
      if (this.#objects) await this.#objects.remove(keys);
      await tx.query(`DELETE FROM content_blobs WHERE (repository_id, id) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[]))`, [
        gone.map((blob) => blob.repository_id),
        gone.map((blob) => blob.id),
      ]);
      return { removed: gone.length, outOfReach: gone.length < found.length };
    });
  }
}

interface Chunk {
  start: number;
  length: number;
  bytes: Buffer | undefined;
  /** The key of the object that holds the bytes, if they are not here. */
  object: string;
}

const scopeOf = ({ tenantId, repositoryId }: Caller) => ({ tenantId, repositoryId });

/** Bytes that the plan allows still beside all files and uploads that were begun; infinitely many without a limit. */
async function roomFor(tx: EntityManager, caller: Caller): Promise<number> {
  const rows = await prepared<{ room: string | null }>(
    tx,
    `SELECT (repository_limits(r.settings) ->> 'storageBytes')::bigint - c.storage_bytes AS room
     FROM content_counters c JOIN repositories r ON r.tenant_id = c.tenant_id AND r.id = c.repository_id WHERE c.repository_id = $1`,
    [caller.repositoryId],
  );
  return rows[0]?.room == null ? Infinity : Number(rows[0].room);
}

async function appendChunk(
  tx: EntityManager,
  caller: Caller,
  blobId: string,
  start: number,
  bytes: Buffer,
  object: string | undefined,
): Promise<void> {
  const rows = await prepared<unknown>(
    tx,
    `WITH blob AS (
       UPDATE content_blobs SET length = length + $5, used_at = now()
       WHERE repository_id = $1 AND id = $2 AND length = $4 AND NOT whole RETURNING id)
     INSERT INTO content_blob_chunks (repository_id, tenant_id, blob_id, start, bytes, object, object_length)
     SELECT $1, $3, id, $4, $6, $7, CASE WHEN $7::text IS NOT NULL THEN $5 END FROM blob RETURNING start`,
    [caller.repositoryId, blobId, caller.tenantId, start, bytes.length, object === undefined ? bytes : null, object ?? null],
  );
  if (rows.length === 0) throw new Problem('conflict', 'Another call goes on with this upload.');
}

async function* inChunks(source: AsyncIterable<Buffer>, size: number): AsyncGenerator<Buffer> {
  let pieces: Buffer[] = [];
  let held = 0;
  for await (const piece of source) {
    pieces.push(piece);
    held += piece.length;
    if (held < size) continue;
    let all = Buffer.concat(pieces, held);
    for (; all.length >= size; all = all.subarray(size)) yield all.subarray(0, size);
    pieces = all.length > 0 ? [Buffer.from(all)] : [];
    held = all.length;
  }
  if (held > 0) yield Buffer.concat(pieces, held);
}
