import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { InsufficientScope, readablePart, readNode, type Blobs, type Caller } from '@latchkey/content';
import { Problem } from '@latchkey/contracts';
import type { KeyRing, KnownRepository, RepositoryDirectory } from '@latchkey/credentials';
import type { Database } from '@latchkey/database';
import type { AddressTemplate, Logger } from '@latchkey/runtime';
import { answerTo, json, unexpectedAnswer, type Answer } from './answer.js';
import { presented, presentsCredential, type Authentication, type Identified } from './authentication.js';
import { crossOriginHeaders, preflightHeaders, type CrossOrigin } from './cross-origin.js';
import { changeContent, getCollection, getCount, getEntity, getField, postContent, removeContent } from './entities.js';
import type { CallRecorder } from './call-recorder.js';
import { EarlyReads } from './early-reads.js';
import type { RateLimits } from './rate-limits.js';
import { parseAddress, type EntityAddress, type ODataAddress } from './odata/address.js';
import { parseBody, type Body } from './odata/body.js';
import { ODataFault } from './odata/fault.js';
import { getMetadata } from './metadata.js';
import { getBinary } from './downloads.js';
import { findOperation } from './operations.js';
import { ContentRequest } from './request.js';
import { putValue } from './uploads.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** The media type that the body came with; the framework is told another. */
    sentType?: string | undefined;
    /** What the log says of the request besides its address. */
    about?: { repository?: string; client?: string | undefined; user?: number };
  }
}

export interface ContentServiceOptions {
  database: Database;
  blobs: Blobs;
  directory: RepositoryDirectory;
  authentication: Authentication;
  crossOrigin: CrossOrigin;
  rateLimits: RateLimits;
  calls: CallRecorder;
  repositoryUrls: AddressTemplate;
  authorityUrls: AddressTemplate;
  /** Under which API keys are hashed. */
  peppers: KeyRing;
  log: Logger;
}

/** Answers requests for the content of all repositories: which one, who is calling, what is wanted. */
export class ContentService {
  readonly #options: ContentServiceOptions;
  readonly #earlyReads = new EarlyReads();

  constructor(options: ContentServiceOptions) {
    this.#options = options;
  }

  /** Answers one request; whatever happens, in the shape of this surface. */
  async serve(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const found = this.#options.repositoryUrls.find(request.headers.host, request.url);
    const [path, search] = splitOnce(found?.rest ?? '/', '?');
    const query = new URLSearchParams(search);
    void reply.headers({ vary: 'Origin', 'cache-control': presentsCredential(request, query) ? 'no-store' : 'no-cache' });
    try {
      const repository = found && (await this.#options.directory.find(found.slug));
      if (!repository) throw new ODataFault(404, 'ResourceNotFound', 'There is no repository at this address.');
      request.about = { repository: repository.slug };
      send(reply, await this.#answer(repository, request, reply, path, query));
    } catch (error) {
      send(reply, this.#failure(error, request, found?.slug));
    }
  }

  async #answer(
    repository: KnownRepository,
    request: FastifyRequest,
    reply: FastifyReply,
    path: string,
    query: URLSearchParams,
  ): Promise<Answer> {
    const { origin } = request.headers;
    const allowed = origin !== undefined && (await this.#options.crossOrigin.allows(repository, origin));
    if (allowed) void reply.headers(crossOriginHeaders(origin));
    if (request.method === 'OPTIONS') return { status: 204, headers: allowed ? preflightHeaders : {} };

    const url = `${this.#options.repositoryUrls.of(repository.slug).replace(/\/$/, '')}${path}`;
    const identify = async () => {
      const { caller, clientId } = await this.#options.authentication.identify(repository, request, query, url);
      request.about = { repository: repository.slug, client: clientId, user: caller.userId };
      const identified = { repositoryId: repository.id, credentialId: clientId ?? '', userId: caller.userId };
      reply.raw.once('finish', () => this.#options.calls.record({ ...identified, status: reply.statusCode }));
      void reply.headers(await this.#options.rateLimits.count(repository, clientId ?? request.ip));
      return { caller, clientId };
    };
    const serve = ({ caller }: Identified) => this.#serve(repository, caller, request, path, query);
    if (!canBeReadEarly(request.method, path)) return serve(await identify());
    return this.#earlyReads.answer(presented(repository, request, query), identify, serve);
  }

  /** Carries out what a request asks for, as this caller. */
  async #serve(
    repository: KnownRepository,
    caller: Caller,
    request: FastifyRequest,
    path: string,
    query: URLSearchParams,
  ): Promise<Answer> {
    const address = parseAddress(path);
    if (!address) throw new ODataFault(404, 'ResourceNotFound', 'Content is found below odata.svc.');
    let body: Body | undefined;
    const content = new ContentRequest(this.#options.database, {
      blobs: this.#options.blobs,
      repository,
      caller,
      call: { requestId: request.id, address: request.ip },
      method: request.method === 'HEAD' ? 'GET' : request.method,
      query,
      body: () => (body ??= parseBody(Buffer.isBuffer(request.body) ? request.body : undefined)),
      headers: request.headers,
      isHead: request.method === 'HEAD',
      incoming:
        request.body instanceof Readable
          ? { stream: request.body, headers: { ...request.headers, 'content-type': request.sentType ?? '' } }
          : undefined,
      ifVersion: versionOf(request.headers['if-match']),
      basePath: new URL(this.#options.repositoryUrls.of(repository.slug)).pathname.replace(/\/$/, ''),
    });
    return this.#carryOut(content, address).catch((error: unknown) => {
      throw withScopeNamed(error, content);
    });
  }

  async #carryOut(request: ContentRequest, address: ODataAddress): Promise<Answer> {
    switch (address.kind) {
      case 'service':
        requireMethod(request, 'GET');
        return json({ d: { EntitySets: ['Root'] } });
      case 'metadata':
        requireMethod(request, 'GET');
        return getMetadata(request);
      case 'count':
        requireMethod(request, 'GET');
        return getCount(request, address.path);
      case 'collection':
        return request.method === 'GET' ? getCollection(request, address.path) : changeTree(request, { path: address.path });
      case 'entity':
        return request.method === 'GET' ? getEntity(request, address.of) : changeTree(request, address.of);
      case 'member':
        return this.#member(request, address.of, address.name, address.raw);
    }
  }

  /** An operation, or else a field to be read. */
  async #member(request: ContentRequest, address: EntityAddress, name: string, raw: boolean): Promise<Answer> {
    if (raw && request.method === 'PUT') return putValue(request, address, name);
    if (raw && request.method === 'GET') {
      const file = await getBinary(request, address, name);
      if (file) return file;
    }
    const operation = raw ? undefined : findOperation(name);
    if (operation) {
      if (request.method === 'GET' && !operation.isFunction) {
        throw new ODataFault(405, 'IllegalInvoke', `${operation.name} changes something: call it with POST.`, { allow: 'POST' });
      }
      requireMethod(request, 'GET', 'POST');
      const { authorityUrls, repositoryUrls, peppers } = this.#options;
      return operation.run({ request, address, authorityUrls, repositoryUrls, peppers });
    }
    if (request.method === 'GET') {
      const entity = await request.read((tx) => readNode(tx, request.caller, address));
      const field = await getField(request, entity, name, raw);
      if (field) return field;
    }
    throw new ODataFault(404, 'UnknownAction', `Operation not found: ${name}`);
  }

