import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { NodeKind } from '@latchkey/contracts';
import type { AddressTemplate } from '@latchkey/runtime';

/** What becomes of a credential: `unanswered` when the node gave no answer, or one that says neither (503). */
export type Outcome = 'accepted' | 'refused' | 'unanswered';

/** What the canary holds while it flies. */
export interface Held {
  /** The secret that is to die. */
  secret: string;
  /** A token that it minted. */
  token: string;
  /** The secret that works now, as far as is known. */
  workingSecret: string;
}

/** Whom it is presented to, and as whose. */
export interface Aim {
  node: { kind: NodeKind; url: string };
  slug: string;
  clientId: string;
  authorityUrls: AddressTemplate;
  repositoryUrls: AddressTemplate;
}

const patienceMillis = 3_000;
const bodyLimitBytes = 64 * 1024;

const agents = { 'http:': new HttpAgent({ keepAlive: true }), 'https:': new HttpsAgent({ keepAlive: true }) };

/** The ways in which a node of this kind takes a secret or a token, each ready to be tried again and again. */
export function waysIn(aim: Aim, held: Held): (() => Promise<Outcome>)[] {
  if (aim.node.kind === 'authority') return [() => presentSecret(aim, held), () => introspect(aim, held)];
  return [() => presentToken(aim, held)];
}

/** Asks an authority for a token. @returns nothing when it gives none. */
export async function mint(aim: Aim, secret: string): Promise<string | undefined> {
  const { status, body } = await callAuthority(aim, '/connect/token', secret, { grant_type: 'client_credentials' });
  return status === 200 ? memberOf(body, 'access_token') : undefined;
}

async function presentSecret(aim: Aim, { secret }: Held): Promise<Outcome> {
  const { status } = await callAuthority(aim, '/connect/token', secret, { grant_type: 'client_credentials' });
  if (status === 200) return 'accepted';
  return status === 400 || status === 401 ? 'refused' : 'unanswered';
}

/** Asks an authority what it thinks of the token. That the one who asks is not let in says nothing of the token. */
async function introspect(aim: Aim, { token, workingSecret }: Held): Promise<Outcome> {
  const { status, body } = await callAuthority(aim, '/connect/introspect', workingSecret, { token });
  if (status !== 200) return 'unanswered';
  return memberOf<boolean>(body, 'active') === false ? 'refused' : 'accepted';
}

/** Calls with the token as a tool would. Whatever is not a refusal of the token itself counts as accepted. */
async function presentToken({ node, slug, repositoryUrls }: Aim, { token }: Held): Promise<Outcome> {
  const url = node.kind === 'tenant-api' ? `${node.url}/v1/tenant` : `${repositoryUrls.of(slug)}/odata.svc/('Root')/GetCurrentUser`;
  const { status } = await call(node.url, url, 'GET', { authorization: `Bearer ${token}` });
  if (status === 401) return 'refused';
  return status === 0 || status === 429 || status >= 500 ? 'unanswered' : 'accepted';
}

function callAuthority({ node, slug, clientId, authorityUrls }: Aim, path: string, secret: string, form: Record<string, string>) {
  const headers = {
    authorization: `Basic ${Buffer.from(`${clientId}:${secret}`).toString('base64')}`,
    'content-type': 'application/x-www-form-urlencoded',
  };
  return call(node.url, `${authorityUrls.of(slug)}${path}`, 'POST', headers, new URLSearchParams(form).toString());
}

/**
 * Sends a request for a public address to one node: the connection goes to the node, path and Host header are those of the
 * address, so that it is understood whether the address names the repository in its path or in its host.
 *
 * @returns status 0 when there was no answer in time.
 */
async function call(
  nodeUrl: string,
  publicUrl: string,
  method: string,
  headers: Record<string, string>,
  body = '',
): Promise<{ status: number; body: string }> {
  const [node, address] = [new URL(nodeUrl), new URL(publicUrl)];
  const { promise, resolve } = Promise.withResolvers<{ status: number; body: string }>();
  const send = node.protocol === 'https:' ? httpsRequest : httpRequest;
  const request = send(
    new URL(address.pathname + address.search, node),
    {
      method,
      agent: node.protocol === 'https:' ? agents['https:'] : agents['http:'],
      headers: { ...headers, host: address.host, 'user-agent': 'latchkey-canary' },
      signal: AbortSignal.timeout(patienceMillis),
    },
    (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        if (text.length < bodyLimitBytes) text += chunk;
      });
      response.once('end', () => resolve({ status: response.statusCode ?? 0, body: text }));
      response.once('error', () => resolve({ status: 0, body: '' }));
    },
  );
  request.once('error', () => resolve({ status: 0, body: '' }));
  request.end(body);
  return promise;
}

function memberOf<T = string>(body: string, name: string): T | undefined {
  try {
    return (JSON.parse(body) as Record<string, T>)[name];
  } catch {
    return undefined;
  }
}
