import type { IncomingMessage } from 'node:http';
import { Problem } from '@latchkey/contracts';
import type { Issuer } from './issuer.js';
import { readForm } from './read-form.js';

/** Where apps send people, who come with a session. */
const paths = new Set(['/connect/authorize', '/connect/endsession']);

interface Context {
  path: string;
  method: string;
  req: IncomingMessage;
  status: number;
  body: unknown;
  redirect(url: string): void;
}

/**
 * Takes requests for a sign-in and a sign-out that come by POST (OpenID Connect Core 1.0 §3.1.2.1, RP-Initiated Logout 1.0 §2) by
 * sending the browser on with a GET. The session's cookie would not come with a form from another site; with the GET that
 * follows it does.
 *
 * @returns whether it was one.
 */
export async function getForPost(ctx: Context, issuer: Issuer): Promise<boolean> {
  if (!paths.has(ctx.path) || ctx.method !== 'POST') return false;
  try {
    const form = await readForm(ctx.req);
    ctx.redirect(`${issuer.url}${ctx.path}?${form.toString()}`);
    ctx.status = 303;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    ctx.status = error.status;
    ctx.body = { error: 'invalid_request', error_description: error.message };
  }
  return true;
}
