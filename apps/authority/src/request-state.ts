import type { IncomingMessage } from 'node:http';
import Provider, { type AdapterPayload, type KoaContextWithOIDC } from 'oidc-provider';
import type { Answer, VerifiedToken } from '@latchkey/credentials';

/** What one request has learnt from the primary. It lives and dies with the request, so nothing outlives its check. */
export interface RequestState {
  /** What the express lane was told of the client when it left the request alone, so that nobody asks again. */
  leftByLane?: { repositoryId: string; clientId: string; answer: Answer | undefined };
  /** The check of the client that the request names. */
  client?: Answer;
  /** The secret version with which the client has just authenticated. */
  versionId?: string;
  /** The generation of the person who signs in or whose session this is. */
  userGeneration?: number;
  /** With whom that person signed in, if not here. */
  identityProviderId?: string | null;
  /** The database could not be reached. */
  unavailable?: boolean;
  /** Access tokens that the request presents. */
  tokens: Map<string, Promise<VerifiedToken | undefined>>;
  /** Clients that the request has looked up: one that was there is there until its end. */
  clients: Map<string, Promise<AdapterPayload | undefined>>;
}

const states = new WeakMap<object, RequestState>();

/** The state of a request of the library's. */
export function stateOf(ctx: KoaContextWithOIDC): RequestState {
  return stateOfRequest(ctx.req);
}

/** The state of a request. */
export function stateOfRequest(request: IncomingMessage): RequestState {
  const state = states.get(request) ?? { tokens: new Map(), clients: new Map() };
  states.set(request, state);
  return state;
}

/** The state of the request that the library is working on, or nothing outside of its routes. */
export function currentState(): RequestState | undefined {
  const ctx = Provider.ctx;
  return ctx ? stateOf(ctx) : undefined;
}
