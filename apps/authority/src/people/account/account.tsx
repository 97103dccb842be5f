import { Problem } from '@latchkey/contracts';
import { multiFactor } from '../../authentication-context.js';
import { accountPage } from '../../pages/account.js';
import { isAskedForFactor } from '../second-factor.js';
import { sayTooManyRequests } from '../slow-down.js';
import type { Visit } from '../visit.js';
import { appsSection } from './apps.js';
import { signInRequest } from './client.js';
import { takeDestination } from './destination.js';
import { factorsSection } from './factors.js';
import { linksSection } from './links.js';
import { passwordSection } from './password.js';
import { profileSection } from './profile.js';
import type { AccountSection, AccountVisit, Outcome } from './section.js';
import { sessionsSection } from './sessions.js';

/** How old a sign-in may be for a change. By the password alone it is none for whoever has a second factor by now. */
const freshSeconds = 600;

/** The page from top to bottom. */
const sections: AccountSection[] = [profileSection, passwordSection, factorsSection, sessionsSection, appsSection, linksSection];

/** A person's own account: `/account`, and what its forms do: `/account/<action>`. */
export async function serveAccount(visit: Visit, action?: string): Promise<void> {
  const { query, texts } = visit;
  const signIn = { href: visit.path('/account'), label: texts.account.signIn };
  const account = await accountOf(visit);
  if (!account && query.has('error')) return visit.say(200, { ...texts.account.cancelled, link: signIn });
  // What came back from signing in has served its purpose.
  if (query.has('code') || query.has('error')) return visit.leadTo(takeDestination(visit) ?? '/account');
  const askToSignIn = (again: boolean) => visit.leadTo(signInRequest(visit.issuer.url, { again, languages: query.get('ui_locales') }));
  if (!account) return askToSignIn(false);
  if (!visit.posted) return action === undefined ? showAccount(account) : visit.leadTo('/account');
  if (!account.fresh || action === 'again') return askToSignIn(true);
  return change(account, action ?? '');
}

async function change(account: AccountVisit, action: string): Promise<void> {
  const { visit } = account;
  const section = sections.find(({ actions }) => Object.hasOwn(actions, action));
  const carryOut = section?.actions[action];
  // A form that no page of ours has, or one that another site has made a browser send without saying where it is from.
  if (!section || !carryOut || !saysWhereFrom(visit)) return visit.leadTo('/account');
  const { authority, issuer } = visit;
  const turn = await authority.requests.beginChange({ repositoryId: issuer.repository.id, userId: account.user.id });
  if ('waitSeconds' in turn) return sayTooManyRequests(visit, turn.waitSeconds);
  const outcome = await carryOut(account, await visit.form()).catch((error: unknown): Outcome => {
    if (error instanceof Problem && error.type === 'conflict') return { fault: visit.texts.account.conflict };
    throw error;
  });
  if (!outcome) return undefined;
  const user = (await authority.accounts.find(issuer.repository, account.user.id)) ?? account.user;
  return showAccount({ ...account, user }, { section, ...outcome, action });
}

type Said = Exclude<Outcome, undefined> & { section: AccountSection; action: string };

async function showAccount(account: AccountVisit, said?: Said): Promise<void> {
  const { visit, user, fresh } = account;
  const shown = await Promise.all(sections.map((section) => section.show(account, said?.section === section ? said : undefined)));
  const again = fresh ? undefined : visit.path('/account/again');
  visit.send(said && 'fault' in said ? 422 : 200, accountPage(visit.look, { loginName: user.loginName, again, sections: shown }));
}

/**
 * Whose session the browser has, asked of the primary with this very request: a session that was ended anywhere is none.
 */
export async function accountOf(visit: Visit): Promise<AccountVisit | undefined> {
  const { provider, repository } = visit.issuer;
  const session = await provider.Session.get(provider.createContext(visit.request, visit.response) as never);
  if (!session.accountId) return undefined;
  const user = await visit.authority.accounts.find(repository, Number(session.accountId));
  if (!user) return undefined;
  const isEnough = session.acr === multiFactor || !(await isAskedForFactor(visit, user.id));
  return { visit, user, session: session.uid, fresh: isEnough && !session.past(freshSeconds) };
}

/** Browsers say with every form where it is from; what says nothing is none. */
export function saysWhereFrom({ request }: Visit): boolean {
  return request.headers['sec-fetch-site'] !== undefined || request.headers.origin !== undefined;
}
