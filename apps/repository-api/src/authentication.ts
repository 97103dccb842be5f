import { hash } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { visitor, type Caller } from '@latchkey/content';
import {
  consumerOf,
  CredentialRefused,
  verifyApiKey,
  type CredentialCheck,
  type KeyRing,
  type KnownRepository,
  type PresentedProof,
  type TokenVerifier,
  type UseRecorder,
} from '@latchkey/credentials';
import { ODataFault } from './odata/fault.js';

/** Who is calling, and as which client. */
export interface Identified {
  caller: Caller;
  /** The client whose token it is, or the id of the API key; nothing for the Visitor. */
  clientId: string | undefined;
}

/** Finds out who is calling. Asks the primary each time and remembers nothing. */
export class Authentication {
  readonly #check: CredentialCheck;
  readonly #verifier: TokenVerifier;
  readonly #peppers: KeyRing;
  readonly #uses: UseRecorder;

  constructor(check: CredentialCheck, verifier: TokenVerifier, peppers: KeyRing, uses: UseRecorder) {
    this.#check = check;
    this.#verifier = verifier;
    this.#peppers = peppers;
    this.#uses = uses;
  }

  /**
   * Looks for a credential in this order: access token, `?apikey=`, the header `apikey`. The first one that is there
   * decides; without any the caller is the Visitor. One gathered statement.
   *
   * @param url of the request as its caller knows it, which a proof for a bound token names (RFC 9449 §4.3).
   * @throws CredentialRefused when a credential is there and bad.
   * @throws ODataFault 403 when there is none and the repository is not active.
   */
  async identify(repository: KnownRepository, request: FastifyRequest, query: URLSearchParams, url: string): Promise<Identified> {
    const { authorization } = request.headers;
    if (authorization !== undefined)
      return this.#byToken(repository, authorization, { jwt: request.headers['dpop'], method: request.method, url });
    const apiKey = presentedApiKey(request, query);
    if (apiKey !== undefined) return this.#byApiKey(repository, apiKey, request);
    const answer = await this.#check.ask({ repositoryId: repository.id });
    if (!answer?.repository.alive) throw new ODataFault(403, 'Forbidden', 'This repository is not active.');
    return { caller: visitor({ tenantId: repository.tenantId, repositoryId: repository.id }), clientId: undefined };
  }

  async #byToken(repository: KnownRepository, authorization: string, proof: PresentedProof): Promise<Identified> {
    const [, scheme = '', token] = /^(Bearer|DPoP) +([\w.~+/-]+=*) *$/i.exec(authorization) ?? [];
    if (!token) throw new CredentialRefused('the Authorization header holds no bearer token');
    const verified = await this.#verifier.verify(repository, token, scheme.toLowerCase() === 'dpop' ? proof : undefined);
    const caller = {
      tenantId: repository.tenantId,
      repositoryId: repository.id,
      userId: verified.userId,
      permissions: new Set(verified.permissions),
    };
    return { caller, clientId: verified.clientId };
  }

  async #byApiKey(repository: KnownRepository, presented: string, request: FastifyRequest): Promise<Identified> {
    const key = await verifyApiKey(this.#check, this.#peppers, repository, presented);
    this.#uses.record({
      repositoryId: repository.id,
      credentialId: key.keyId,
      versionId: key.keyId,
      outcome: 'accepted',
      consumer: consumerOf(request.headers),
      address: request.ip,
    });
    const caller = {
      tenantId: repository.tenantId,
      repositoryId: repository.id,
      userId: key.userId,
      permissions: new Set(key.permissions),
    };
    return { caller, clientId: key.keyId };
  }
}

/** True when the request came with anything that is meant to prove who is calling. */
export function presentsCredential(request: FastifyRequest, query: URLSearchParams): boolean {
  return request.headers.authorization !== undefined || presentedApiKey(request, query) !== undefined;
}

/** What tells the repository and the credential of a request from all others: a digest, so that it can be remembered. */
export function presented(repository: KnownRepository, request: FastifyRequest, query: URLSearchParams): string {
  const { authorization } = request.headers;
  return hash('sha256', JSON.stringify([repository.id, authorization ?? null, presentedApiKey(request, query) ?? null]), 'base64');
}

function presentedApiKey(request: FastifyRequest, query: URLSearchParams): string | undefined {
  for (const [name, value] of query) if (name.toLowerCase() === 'apikey') return value;
  const header = request.headers['apikey'];
  return Array.isArray(header) ? header[0] : header;
}
