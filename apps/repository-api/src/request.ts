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
  declare readonly repository: KnownRepository;
  declare readonly caller: Caller;
  /** What the audit trail says of the call. */
  declare readonly call: Call;
  /** In upper case; HEAD is GET. */
  declare readonly method: string;
  declare readonly query: URLSearchParams;
  /** What was sent; read once, and only when it is needed, since it may be refused. */
  declare readonly body: () => Body;
  /** The version that `If-Match` names; nothing when any will do. */
  declare readonly ifVersion: number | undefined;
  /** What stands before `/odata.svc` in an address of this repository, without the host. */
  declare readonly basePath: string;
  declare readonly headers: IncomingHttpHeaders;
  /** Only the headers of the answer are wanted. */
  declare readonly isHead: boolean;
  /** The body, when it is a file. */
  declare readonly incoming: Incoming | undefined;
  /** The bytes of files. */
  declare readonly blobs: Blobs;
  readonly #database: Database;

  constructor(database: Database, parts: Omit<ContentRequest, 'actor' | 'confirm' | 'read' | 'write'>) {
    this.#database = database;
    Object.assign(this, parts);
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

  /**
   * A transaction of this repository.
   *
   * @throws for a GET: it may be carried out before it is known whether the caller's credential is alive.
   */
  async write<T>(work: (tx: EntityManager) => Promise<T>): Promise<T> {
    if (this.method === 'GET') throw new Error('A GET changes nothing');
    return this.#database.transaction(this.#scope, work);
  }

  get #scope() {
    return { tenantId: this.repository.tenantId, repositoryId: this.repository.id };
  }
}
