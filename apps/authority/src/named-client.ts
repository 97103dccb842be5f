import type { IncomingMessage } from 'node:http';
import { peekForm } from './peek-form.js';
import { basicCredentials } from './plain-token-request.js';

/** Where a client says in a form who it is. */
const formPaths = new Set(['/connect/token', '/connect/introspect', '/connect/revocation']);

/** Ids as ours are. */
const clientId = /^[\w.-]{1,100}$/;

/**
 * The client that a request names, where it names one plainly: so that the first check can ask for it too. It is no more than a
 * guess at what the library will ask for, which reads the request with all its rules.
 *
 * @param path below the repository's address, with its query.
 */
export async function namedClient(path: string, request: IncomingMessage): Promise<string | undefined> {
  const [at = '', query] = path.split('?');
  const named = await clientIn(at, query, request);
  return named !== undefined && clientId.test(named) ? named : undefined;
}

async function clientIn(path: string, query: string | undefined, request: IncomingMessage): Promise<string | undefined> {
  if (path === '/connect/authorize') return new URLSearchParams(query).get('client_id') ?? undefined;
  if (request.method !== 'POST' || !formPaths.has(path)) return undefined;
  const { authorization } = request.headers;
  if (authorization !== undefined) return decoded(basicCredentials(authorization)[0]);
  return (await peekForm(request))?.get('client_id') ?? undefined;
}

/** In a Basic header it is encoded once more (RFC 6749 §2.3.1). */
function decoded(text: string | undefined): string | undefined {
  return text?.replace(/%([\dA-Fa-f]{2})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)));
}
