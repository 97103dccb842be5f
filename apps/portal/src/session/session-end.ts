import type { UserManager } from 'oidc-client-ts';
import { ApiProblem } from '../api/problem.ts';
import { chosenTenant } from './chosen-tenant.ts';

/**
 * A session that has ended under a page. The calls that met it wait here until the member has signed in again in a window of
 * its own, and are then sent: nothing that was typed is lost. If the member looks at the page first, they fail.
 */
export class SessionEnd {
  readonly #manager: UserManager;
  #waiting = Promise.withResolvers<string>();
  readonly #listeners = new Set<() => void>();
  /** Whether the member is being asked, or has put the question aside; nothing while the session lives. */
  state: 'asking' | 'aside' | undefined;

  constructor(manager: UserManager) {
    this.#manager = manager;
  }

  /** A token of the session that follows. @throws ApiProblem `unauthenticated` when there is none for now. */
  mended(forChange: boolean): Promise<string> {
    if (this.state === 'aside' && !forChange) return Promise.reject(sessionEnded());
    if (this.state !== 'asking') {
      this.#waiting = Promise.withResolvers();
      this.#become('asking');
    }
    return this.#waiting.promise;
  }

  /** Goes back to the page as it is; calls that only read do not ask any more. */
  putAside(): void {
    this.#become('aside');
    this.#waiting.reject(sessionEnded());
  }

  /**
   * Signs in in a window of its own. Whoever else signs in there gets a page of their own: what stands here is not theirs.
   *
   * @throws Error when the browser opens no window, or the authority refuses.
   */
  async signIn(): Promise<void> {
    const before = (await this.#manager.getUser())?.profile.sub;
    const user = await this.#manager.signinPopup();
    if (user.profile.sub !== before) {
      chosenTenant.forget();
      return window.location.assign('/');
    }
    this.#become(undefined);
    this.#waiting.resolve(user.access_token);
  }

  readonly subscribe = (listener: () => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  #become(state: SessionEnd['state']): void {
    this.state = state;
    for (const listener of this.#listeners) listener();
  }
}

const sessionEnded = () => new ApiProblem('unauthenticated', 'You are no longer signed in', 'Sign in again to go on.');
