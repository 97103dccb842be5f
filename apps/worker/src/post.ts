import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { useAgent } from 'request-filtering-agent';

/** What is sent to somebody else's server, and how much patience we have with it. */
export interface Post {
  url: string;
  headers: Record<string, string>;
  body: string;
  timeoutMillis: number;
  /** Cuts it short. */
  signal: AbortSignal;
  /** Without it, only public addresses are connected to. */
  allowPrivateAddresses: boolean;
}

/**
 * Posts to an address that a customer chose. Follows no redirect, reads no answer beyond its status, keeps no connection.
 *
 * The agent looks at the address that the name resolved to, for the very connection it then makes, so a name that
 * changes its mind (DNS rebinding) gains nothing; whatever is not globally reachable unicast is refused.
 *
 * @returns the status of the answer.
 * @throws when there is none; `describeFault` says why in words that the customer may read.
 */
export async function post({ url, headers, body, timeoutMillis, signal, allowPrivateAddresses }: Post): Promise<number> {
  const request = new URL(url).protocol === 'https:' ? requestHttps : requestHttp;
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const sent = request(
    url,
    {
      method: 'POST',
      headers: { ...headers, 'content-length': Buffer.byteLength(body) },
      agent: useAgent(url, { allowPrivateIPAddress: allowPrivateAddresses, allowMetaIPAddress: allowPrivateAddresses }),
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMillis)]),
    },
    (answer) => {
      resolve(answer.statusCode ?? 0);
      answer.destroy();
    },
  );
  sent.on('error', reject);
  sent.end(body);
  return promise;
}

/** Why there was no answer. Names no address that a name resolved to, since that may be inside our network. */
export function describeFault(error: unknown): string {
  if (!(error instanceof Error)) return 'The request failed';
  const cause = error.cause instanceof Error ? error.cause : error;
  if (cause.name === 'TimeoutError') return 'The receiver did not answer in time';
  if (error.name === 'AbortError') return 'The request was cut short because the worker was stopping';
  if ('code' in error && typeof error.code === 'string') return `The receiver could not be reached: ${error.code}`;
  if (error.message.includes('is not allowed')) return 'The receiver is at an address that is not public, which is refused';
  return 'The request failed';
}
