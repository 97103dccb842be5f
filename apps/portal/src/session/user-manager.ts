import { InMemoryWebStorage, UserManager, WebStorageStateStore } from 'oidc-client-ts';
import { unreachable } from '../api/problem.ts';
import type { Tokens } from '../api/api.ts';
import type { SessionEnd } from './session-end.ts';

/*
 * Where a member's tokens are kept: in memory, and nowhere else. The loser was sessionStorage, which spares one round
 * trip to the authority at a reload. But a browser copies it when a tab is duplicated, so two tabs would present one
 * refresh token, which the authority takes for theft and ends the sign-in; it writes it to disk to restore a session; and
 * what is not stored cannot be read there. The cost: a reload goes through the authority, which knows the member by its
 * own cookie and asks nothing.
 *
 * In sessionStorage is, while one is away at the authority, the PKCE verifier, which is of no use without the code; in
 * localStorage a mark that somebody signed in here, so that the next visit goes to the authority without a press.
 */

const signInPrefix = 'latchkey.sign-in.';

/** Where members sign in, as the tenant API tells it. */
export interface Console {
  authority: string;
  clientId: string;
  /** Where strangers sign up; null where they cannot. */
  signUpUrl: string | null;
}

export function createUserManager({ authority, clientId }: Console): UserManager {
  const { origin } = window.location;
  return new UserManager({
    authority,
    client_id: clientId,
    redirect_uri: `${origin}/signed-in`,
    post_logout_redirect_uri: `${origin}/`,
    scope: 'openid profile email offline_access sensenet',
    loadUserInfo: true,
    // A call that is refused has the tokens renewed. A clock that did so too would at times present the same refresh token, as after
    // the machine has slept: to the authority that is theft.
    automaticSilentRenew: false,
    // The authority's refresh tokens outlive its session. Its answer to a revocation is empty, and says that it is text.
    revokeTokensOnSignout: true,
    revokeTokenAdditionalContentTypes: ['text/plain'],
    userStore: new WebStorageStateStore({ store: new InMemoryWebStorage() }),
    stateStore: new WebStorageStateStore({ store: window.sessionStorage, prefix: signInPrefix }),
  });
}

/** The member's tokens. Several calls that are refused at once wait for one renewal, or for one end of the session to be mended. */
export function tokensOf(manager: UserManager, end: SessionEnd): Tokens {
  let renewal: Promise<string | undefined> | undefined;
  const renew = async () => {
    const user = await manager.getUser();
    if (!user?.refresh_token) return undefined;
    try {
      return (await manager.signinSilent())?.access_token;
    } catch (error) {
      // The authority's own words mean that it refused; anything else, that it was not reached.
      if (error instanceof Error && error.name === 'ErrorResponse') return undefined;
      throw unreachable(error);
    }
  };
  return {
    current: async () => (await manager.getUser())?.access_token,
    renewed: async (forChange) =>
      (end.state === undefined ? await (renewal ??= renew().finally(() => (renewal = undefined))) : undefined) ?? end.mended(forChange),
  };
}

/** Whether this window comes back from the authority for another page: this one did not send it there. */
export function signedInForAnother(): boolean {
  const state = new URLSearchParams(window.location.search).get('state');
  return window.location.pathname === '/signed-in' && state !== null && window.sessionStorage.getItem(signInPrefix + state) === null;
}

const mark = 'latchkey.member';

/** The mark that somebody is signed in on this browser, and who. Changing it tells the other tabs. */
export const signedInHere = {
  get: () => localStorage.getItem(mark) !== null,
  set: (sub: string) => localStorage.setItem(mark, sub),
  remove: () => localStorage.removeItem(mark),
  /** Calls back when `sub` has signed out in another tab, or somebody else has signed in there. @returns what ends it. */
  onOther(sub: string, callback: () => void): () => void {
    const heard = new AbortController();
    const look = () => void (localStorage.getItem(mark) === sub || callback());
    const { signal } = heard;
    window.addEventListener('storage', ({ key }) => key === mark && look(), { signal });
    // A page that the browser had put aside (back/forward cache) was told of nothing meanwhile.
    window.addEventListener('pageshow', ({ persisted }) => persisted && look(), { signal });
    return () => heard.abort();
  },
};
