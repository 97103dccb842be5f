import { fetchOutgoing } from '@latchkey/runtime';

/** No provider takes so long, and nobody waits longer in front of a page. */
const patienceMillis = 10_000;

/** What `fetch` takes, as far as it is used here. */
export interface OutsideRequest {
  method?: string;
  headers?: ConstructorParameters<typeof Headers>[0];
  body?: unknown;
}

/**
 * Fetches from an identity provider that a tenant has named.
 *
 * @param allowPrivateAddresses for trying on one machine: without it, only public addresses are connected to, and by https.
 * @throws when there is no answer.
 */
export async function fetchOutside(
  url: string | URL,
  { method = 'GET', headers, body }: OutsideRequest,
  allowPrivateAddresses: boolean,
): Promise<Response> {
  const { href, protocol } = new URL(url);
  if (protocol !== 'https:' && !allowPrivateAddresses) throw new Error('A provider must be reached by https');
  return fetchOutgoing({
    url: href,
    method,
    headers: Object.fromEntries(new Headers(headers)),
    body: body === undefined || body === null ? '' : (body as string | URLSearchParams).toString(),
    timeoutMillis: patienceMillis,
    signal: new AbortController().signal,
    allowPrivateAddresses,
  });
}
