import { finished, type Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Busboy, type BusboyHeaders } from '@fastify/busboy';
import {
  attachBlob,
  beginBlob,
  findUploadTarget,
  readNode,
  requireWritable,
  type Address,
  type Binary,
  type BinaryWish,
  type ContentEntity,
} from '@latchkey/content';
import { json, plain, type Answer } from './answer.js';
import { parseAddress, type ODataAddress } from './odata/address.js';
import { badRequest } from './odata/fault.js';
import { safeContentType } from './downloads.js';
import type { ContentRequest, Incoming } from './request.js';

/** True when the body of such a request is a file and is not read before it is known who sends it. */
export function isUpload(method: string, url: string): boolean {
  if (method !== 'POST' && method !== 'PUT') return false;
  const [path = ''] = url.split('?');
  // Content may be called so too: what counts is what the address means.
  const address = parsedOrNothing(path);
  return address?.kind === 'member' && (method === 'PUT' ? address.raw : !address.raw && address.name.toLowerCase() === 'upload');
}

/** An address that is not understood is refused when it is answered. */
function parsedOrNothing(path: string): ODataAddress | undefined {
  try {
    return parseAddress(path);
  } catch {
    return undefined;
  }
}

/** How long the parser of a form may take when it has been given everything. */
const patienceMillis = 1_000;

/** Texts of a form beside its file; more are refused. */
const formLimits = { fields: 20, files: 1, fieldSize: 10_000, headerPairs: 50 };

/** What the first request of a chunked upload names in place of a token. */
const noToken = '0*0*False*False';

/** What a form says besides the file: names in lower case, so that no field has the name under which the file's own type is kept. */
type Form = Map<string, string>;
const typeOfFile = 'File-Type';

/**
 * `POST …/upload`: a form with a file, whole or in chunks. The first request of a chunked upload says `create=1` and gets a
 * token; the others send it back as `ChunkToken`, with a `Content-Range`. The request after which nothing is missing answers
 * what was made; an upload that was cut short goes on at the byte that the refusal (409) names.
 */
export async function upload(request: ContentRequest, address: Address): Promise<Answer> {
  const received: Received = { form: new Map(), blobId: undefined };
  return receive(request, address, received).catch(async (error: unknown) => {
    if (received.blobId && !isChunked(request, received.form)) await request.blobs.giveUp(request.caller, received.blobId);
    throw error;
  });
}

/** How far an upload has come. */
interface Received {
  form: Form;
  blobId: string | undefined;
}

/** Whether whoever sends it can go on with it, if this request is cut short. */
function isChunked({ incoming }: ContentRequest, form: Form): boolean {
  return form.get('usechunk')?.toLowerCase() === 'true' || form.has('chunktoken') || incoming?.headers['content-range'] !== undefined;
}

async function receive(request: ContentRequest, address: Address, received: Received): Promise<Answer> {
  // Whoever may not write there is told so before anything is read.
  requireWritable(request.caller, (await request.read((tx) => readNode(tx, request.caller, address))).path);
  const incoming = requireIncoming(request);
  const range = contentRange(incoming.headers['content-range']);
  const { form } = received;
  let length = 0;
  await readForm(incoming, form, async (file) => {
    await requireTarget(request, address, wishOf(request, form));
    const token = form.get('chunktoken');
    const known = token === undefined || token === noToken || token === '' ? undefined : token;
    const blobId = known ?? (await request.write((tx) => beginBlob(tx, request.caller)));
    received.blobId = blobId;
    length = await request.blobs.append(request.caller, blobId, known === undefined ? 0 : (range?.start ?? 0), file);
  });
  const { blobId } = received;
  const wish = wishOf(request, form);
  const total = range?.total ?? Number(form.get('filelength') ?? Number.NaN);
  const inChunks = form.get('usechunk')?.toLowerCase() === 'true' || range !== undefined;
  if (inChunks && (form.get('create') ?? request.query.get('create')) === '1' && !(length >= total)) {
    await requireTarget(request, address, wish);
    return plain(blobId ?? (await request.write((tx) => beginBlob(tx, request.caller))));
  }
  if (!blobId) throw badRequest('The form holds no file.');
  if (inChunks && length < total) return plain(blobId);
  if (inChunks && length > total) throw badRequest(`The upload has ${length} bytes; ${total} were announced.`);
  return attach(request, address, wish, blobId);
}

/** `PUT …/Binary/$value`: the body is the file, for a content that has the field. */
export async function putValue(request: ContentRequest, address: Address, field: string): Promise<Answer> {
  const incoming = requireIncoming(request);
  const wish: BinaryWish = {
    fileName: '',
    contentType: contentTypeOf(incoming.headers['content-type']),
    field,
    ifVersion: request.ifVersion,
  };
  const { node } = await request.read((tx) => findUploadTarget(tx, request.caller, address, { ...wish, fileName: 'x' }));
  if (!node) throw badRequest(`${field} is no field of this content for a file.`);
  const blobId = await request.write((tx) => beginBlob(tx, request.caller));
  try {
    await request.blobs.append(request.caller, blobId, 0, incoming.stream);
    return await attach(request, { id: node.id }, { ...wish, fileName: node.name }, blobId);
  } catch (error) {
    await request.blobs.giveUp(request.caller, blobId);
    throw error;
  }
}

