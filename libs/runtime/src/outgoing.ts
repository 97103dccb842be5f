import { request as requestHttp, type ClientRequest, type IncomingMessage } from 'node:http';
import { request as requestHttps } from 'node:https';
import { useAgent } from 'request-filtering-agent';

/** How somebody else's server is called. */
export interface Outgoing {
  url: string;
  headers: Record<string, string>;
  timeoutMillis: number;
  /** Cuts it short. */
  signal: AbortSignal;
  /** Without it, only public addresses are connected to. */
  allowPrivateAddresses: boolean;
}

/** What is sent there. */
export interface Post extends Outgoing {
  body: string;
}

/** More than any document takes that is fetched from a customer's server. */
const maxDocumentBytes = 256 * 1024;

/**
 * Posts to an address that a customer chose. Follows no redirect, reads no answer beyond its status, keeps no connection.
 *
 * The agent looks at the address that the name resolved to, for the very connection it then makes, so a name that
 * changes its mind (DNS rebinding) gains nothing; whatever is not globally reachable unicast is refused.
 *
 * @returns the status of the answer.
 * @throws when there is none; `describeFault` says why in words that the customer may read.
 */
export async function post({ body, ...call }: Post): Promise<number> {
  const headers = { ...call.headers, 'content-length': String(Buffer.byteLength(body)) };
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const sent = open('POST', { ...call, headers }, (answer) => {
    resolve(answer.statusCode ?? 0);
    answer.destroy();
  });
  sent.on('error', reject);
  sent.end(body);
  return promise;
}

/**
 * Reads a document at an address that a customer chose, as guarded as `post`. Follows no redirect.
 *
 * @returns its text, of 256 KiB at most.
 * @throws when there is none: no answer, another status than 200, or too much of it.
 */
export async function readDocument(call: Outgoing): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const sent = open('GET', call, (answer) => {
    if (answer.statusCode !== 200) {
      answer.destroy();
      return reject(new Error(`the server answered ${answer.statusCode}`));
    }
    const chunks: Buffer[] = [];
    let length = 0;
    answer.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length > maxDocumentBytes) answer.destroy(new Error('the document is too large'));
      else chunks.push(chunk);
    });
    answer.on('error', reject);
    answer.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
    return undefined;
  });
  sent.on('error', reject);
  sent.end();
  return promise;
}

/**
 * Calls an address that a customer chose, as guarded as `post`. Follows no redirect.
 *
 * @returns the answer, whatever its status, with 256 KiB at most.
 * @throws when there is none, or too much of it.
 */
export async function fetchOutgoing({ method, body, ...call }: Outgoing & { method: string; body: string }): Promise<Response> {
  const { promise, resolve, reject } = Promise.withResolvers<Response>();
  const length: Record<string, string> = body === '' ? {} : { 'content-length': String(Buffer.byteLength(body)) };
  const sent = open(
    method,
    { ...call, headers: { ...call.headers, ...length } },
    (answer) => void responseOf(answer).then(resolve, reject),
  );
  sent.on('error', reject);
  sent.end(body);
  return promise;
}

async function responseOf(answer: IncomingMessage): Promise<Response> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > maxDocumentBytes) throw new Error('the answer is too large');
    chunks.push(chunk);
  }
  const headers = new Headers();
  for (const [name, value] of Object.entries(answer.headers)) if (value !== undefined) headers.set(name, String(value));
  const { statusCode: status = 0 } = answer;
  const isEmpty = [204, 205, 304].includes(status);
  // Response knows no status below 200 or above 599, and says so.
  return new Response(isEmpty ? null : Buffer.concat(chunks), { status, headers });
}

function open(method: string, call: Outgoing, answered: (answer: IncomingMessage) => void): ClientRequest {
  const { headers, timeoutMillis, signal, allowPrivateAddresses } = call;
  // In its one spelling, of which the agent goes by the beginning: HTTPS:// is https:// too (RFC 3986 §3.1).
  const { href: url, protocol } = new URL(call.url);
  const request = protocol === 'https:' ? requestHttps : requestHttp;
  return request(
    url,
    {
      method,
      headers,
      agent: useAgent(url, { allowPrivateIPAddress: allowPrivateAddresses, allowMetaIPAddress: allowPrivateAddresses }),
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMillis)]),
    },
    answered,
  );
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
