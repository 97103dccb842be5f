import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import type { Blobs, Caller } from '@latchkey/content';
import { userActor, type Actor, type Call } from '@latchkey/access';
import { confirmCutoff, type KnownRepository, type PendingCutoff } from '@latchkey/credentials';
import type { Database, EntityManager } from '@latchkey/database';
import type { Body } from './odata/body.js';

/** Bytes that are still to come, and what the request's headers say of them. */
export interface Incoming {
  stream: Readable;
  headers: IncomingHttpHeaders;
}

/** One request for content, once it is known for which repository it is and who is calling. */
export class ContentRequest {
  readonly repository: KnownRepository;
  readonly caller: Caller;
  /** What the audit trail says of the call. */
  readonly call: Call;
  /** In upper case; HEAD is GET. */
  readonly method: string;
  readonly query: URLSearchParams;
  /** What was sent; read only when it is needed, since it may be refused. */
  readonly body: () => Body;
  /** The version that `If-Match` names; nothing when any will do. */
  readonly ifVersion: number | undefined;
  /** What stands before `/odata.svc` in an address of this repository, without the host. */
  readonly basePath: string;
  readonly headers: IncomingHttpHeaders;
  /** Only the headers of the answer are wanted. */
  readonly isHead: boolean;
  /** The body, when it is a file. */
  readonly incoming: Incoming | undefined;
  /** The bytes of files. */
  readonly blobs: Blobs;
  readonly #database: Database;

  constructor(
    database: Database,
    parts: Pick<
      ContentRequest,
      | 'repository'
      | 'caller'
      | 'call'
      | 'method'
      | 'query'
      | 'body'
      | 'ifVersion'
      | 'basePath'
      | 'headers'
      | 'isHead'
      | 'incoming'
      | 'blobs'
    >,
  ) {
    this.#database = database;
    this.repository = parts.repository;
    this.caller = parts.caller;
    this.call = parts.call;
    this.method = parts.method;
    this.query = parts.query;
    this.body = parts.body;
    this.ifVersion = parts.ifVersion;
    this.basePath = parts.basePath;
    this.headers = parts.headers;
    this.isHead = parts.isHead;
    this.incoming = parts.incoming;
    this.blobs = parts.blobs;
  }

  /** The caller as whoever did something, for the audit trail. */
  get actor(): Actor {
    return userActor(this.repository.tenantId, this.caller.userId, this.call);
  }

  /** After the commit of a transaction that ended something: notes the time from which nothing accepts it. */
  async confirm(cutoff: PendingCutoff | undefined): Promise<void> {
    if (cutoff) await confirmCutoff(this.#database, this.#scope, cutoff);
  }

  /** A transaction of this repository that changes nothing. */
  read<T>(work: (tx: EntityManager) => Promise<T>): Promise<T> {
    return this.#database.read(this.#scope, work);
  }

  /** A transaction of this repository. */
  write<T>(work: (tx: EntityManager) => Promise<T>): Promise<T> {
    return this.#database.transaction(this.#scope, work);
  }

  get #scope() {
    return { tenantId: this.repository.tenantId, repositoryId: this.repository.id };
  }
}