  #failure(error: unknown, request: FastifyRequest, slug: string | undefined): Answer {
    const answer = answerTo(error, slug && this.#options.authorityUrls.of(slug));
    if (!answer) this.#options.log.error({ err: error, requestId: request.id }, 'a request failed');
    else if (answer.status >= 500) this.#options.log.error({ err: error, requestId: request.id }, 'a dependency failed');
    return answer ?? unexpectedAnswer(request.id);
  }
}

/** Everything but GET, on a content or on a collection, which is the content that holds it. */
function changeTree(request: ContentRequest, address: EntityAddress): Promise<Answer> {
  switch (request.method) {
    case 'POST':
      return postContent(request, address);
    case 'PATCH':
    case 'MERGE':
      return changeContent(request, address, { replace: false });
    case 'PUT':
      return changeContent(request, address, { replace: true });
    case 'DELETE':
      return removeContent(request, address);
    default:
      throw methodNotAllowed(request, ['GET', 'POST', 'PATCH', 'PUT', 'DELETE']);
  }
}

/** Whether it changes nothing (RFC 9110 §9.2.1), and its answer holds nothing open, as that of a file does. */
function canBeReadEarly(method: string, path: string): boolean {
  if (method !== 'GET' && method !== 'HEAD') return false;
  try {
    const address = parseAddress(path);
    return address !== undefined && !(address.kind === 'member' && address.raw);
  } catch {
    return false; // It is complained about once it is known who asks.
  }
}

function requireMethod(request: ContentRequest, ...allowed: string[]): void {
  if (!allowed.includes(request.method)) throw methodNotAllowed(request, allowed);
}

function methodNotAllowed(request: ContentRequest, allowed: string[]): ODataFault {
  return new ODataFault(405, 'RequestError', `${request.method} is not possible here.`, { allow: allowed.join(', ') });
}

/** A credential that may not be used to read anything is told so, rather than that nothing is there. */
function withScopeNamed(error: unknown, { caller }: ContentRequest): unknown {
  const sawNothing = error instanceof Problem && error.type === 'not-found' && readablePart(caller) === 'itself';
  return sawNothing ? new InsufficientScope('content:read') : error;
}

/** The version in `If-Match` (RFC 9110 §13.1.1); nothing for any, and one that no content has for a tag that is not ours. */
function versionOf(ifMatch: string | undefined): number | undefined {
  if (ifMatch === undefined || ifMatch.trim() === '*') return undefined;
  return Number(/^\s*(?:W\/)?"(\d{1,9})"\s*$/.exec(ifMatch)?.[1] ?? -1);
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

/** Sends an answer as it is. */
export function send(reply: FastifyReply, answer: Answer): void {
  void reply.code(answer.status).headers(answer.headers ?? {});
  if (answer.contentType) void reply.type(answer.contentType);
  // Nothing, and not an empty text, which would have a type.
  void reply.send(answer.stream ?? answer.body);
}
