import { keepPreviousData, QueryClient, useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query';
import type { TenantPermission } from '@latchkey/contracts';
import createClient from 'openapi-fetch';
import type { Api } from './api.ts';
import { answerOf, useApi } from './api.ts';
import { toProblem, unreachable } from './problem.ts';
import type { paths } from './schema.ts';

/*
 * What the portal reads. Changes do not go through the query client: their answers may hold a secret, and what it has
 * seen it keeps. They go through `useChange`.
 */

/** Keeps what was read; asks again by itself only when asking again can help. */
export function createQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: { staleTime: 10_000, networkMode: 'always', retry: (failures, error) => failures < 2 && toProblem(error).isPassing },
    },
  });
}

type Answer<T extends (...args: never[]) => Promise<unknown>> = Awaited<ReturnType<T>>;

const readRepository = (api: Api, slug: string, signal?: AbortSignal) =>
  answerOf(api.GET('/v1/repositories/{slug}', { params: { path: { slug } }, signal: signal ?? null }));
const readClients = (api: Api, slug: string, after: string | null, signal: AbortSignal) => {
  const query = { limit: 200, ...(after === null ? {} : { after }) };
  return answerOf(api.GET('/v1/repositories/{slug}/clients', { params: { path: { slug }, query }, signal }));
};
const readSecrets = (api: Api, slug: string, clientId: string, signal: AbortSignal) =>
  answerOf(api.GET('/v1/repositories/{slug}/clients/{clientId}/secrets', { params: { path: { slug, clientId } }, signal }));
const readProofs = (api: Api, slug: string, signal: AbortSignal) =>
  answerOf(api.GET('/v1/repositories/{slug}/cutoffs', { params: { path: { slug }, query: { limit: 100 } }, signal }));
const readConsumers = (api: Api, slug: string, clientId: string, signal: AbortSignal) =>
  answerOf(api.GET('/v1/repositories/{slug}/clients/{clientId}/consumers', { params: { path: { slug, clientId } }, signal }));
const readUser = (api: Api, slug: string, id: number, signal: AbortSignal) =>
  answerOf(api.GET('/v1/repositories/{slug}/users/{id}', { params: { path: { slug, id: String(id) } }, signal }));

export type Repository = Answer<typeof readRepository>;
export type RepositoryClient = Answer<typeof readClients>['items'][number];
export type SecretVersion = Answer<typeof readSecrets>['items'][number];
export type Proof = Answer<typeof readProofs>['items'][number];
export type Consumer = Answer<typeof readConsumers>['items'][number];
export type User = Answer<typeof readUser>;

/** Names of what is kept, from the whole to the part; forgetting a whole forgets its parts. */
export const kept = {
  me: ['me'] as const,
  repositories: ['repositories'] as const,
  repository: (slug: string) => ['repository', slug] as const,
  clients: (slug: string) => ['repository', slug, 'clients'] as const,
  secrets: (slug: string, clientId: string) => ['repository', slug, 'clients', clientId, 'secrets'] as const,
  consumers: (slug: string, clientId: string) => ['repository', slug, 'clients', clientId, 'consumers'] as const,
  proofs: (slug: string) => ['repository', slug, 'proofs'] as const,
  users: (slug: string) => ['repository', slug, 'users'] as const,
};

const wanted = (search: string) => (search === '' ? {} : { search });

/** What was found before is shown until what is searched for now is there. */
const whileSearching = (search: string) => (search === '' ? {} : { placeholderData: keepPreviousData });

/** The repositories of the tenant, or those that are called what is searched for, a page at a time. */
export function useRepositories(search = '') {
  return usePages(
    [...kept.repositories, 'pages', search],
    (api, page, signal) => api.GET('/v1/repositories', { params: { query: { ...page, ...wanted(search) } }, signal }),
    whileSearching(search),
  );
}

export function useRepository(slug: string | null) {
  const api = useApi();
  return useQuery({
    queryKey: kept.repository(slug ?? ''),
    queryFn: ({ signal }) => readRepository(api, slug as string, signal),
    enabled: slug !== null,
  });
}

/** All clients of a repository: whoever chooses one looks among them by kind and name. */
export function useClients(slug: string) {
  const api = useApi();
  return useQuery({
    queryKey: kept.clients(slug),
    queryFn: async ({ signal }) => {
      const all: RepositoryClient[] = [];
      let after: string | null = null;
      do {
        const { items, next }: Answer<typeof readClients> = await readClients(api, slug, after, signal);
        all.push(...items);
        after = next;
      } while (after !== null);
      return all;
    },
  });
}

/** The secret versions of one tool client, the youngest first. */
export function useSecrets(slug: string, clientId: string) {
  const api = useApi();
  return useQuery({
    queryKey: kept.secrets(slug, clientId),
    queryFn: async ({ signal }) =>
      (await readSecrets(api, slug, clientId, signal)).items.toSorted((a, b) => b.createdAt.localeCompare(a.createdAt)),
  });
}

