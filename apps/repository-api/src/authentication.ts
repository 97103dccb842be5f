import type { FastifyRequest } from 'fastify';
import { visitor, type Caller } from '@latchkey/content';
import { CredentialRefused, type CredentialCheck, type KnownRepository, type TokenVerifier } from '@latchkey/credentials';
import { ODataFault } from './odata/fault.js';

/** Who is calling, and as which client. */
export interface Identified {
  caller: Caller;
  /** The client whose token it is; nothing for the Visitor. */
  clientId: string | undefined;
}

/** Finds out who is calling. Asks the primary each time and remembers nothing. */
export class Authentication {
  readonly #check: CredentialCheck;
  readonly #verifier: TokenVerifier;

  constructor(check: CredentialCheck, verifier: TokenVerifier) {
    this.#check = check;
    this.#verifier = verifier;
  }

  /**
   * Looks for a credential in this order: bearer token, `?apikey=`, the header `apikey`. The first one that is there
   * decides; without any the caller is the Visitor. One gathered statement.
   *
   * @throws CredentialRefused when a credential is there and bad.
   * @throws ODataFault 403 when there is none and the repository is not active.
   */
  async identify(repository: KnownRepository, request: FastifyRequest, query: URLSearchParams): Promise<Identified> {
    const { authorization } = request.headers;
    if (authorization !== undefined) return this.#byToken(repository, authorization);
    const apiKey = presentedApiKey(request, query);
    if (apiKey !== undefined) return this.#byApiKey();
    const answer = await this.#check.ask({ repositoryId: repository.id });
    if (!answer?.repository.alive) throw new ODataFault(403, 'Forbidden', 'This repository is not active.');
    return { caller: visitor({ tenantId: repository.tenantId, repositoryId: repository.id }), clientId: undefined };
  }

  async #byToken(repository: KnownRepository, authorization: string): Promise<Identified> {
    const token = /^Bearer +([\w.~+/-]+=*) *$/i.exec(authorization)?.[1];
    if (!token) throw new CredentialRefused('the Authorization header holds no bearer token');
    const verified = await this.#verifier.verify(repository, token);
    const caller = {
      tenantId: repository.tenantId,
      repositoryId: repository.id,
      userId: verified.userId,
      permissions: new Set(verified.permissions),
    };
    return { caller, clientId: verified.clientId };
  }

  /** Repositories give out no API keys yet, so none can be good. */
  #byApiKey(): never {
    throw new CredentialRefused('there is no such API key');
  }
}

/** True when the request came with anything that is meant to prove who is calling. */
export function presentsCredential(request: FastifyRequest, query: URLSearchParams): boolean {
  return request.headers.authorization !== undefined || presentedApiKey(request, query) !== undefined;
}

function presentedApiKey(request: FastifyRequest, query: URLSearchParams): string | undefined {
  for (const [name, value] of query) if (name.toLowerCase() === 'apikey') return value;
  const header = request.headers['apikey'];
  return Array.isArray(header) ? header[0] : header;
}