function requireIncoming(request: ContentRequest): Incoming {
  if (!request.incoming) throw badRequest('There is no file in the request.');
  return request.incoming;
}

function requireTarget(request: ContentRequest, address: Address, wish: BinaryWish): Promise<unknown> {
  return request.read((tx) => findUploadTarget(tx, request.caller, address, wish));
}

async function attach(request: ContentRequest, address: Address, wish: BinaryWish, blobId: string): Promise<Answer> {
  const { node, binary } = await request.write((tx) => attachBlob(tx, request.caller, address, wish, blobId));
  return json(uploaded(node, binary), 200, { etag: `"${node.version}"` });
}

function uploaded(node: ContentEntity, { length }: Binary) {
  return { Id: node.id, Length: length, Name: node.name, Thumbnail_url: '', Type: node.type, Url: node.path };
}

function wishOf(request: ContentRequest, form: Form): BinaryWish {
  const fileName = form.get('filename') ?? '';
  return {
    fileName,
    contentType: form.get(typeOfFile) ?? 'application/octet-stream',
    field: form.get('propertyname') || undefined,
    overwrite: form.get('overwrite')?.toLowerCase() !== 'false',
    type: form.get('contenttype') || undefined,
    ifVersion: request.ifVersion,
  };
}

/** Reads a form to its end. Only one file may be in it, after the fields that say what to do with it. */
async function readForm(incoming: Incoming, form: Form, onFile: (file: Readable) => Promise<void>): Promise<void> {
  const parser = parserFor(incoming);
  let work: Promise<void> | undefined;
  let current: Readable | undefined;
  let failure: unknown;
  parser.on('field', (name: string | undefined, value: string) => {
    // What is thrown here nobody could catch: it would end the process.
    if (name === undefined) failure ??= badRequest('A part of the form has no name.');
    else form.set(name.toLowerCase(), value);
  });
  for (const limit of ['partsLimit', 'filesLimit', 'fieldsLimit'])
    parser.on(limit, () => (failure ??= badRequest('The form has too many parts.')));
  parser.on('file', (_name: string, file: Readable, fileName: string | undefined, _encoding: string, type: string) => {
    if (!form.has('filename') && fileName) form.set('filename', fileName);
    form.set(typeOfFile, contentTypeOf(type));
    current = file;
    // It may break off before anybody reads it; whoever reads it then is told.
    file.on('error', (error: Error) => file.destroy(error));
    work = onFile(file).catch((error: unknown) => {
      failure ??= error;
      file.resume();
    });
  });
  // Of some forms that are none the parser never says that it has come to their end. It has been given everything, and whatever
  // file is in it has been taken: then nothing can come any more.
  const stuck = new AbortController();
  let patience: NodeJS.Timeout | undefined;
  const lose = () => void (patience ??= setTimeout(() => stuck.abort(), patienceMillis).unref());
  parser.once('prefinish', () => (current ? finished(current, lose) : lose()));
  try {
    await pipeline(incoming.stream, parser, { signal: stuck.signal });
  } catch (error) {
    const why = stuck.signal.aborted ? 'its parts have no end' : error instanceof Error ? error.message : 'it ends too early';
    const cutShort = badRequest(`The form cannot be read: ${why}.`);
    failure ??= cutShort;
    (current as Readable | undefined)?.destroy(cutShort);
  }
  clearTimeout(patience);
  await work;
  if (failure) throw failure;
}

/**
 * Passes over what comes after the closing boundary (RFC 2046 §5.1.1). The library's own parser waits for ever when that comes in a packet
 * of its own, if only the line break of a good form (https://github.com/fastify/busboy/issues/228).
 */
class FormParser extends Busboy {
  /** What reads the kind of form that it is; `parser` finds the parts of a multipart one. */
  readonly #form = Reflect.get(this, '_parser') as { write: (chunk: Buffer, done: () => void) => void; parser?: Writable };

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    if (this.#form.parser?.writable === false) done();
    else this.#form.write(chunk, done);
  }
}

function parserFor({ headers }: Incoming) {
  try {
    return new FormParser({ headers: headers as BusboyHeaders, limits: formLimits });
  } catch {
    throw badRequest('An upload is a form: multipart/form-data with a boundary.');
  }
}

/** RFC 9110 §14.4. */
function contentRange(header: string | undefined): { start: number; total: number } | undefined {
  if (header === undefined) return undefined;
  const [, start, end, total] = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/.exec(header) ?? [];
  if (start === undefined || Number(end) < Number(start) || Number(end) >= Number(total)) {
    throw badRequest('Content-Range must be as in "bytes 0-999/5000".');
  }
  return { start: Number(start), total: Number(total) };
}

const contentTypeOf = (header: string | undefined) => safeContentType(header ?? '');