/** Who used which secret of a tool client, the latest use first; read again every few seconds while somebody looks. */
export function useConsumers(slug: string, clientId: string, { often = false } = {}) {
  const api = useApi();
  return useQuery({
    queryKey: kept.consumers(slug, clientId),
    queryFn: async ({ signal }) => (await readConsumers(api, slug, clientId, signal)).items,
    refetchInterval: often ? 3_000 : false,
  });
}

/** What was cut off in a repository, the latest first. */
export function useProofs(slug: string) {
  const api = useApi();
  return useQuery({
    queryKey: kept.proofs(slug),
    queryFn: async ({ signal }) => (await readProofs(api, slug, signal)).items,
    refetchInterval: ({ state }) =>
      state.data?.some(({ propagation }) => propagation.some((each) => each.state === 'retrying')) ? 5_000 : false,
  });
}

/** The people of a repository, or those who are called what is searched for, a page at a time. */
export function useUsers(slug: string, search = '') {
  return usePages(
    [...kept.users(slug), 'pages', search],
    (api, page, signal) =>
      api.GET('/v1/repositories/{slug}/users', { params: { path: { slug }, query: { ...page, ...wanted(search) } }, signal }),
    whileSearching(search),
  );
}

/** The people of the tenant, or those who are called what is searched for, a page at a time. */
export function useMembers(search = '') {
  return usePages(
    ['members', 'pages', search],
    (api, page, signal) => api.GET('/v1/members', { params: { query: { ...page, ...wanted(search) } }, signal }),
    whileSearching(search),
  );
}

/** One user, a technical one too. */
export function useUser(slug: string, id: number | null) {
  const api = useApi();
  return useQuery({
    queryKey: [...kept.users(slug), 'one', id],
    queryFn: ({ signal }) => readUser(api, slug, id as number, signal),
    enabled: id !== null,
  });
}

/** One call that reads, kept under `key`. */
export function useAnswer<T>(
  key: readonly unknown[],
  read: (api: Api, signal: AbortSignal) => Promise<{ data?: T; error?: unknown; response: Response }>,
  more: { enabled?: boolean; refetchInterval?: number | false } = {},
) {
  const api = useApi();
  return useQuery({ queryKey: key, queryFn: ({ signal }) => answerOf(read(api, signal)), ...more });
}

/** One call that reads what need not be there, kept under `key`: `null` when there is none. */
export function useAnswerOrNone<T>(...[key, read]: Parameters<typeof useAnswer<T>>) {
  const api = useApi();
  return useQuery({
    queryKey: key,
    queryFn: ({ signal }) =>
      answerOf(read(api, signal)).catch((error: unknown) => {
        if (toProblem(error).type === 'not-found') return null;
        throw error;
      }),
  });
}

/** A list that comes a page at a time, kept under `key`. */
export function usePages<T>(
  key: readonly unknown[],
  read: (
    api: Api,
    page: { limit: number; after?: string },
    signal: AbortSignal,
  ) => Promise<{ data?: { items: T[]; next: string | null }; error?: unknown; response: Response }>,
  { limit = 50, ...more }: { limit?: number; placeholderData?: typeof keepPreviousData } = {},
) {
  const api = useApi();
  const pages = useInfiniteQuery({
    queryKey: key,
    queryFn: ({ pageParam, signal }) => answerOf(read(api, { limit, ...(pageParam ? { after: pageParam } : {}) }, signal)),
    initialPageParam: '',
    getNextPageParam: (page) => page.next,
    ...more,
  });
  return { ...pages, items: pages.data?.pages.flatMap((page) => page.items) };
}

/** Where members sign in, which the tenant API tells anyone. */
export function useConsole() {
  return useQuery({
    queryKey: ['console'],
    queryFn: () =>
      answerOf(
        createClient<paths>({ baseUrl: window.location.origin })
          .GET('/v1/console')
          .catch((error: unknown) => Promise.reject(unreachable(error))),
      ),
    staleTime: Infinity,
  });
}

/** Who is signed in and what they may do; the API decides, this only shows less. */
export function useMe() {
  return useAnswer(kept.me, (api, signal) => api.GET('/v1/me', { signal }));
}

/** Whether whoever is signed in may do this. While that is not known: yes, since the API decides. */
export function useMay(permission: TenantPermission): boolean {
  return useMe().data?.permissions.includes(permission) ?? true;
}

/** Forgets what was read of a repository, so that it is read anew. */
export function useForget(slug: string): () => Promise<unknown> {
  const queries = useQueryClient();
  return () =>
    Promise.all([
      queries.invalidateQueries({ queryKey: kept.repositories }),
      queries.invalidateQueries({ queryKey: kept.repository(slug) }),
    ]);
}
