import type { CutoffView, FactorsView, UserSessionView } from '@latchkey/contracts';
import type { Api } from '../api/api.ts';
import { kept, type User } from '../api/queries.ts';

type Headers = { 'Idempotency-Key': string };
type Answer<T> = Promise<{ data?: T; error?: unknown; response: Response }>;

/** The account of somebody else at the authority where they sign in, and what those who look after it can do with it. */
export interface Account {
  name: string;
  /** The repository that it belongs to; none for a member's, which is at the console. */
  slug?: string;
  /** What is read of it is kept under names that begin so. */
  key: readonly unknown[];
  sessions: (api: Api, signal: AbortSignal) => Answer<{ items: UserSessionView[] }>;
  endSession: (api: Api, headers: Headers, sessionId: string) => Answer<unknown>;
  signOut: (api: Api, headers: Headers) => Answer<{ cutoff: CutoffView }>;
  factors: (api: Api, signal: AbortSignal) => Answer<FactorsView>;
  /** @param factor all of them, if `null`. */
  takeFactor: (api: Api, headers: Headers, factor: string | null) => Answer<{ cutoff: CutoffView }>;
}

/** The account of a user of a repository. */
export function userAccount(slug: string, { id, name }: User): Account {
  const path = { slug, id: String(id) };
  const params = { path };
  return {
    name,
    slug,
    key: [...kept.users(slug), 'account', id],
    sessions: (api, signal) => api.GET('/v1/repositories/{slug}/users/{id}/sessions', { params, signal }),
    endSession: (api, headers, sessionId) =>
      api.DELETE('/v1/repositories/{slug}/users/{id}/sessions/{sessionId}', { params: { path: { ...path, sessionId } }, headers }),
    signOut: (api, headers) => api.POST('/v1/repositories/{slug}/users/{id}/sign-out', { params, headers }),
    factors: (api, signal) => api.GET('/v1/repositories/{slug}/users/{id}/factors', { params, signal }),
    takeFactor: (api, headers, factor) =>
      factor === null
        ? api.DELETE('/v1/repositories/{slug}/users/{id}/factors', { params, headers })
        : api.DELETE('/v1/repositories/{slug}/users/{id}/factors/{factor}', { params: { path: { ...path, factor } }, headers }),
  };
}

/** The account of a member of the tenant. */
export function memberAccount({ id: memberId, name }: { id: string; name: string }): Account {
  const path = { memberId };
  const params = { path };
  return {
    name,
    key: ['members', 'account', memberId],
    sessions: (api, signal) => api.GET('/v1/members/{memberId}/sessions', { params, signal }),
    endSession: (api, headers, sessionId) =>
      api.DELETE('/v1/members/{memberId}/sessions/{sessionId}', { params: { path: { ...path, sessionId } }, headers }),
    signOut: (api, headers) => api.POST('/v1/members/{memberId}/sign-out', { params, headers }),
    factors: (api, signal) => api.GET('/v1/members/{memberId}/factors', { params, signal }),
    takeFactor: (api, headers, factor) =>
      factor === null
        ? api.DELETE('/v1/members/{memberId}/factors', { params, headers })
        : api.DELETE('/v1/members/{memberId}/factors/{factor}', { params: { path: { ...path, factor } }, headers }),
  };
}
