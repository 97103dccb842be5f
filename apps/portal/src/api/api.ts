import { createContext, use } from 'react';
import createClient, { type Client } from 'openapi-fetch';
import { chosenTenant } from '../session/chosen-tenant.ts';
import { ApiProblem, problemFrom, unreachable } from './problem.ts';
import type { paths } from './schema.ts';

/** The tenant API's client, generated from its OpenAPI document. */
export type Api = Client<paths>;

/** Where the client gets its tokens. */
export interface Tokens {
  /** The present access token. */
  current(): Promise<string | undefined>;
  /**
   * A new one, after the present one was refused. It takes as long as the member takes to sign in again, when the session has ended.
   *
   * @param forChange the call that waits for it was asked for by the member, and is not just reading.
   * @throws ApiProblem `unauthenticated` when the session has ended and the member does not sign in now.
   */
  renewed(forChange: boolean): Promise<string>;
}

/** How long an answer may be on its way. What is done in a call takes seconds; whoever waits longer waits for nobody. */
const patienceMillis = 30_000;

/** A client whose calls carry a token, and are sent once more with a new one when it was refused. */
export function createApi(tokens: Tokens): Api {
  const send = async (request: Request, token: string | undefined) => {
    if (token !== undefined) request.headers.set('authorization', `Bearer ${token}`);
    const tenant = chosenTenant.get();
    if (tenant !== null) request.headers.set('latchkey-tenant', tenant);
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), patienceMillis);
    try {
      return await fetch(request, { signal: AbortSignal.any([request.signal, late.signal]) });
    } catch (error) {
      if (request.signal.aborted) throw error;
      throw unreachable(error);
    } finally {
      clearTimeout(timer);
    }
  };
  return createClient<paths>({
    baseUrl: window.location.origin,
    fetch: async (request) => {
      const again = request.clone();
      const response = await send(request, await tokens.current());
      return response.status === 401 ? send(again, await tokens.renewed(request.method !== 'GET')) : response;
    },
  });
}

/** The body of a success. @throws ApiProblem for anything else, also for an answer that broke off. */
export async function answerOf<T>(call: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  const { data, error, response } = await call.catch((cause: unknown) => {
    throw cause instanceof ApiProblem || isAbort(cause) ? cause : unreachable(cause);
  });
  if (!response.ok) throw problemFrom(response.status, error);
  return data as T;
}

const isAbort = (cause: unknown) => cause instanceof Error && cause.name === 'AbortError';

export const ApiContext = createContext<Api | undefined>(undefined);

/** The client of whoever is signed in. */
export function useApi(): Api {
  const api = use(ApiContext);
  if (!api) throw new Error('only pages of a signed-in member call the API');
  return api;
}
