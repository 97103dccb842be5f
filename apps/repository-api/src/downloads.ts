import { Readable } from 'node:stream';
import { readBinaries, readNode, type Address, type Binary } from '@latchkey/content';
import type { Answer } from './answer.js';
import { ODataFault } from './odata/fault.js';
import type { ContentRequest } from './request.js';

/** What a browser may show: it runs nothing. Everything else is offered for saving. */
const shown = /^(?:image\/(?:png|jpeg|gif|webp|avif)|audio\/[\w.+-]+|video\/[\w.+-]+|text\/plain|application\/pdf)$/;

/** The media type as it is kept and sent: without parameters, and one that says nothing for what is none (RFC 9110 §8.3.1). */
export function safeContentType(header: string): string {
  const [type = ''] = header.toLowerCase().split(';');
  return /^[\w!#$&^.+-]{1,100}\/[\w!#$&^.+-]{1,100}$/.test(type.trim()) ? type.trim() : 'application/octet-stream';
}

/**
 * GET of a file, whole or one range of it (RFC 9110 §14). The bytes are read as they are sent.
 *
 * @param field a Binary field.
 * @returns nothing when the content has no such file.
 */
export async function getBinary(request: ContentRequest, address: Address, field: string): Promise<Answer | undefined> {
  const binary = await request.read(async (tx) => {
    const node = await readNode(tx, request.caller, address);
    if (!node.fields) return undefined;
    return (await readBinaries(tx, request.repository.id, [node.id])).find((known) => known.field.toLowerCase() === field.toLowerCase());
  });
  if (!binary) return undefined;
  const etag = `"${binary.blobId}"`;
  const headers = { etag, 'accept-ranges': 'bytes', ...disposition(binary) };
  if (matches(request.headers['if-none-match'], etag)) return { status: 304, headers };
  const range = rangeOf(request, binary.length, etag);
  if (range === 'unsatisfiable') {
    throw new ODataFault(416, 'RequestError', `The file has ${binary.length} bytes.`, { 'content-range': `bytes */${binary.length}` });
  }
  const { start, end } = range ?? { start: 0, end: binary.length };
  const partial: Record<string, string> = range ? { 'content-range': `bytes ${start}-${end - 1}/${binary.length}` } : {};
  return {
    status: range ? 206 : 200,
    contentType: binary.contentType === 'text/plain' ? 'text/plain;charset=utf-8' : binary.contentType,
    headers: { ...headers, ...partial, 'content-length': String(end - start) },
    // Whoever asks for the headers alone gets no bytes.
    ...(request.isHead ? {} : { stream: await streamOf(request.blobs.read(request.caller, binary.blobId, start, end)) }),
  };
}

/** The bytes, once the first of them are there: what cannot be read is refused before anything was answered. */
async function streamOf(bytes: AsyncGenerator<Buffer>): Promise<Readable> {
  const first = await bytes.next();
  return Readable.from(
    (async function* all() {
      if (first.done) return;
      yield first.value;
      yield* bytes;
    })(),
  );
}

/** RFC 6266 §4: a name in ASCII for old clients, and the real one. */
function disposition({ fileName, contentType }: Binary): Record<string, string> {
  const ascii = fileName.replace(/[^\x20-\x7e]|["\\%]/g, '_');
  const encoded = encodeURIComponent(fileName).replace(/['()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
  const kind = shown.test(contentType) ? 'inline' : 'attachment';
  return { 'content-disposition': `${kind}; filename="${ascii}"; filename*=UTF-8''${encoded}` };
}

/** RFC 9110 §13.1.2. */
function matches(header: string | undefined, etag: string): boolean {
  return header?.trim() === '*' || (header?.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag) ?? false);
}

/** One range; several, and ranges of something else, are passed over as RFC 9110 §14.2 allows. */
function rangeOf(request: ContentRequest, length: number, etag: string): { start: number; end: number } | 'unsatisfiable' | undefined {
  const { range, 'if-range': ifRange } = request.headers;
  const [, first = '', last = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(range ?? '') ?? [];
  if (first === '' && last === '') return undefined;
  if (ifRange !== undefined && ifRange !== etag) return undefined;
  if (first === '')
    return Number(last) === 0 || length === 0 ? 'unsatisfiable' : { start: Math.max(0, length - Number(last)), end: length };
  if (last !== '' && Number(last) < Number(first)) return undefined;
  if (Number(first) >= length) return 'unsatisfiable';
  return { start: Number(first), end: last === '' ? length : Math.min(Number(last) + 1, length) };
}
