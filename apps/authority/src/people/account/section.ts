import type { ComponentChild } from 'preact';
import type { KnownUser } from '@latchkey/content';
import type { Visit } from '../visit.js';

/** Somebody at the page of their own account. */
export interface AccountVisit {
  visit: Visit;
  user: KnownUser;
  /** The uid of the session that they came with. */
  session: string;
  /** They signed in a short while ago, so that they may change things. */
  fresh: boolean;
}

/** What became of a change, to be said on the page; nothing when the answer was sent. */
export type Outcome = { done: string } | { fault: string; faulty?: string } | undefined;

/**
 * A part of the page. Each knows what it shows and what its forms do; forms go to `/account/<action>`, come from this issuer's
 * own pages, and are only taken from somebody who has signed in within the last ten minutes.
 */
export interface AccountSection {
  /** By the last part of the address that a form goes to. */
  actions: Record<string, (account: AccountVisit, form: URLSearchParams) => Promise<Outcome>>;
  /** @param said what became of an action of this section. */
  show: (account: AccountVisit, said: (Exclude<Outcome, undefined> & { action: string }) | undefined) => Promise<ComponentChild>;
}
