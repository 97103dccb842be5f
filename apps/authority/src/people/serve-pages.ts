import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Authority } from '../authority.js';
import type { Issuer } from '../issuer.js';
import { serveAccount } from './account/account.js';
import { serveForgottenPassword, serveNewPassword } from './forgotten-password.js';
import { serveInvitation } from './invitation.js';
import { serveFederationCallback, serveFederationEnd, serveFederationStart } from './federation.js';
import { serveLogo } from './logo.js';
import { serveEnrolment, serveProof, serveRecoveryCodes } from './second-factor.js';
import { serveSignIn } from './sign-in.js';
import { serveNewCustomer, serveSignUp } from './sign-up.js';
import { serveVerifyEmail } from './verify-email.js';
import { Visit } from './visit.js';

/**
 * The pages of an issuer, by their path below it. What the parentheses catch is handed on. Secrets in a path must be named in
 * `secretPaths` too, so that no log holds them.
 */
const pages: [path: RegExp, serve: (visit: Visit, ...caught: string[]) => Promise<void>][] = [
  [/^\/interaction\/([\w-]{1,64})$/, serveSignIn],
  [/^\/interaction\/([\w-]{1,64})\/factor$/, serveProof],
  [/^\/interaction\/([\w-]{1,64})\/enrol$/, serveEnrolment],
  [/^\/interaction\/([\w-]{1,64})\/codes$/, serveRecoveryCodes],
  [/^\/invitation\/([0-9A-Za-z]{43}|[0-9a-f]{72})$/, serveInvitation],
  [/^\/forgotten-password$/, serveForgottenPassword],
  [/^\/new-password\/([0-9a-f]{72})$/, serveNewPassword],
  [/^\/verify-email\/([0-9a-f]{72})$/, serveVerifyEmail],
  [/^\/sign-up$/, serveSignUp],
  [/^\/sign-up\/([0-9a-f]{72})$/, serveNewCustomer],
  [/^\/account(?:\/([\w-]{1,40}))?$/, serveAccount],
  [/^\/interaction\/([\w-]{1,64})\/federation\/([a-z0-9-]{1,40})$/, serveFederationStart],
  [/^\/interaction\/([\w-]{1,64})\/federation$/, serveFederationEnd],
  [/^\/federation\/callback\/([a-z0-9-]{1,40})$/, serveFederationCallback],
  [/^\/branding\/logo\/([0-9a-f]{32})$/, serveLogo],
];

/** Paths whose rest is a secret: they are logged without it. */
export const secretPaths = /\/(invitation|new-password|verify-email|sign-up)\/.*/;

/** Answers the authority's own pages. @returns false when the address is none of them. */
export async function servePages(
  authority: Authority,
  issuer: Issuer,
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<boolean> {
  for (const [pattern, serve] of pages) {
    const [, ...caught] = pattern.exec(path) ?? [];
    if (!pattern.test(path)) continue;
    const visit = new Visit(authority, issuer, request, response);
    if (request.method !== 'GET' && request.method !== 'POST') response.writeHead(405, { allow: 'GET, POST' }).end();
    else if (visit.posted && !isSameOrigin(issuer, request))
      visit.say(403, { title: visit.texts.problem.title, text: visit.texts.problem.otherSite });
    else await serve(visit, ...caught);
    return true;
  }
  return false;
}

/** A form of ours is only taken from a page of ours (Fetch Metadata; Origin where that is missing). */
function isSameOrigin(issuer: Issuer, request: IncomingMessage): boolean {
  const site = request.headers['sec-fetch-site'];
  if (site !== undefined) return site === 'same-origin';
  const { origin } = request.headers;
  return origin === undefined || origin === new URL(issuer.url).origin;
}
