import { createHash, randomBytes } from 'node:crypto';
import { form, type Call, type Connections, type Reply } from './connections.js';
import type { Span } from './history.js';
import type { Credential, HeldRepository, Person } from './holdings.js';

const scope = 'openid profile offline_access sensenet';

/** What signing in at an authority gave. */
export interface SignedIn extends Span {
  accessToken: string;
  refreshToken: string;
  /** The session's cookies. */
  cookies: string;
  /** Seconds. */
  expiresIn: number;
}

/**
 * Signs a person in at one process, as a browser and an app would (authorization code with PKCE, S256).
 *
 * @returns nothing when any step was not answered as it should be: the process was killed, the password changed meanwhile.
 */
export async function signIn(
  connections: Connections,
  person: Pick<Person, 'repository' | 'loginName' | 'password'>,
): Promise<SignedIn | undefined> {
  const { slug, appClientId, redirectUri } = person.repository;
  const browser = new Browser(connections);
  const verifier = randomBytes(32).toString('base64url');
  const begun = await browser.call({ method: 'GET', path: authorizeAddress(person.repository, verifier) });
  const page = path(begun);
  if (!page?.includes('/interaction/')) return undefined;
  const signed = await browser.call({ method: 'POST', path: page, ...form({ login: person.loginName, password: person.password }) });
  const resumed = path(signed) && (await browser.call({ method: 'GET', path: path(signed)! }));
  const code = resumed && URL.parse(String(resumed.headers['location'] ?? ''))?.searchParams.get('code');
  if (!code) return undefined;
  const fields = { grant_type: 'authorization_code', code, redirect_uri: redirectUri, client_id: appClientId, code_verifier: verifier };
  const reply = await connections.call({ method: 'POST', path: `/${slug}/connect/token`, ...form(fields) });
  if (reply.status !== 200) return undefined;
  const tokens = JSON.parse(reply.text) as { access_token: string; refresh_token: string; expires_in: number };
  return {
    begin: begun.begin,
    end: reply.end,
    accessToken: tokens.access_token,
    refreshToken: tokens.refresh_token,
    cookies: browser.cookies,
    expiresIn: tokens.expires_in,
  };
}

/** Asks for a code without showing a page: the answer is one if the session is good. */
export function silentSignIn({ repository, value }: Credential): Call {
  const address = `${authorizeAddress(repository, randomBytes(32).toString('base64url'), 'openid')}&prompt=none`;
  return { method: 'GET', path: address, headers: { cookie: value } };
}

export function acceptRefresh({ repository, value }: Credential): Call {
  const fields = { grant_type: 'refresh_token', refresh_token: value, client_id: repository.appClientId };
  return { method: 'POST', path: `/${repository.slug}/connect/token`, ...form(fields) };
}

function authorizeAddress(
  repository: Pick<HeldRepository, 'slug' | 'appClientId' | 'redirectUri'>,
  verifier: string,
  scopes = scope,
): string {
  const query = new URLSearchParams({
    client_id: repository.appClientId,
    redirect_uri: repository.redirectUri,
    response_type: 'code',
    scope: scopes,
    state: 'chaos',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  });
  return `/${repository.slug}/connect/authorize?${query.toString()}`;
}

/** Where an answer sends us, by a redirect or by a page that sends on, without the host: every process answers for all. */
function path(reply: Reply): string | undefined {
  const [, onward] = /content="0;url=([^"]*)"/.exec(reply.text) ?? [];
  const target = URL.parse(onward ?? String(reply.headers['location'] ?? ''), 'http://localhost');
  return (reply.status === 303 || onward) && target ? `${target.pathname}${target.search}` : undefined;
}

/** Keeps cookies, whatever their path. */
class Browser {
  readonly #cookies = new Map<string, string>();

  constructor(readonly connections: Connections) {}

  get cookies(): string {
    return [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  }

  async call(call: Call): Promise<Reply> {
    const reply = await this.connections.call({ ...call, headers: { ...call.headers, cookie: this.cookies } });
    const set = reply.headers['set-cookie'] ?? [];
    for (const cookie of typeof set === 'string' ? [set] : set) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
      if (name && value) this.#cookies.set(name, value);
      else if (name) this.#cookies.delete(name);
    }
    return reply;
  }
}
