import { post } from '@latchkey/runtime';
import type { Authority } from './authority.js';

/** Somebody who signs out waits for it. */
const timeoutMillis = 2_500;

/**
 * Posts to an address that a client registered, as the library would with `fetch`, but only to public addresses, without
 * following redirects, and reading nothing of the answer.
 */
export async function callClient(
  { allowPrivateAddresses }: Pick<Authority, 'allowPrivateAddresses'>,
  target: string | URL | Request,
  { body, headers, method, signal }: RequestInit = {},
): Promise<Response> {
  if (method !== 'POST' || target instanceof Request || !(body instanceof URLSearchParams))
    throw new Error('only a form can be posted to a client');
  const status = await post({
    url: String(target),
    headers: Object.fromEntries(new Headers(headers)),
    body: body.toString(),
    timeoutMillis,
    signal: signal ?? new AbortController().signal,
    allowPrivateAddresses,
  });
  return new Response(null, { status });
}
