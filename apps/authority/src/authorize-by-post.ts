import type { IncomingMessage } from 'node:http';
import { Problem } from '@latchkey/contracts';
import type { Issuer } from './issuer.js';
import { readForm } from './read-form.js';

const path = '/connect/authorize';

interface Context {
  path: string;
  method: string;
  req: IncomingMessage;
  status: number;
  body: unknown;
  redirect(url: string): void;
}

/**
 * Takes authorization requests that come by POST (OpenID Connect Core 1.0 §3.1.2.1) by sending the browser on with a GET. The
 * session's cookie would not come with a form from another site; with the GET that follows it does.
 *
 * @returns whether it was one.
 */
export async function authorizeByPost(ctx: Context, issuer: Issuer): Promise<boolean> {
  if (ctx.path !== path || ctx.method !== 'POST') return false;
  try {
    const form = await readForm(ctx.req);
    ctx.redirect(`${issuer.url}${path}?${form.toString()}`);
    ctx.status = 303;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    ctx.status = error.status;
    ctx.body = { error: 'invalid_request', error_description: error.message };
  }
  return true;
}
