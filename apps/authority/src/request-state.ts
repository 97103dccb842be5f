import type { IncomingMessage } from 'node:http';
import Provider, { type AdapterPayload, type KoaContextWithOIDC } from 'oidc-provider';
import type { Answer, VerifiedToken } from '@latchkey/credentials';
import type { FoundRecord, RecordOwner, Writing } from './stored-records.js';

/** What one request has learnt from the primary. It lives and dies with the request, so nothing outlives its check. */
export interface RequestState {
  /** What the first check of the request said of the client that it names, so that nobody asks again. */
  named?: { repositoryId: string; clientId: string; answer: Answer | undefined };
  /** The check of the client that the request names. */
  client?: Answer;
  /** The secret version with which the client has just authenticated. */
  versionId?: string;
  /** The generation of the person who signs in or whose session this is. */
  userGeneration?: number;
  /** With whom that person signed in, if not here. */
  identityProviderId?: string | null;
  /** Why storing or finding something failed, which the library would call its own fault; see `isNoFault`. */
  failed?: unknown;
  /** Access tokens that the request presents. */
  tokens: Map<string, Promise<VerifiedToken | undefined>>;
  /** Clients that the request has looked up: one that was there is there until its end. */
  clients: Map<string, Promise<AdapterPayload | undefined>>;
  /** What was found of records; see `Records`. */
  records: {
    /** As they are stored: one that has not changed is not written again. */
    stored: Map<string, FoundRecord>;
    /** Found with others; whoever asks for one takes it. */
    beside: Map<string, FoundRecord>;
    /** Whose they are, who is enabled. */
    person?: RecordOwner;
    /** That person's grants that are alive. */
    grants: Set<string>;
    /** What is written with the last record of the request. */
    gathered?: Writing;
    /** Writing it was refused: what the request answers is a refusal, for which its session need not be stored. */
    refused?: boolean;
  };
}

const states = new WeakMap<object, RequestState>();

/** The state of a request of the library's. */
export function stateOf(ctx: KoaContextWithOIDC): RequestState {
  return stateOfRequest(ctx.req);
}

/** The state of a request. */
export function stateOfRequest(request: IncomingMessage): RequestState {
  const known = states.get(request);
  if (known) return known;
  const state = { tokens: new Map(), clients: new Map(), records: nothingFound() };
  states.set(request, state);
  return state;
}

export function nothingFound(): RequestState['records'] {
  return { stored: new Map(), beside: new Map(), grants: new Set() };
}

/** The state of the request that the library is working on, or nothing outside of its routes. */
export function currentState(): RequestState | undefined {
  const ctx = Provider.ctx;
  return ctx ? stateOf(ctx) : undefined;
}
