import type { Visit } from '../visit.js';

/*
 * Where somebody goes on who signs in for a page of ours: the account's, unless they came from another. A cookie holds it, since
 * nothing but the account's own address may be named in the request.
 */

const cookieName = 'destination';

/** Pages to which signing in may lead on. */
const allowed = /^\/invitation\/[0-9A-Za-z]{43,72}$/;

/** Notes in the browser where to go after the next sign-in for the account, within ten minutes. @param path below the issuer. */
export function setDestination(visit: Visit, path: string): void {
  write(visit, path, 600);
}

/** Where that is, once. */
export function takeDestination(visit: Visit): string | undefined {
  const path = new RegExp(`(?:^|;\\s*)${cookieName}=([^;]{1,200})`).exec(visit.request.headers.cookie ?? '')?.[1];
  if (path === undefined) return undefined;
  write(visit, '', 0);
  return allowed.test(path) ? path : undefined;
}

function write(visit: Visit, value: string, seconds: number): void {
  const secure = new URL(visit.issuer.url).protocol === 'https:' ? '; Secure' : '';
  const attributes = `Path=${visit.path('/account')}; Max-Age=${seconds}; HttpOnly; SameSite=Lax${secure}`;
  visit.response.appendHeader('set-cookie', `${cookieName}=${value}; ${attributes}`);
}
