import { createHash, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import Provider from 'oidc-provider';
import type { RunningAuthority } from './running-authority.js';
import { Browser } from './browser.js';

async function open(listener: (request: IncomingMessage, response: ServerResponse) => void): Promise<{ server: Server; url: string }> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  return { server, url: `http://localhost:${(server.address() as AddressInfo).port}` };
}

/** Who is signed in at a provider outside. */
export interface OutsidePerson {
  sub: string;
  email?: string;
  email_verified?: boolean;
  name?: string;
  preferred_username?: string;
}

/** An OpenID provider of somebody else's, at which somebody is signed in already. */
export class OutsideOpenId {
  readonly clientId = 'latchkey';
  readonly clientSecret = `outside-${randomBytes(16).toString('hex')}`;
  person: OutsidePerson = { sub: 'outside-1' };
  #server: Server | undefined;
  url = '';

  static async start(redirectUris: string[]): Promise<OutsideOpenId> {
    const outside = new OutsideOpenId();
    let handle: (request: IncomingMessage, response: ServerResponse) => void = () => undefined;
    const { server, url } = await open((request, response) => handle(request, response));
    outside.#server = server;
    outside.url = url;
    const provider = new Provider(url, {
      clients: [{ client_id: outside.clientId, client_secret: outside.clientSecret, redirect_uris: redirectUris }],
      claims: { openid: ['sub'], profile: ['name', 'preferred_username'], email: ['email', 'email_verified'] },
      conformIdTokenClaims: false,
      findAccount: (_ctx, sub) => ({ accountId: sub, claims: () => ({ ...outside.person, sub }) }),
      features: { devInteractions: { enabled: false } },
      interactions: { url: (_ctx, { uid }) => `/login/${uid}` },
      cookies: { keys: ['test'] },
      loadExistingGrant: async (ctx) => {
        const grant = new provider.Grant({ clientId: outside.clientId, accountId: ctx.oidc.session?.accountId ?? '' });
        grant.addOIDCScope('openid profile email');
        await grant.save();
        return grant;
      },
    });
    const callback = provider.callback();
    handle = (request, response) => {
      if (!request.url?.startsWith('/login/')) return void callback(request, response);
      return void provider.interactionFinished(request, response, { login: { accountId: outside.person.sub } });
    };
    return outside;
  }

  /** Goes there with the request of an authority. @returns where it sends the browser back to. */
  async answer(running: RunningAuthority, url: URL): Promise<URL> {
    return (await new Browser(running).follow(url, (at) => at.href.startsWith(this.url))).url;
  }

  close(): void {
    this.#server?.closeAllConnections();
    this.#server?.close();
  }
}

/** GitHub, as far as its documentation says what it does when an OAuth app signs somebody in. */
export class FakeGitHub {
  readonly clientId = 'Iv1.latchkey';
  readonly clientSecret = `github-${randomBytes(20).toString('hex')}`;
  user = { id: 583231, login: 'octocat', name: 'The Octocat' };
  emails = [{ email: 'octocat@example.com', primary: true, verified: true, visibility: 'public' }];
  url = '';
  #server: Server | undefined;
  readonly #codes = new Map<string, { challenge: string; redirectUri: string }>();
  readonly #tokens = new Set<string>();

  static async start(): Promise<FakeGitHub> {
    const github = new FakeGitHub();
    const { server, url } = await open((request, response) => void github.#serve(request, response));
    github.#server = server;
    github.url = url;
    return github;
  }

  /** Authorizes the app, as the person would. @returns where the browser is sent back to. */
  async answer(_running: RunningAuthority, url: URL): Promise<URL> {
    const response = await fetch(url, { redirect: 'manual' });
    return new URL(response.headers.get('location') ?? '');
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', this.url);
    const json = (status: number, body: unknown) =>
      void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    if (url.pathname === '/login/oauth/authorize') {
      const asked = Object.fromEntries(url.searchParams);
      const code = randomBytes(10).toString('hex');
      this.#codes.set(code, { challenge: asked['code_challenge'] ?? '', redirectUri: asked['redirect_uri'] ?? '' });
      const back = new URL(asked['redirect_uri'] ?? '');
      back.search = new URLSearchParams({ code, state: asked['state'] ?? '' }).toString();
      return void response.writeHead(302, { location: back.href }).end();
    }
    if (url.pathname === '/login/oauth/access_token') {
      const chunks: Buffer[] = [];
      for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
      const body = Object.fromEntries(new URLSearchParams(Buffer.concat(chunks).toString()));
      const known = this.#codes.get(body['code'] ?? '');
      this.#codes.delete(body['code'] ?? '');
      const challenge = createHash('sha256')
        .update(body['code_verifier'] ?? '')
        .digest('base64url');
      // It answers 200 to what it refuses.
      if (body['client_id'] !== this.clientId || body['client_secret'] !== this.clientSecret)
        return json(200, { error: 'incorrect_client_credentials' });
      if (known?.challenge !== challenge || known.redirectUri !== body['redirect_uri'])
        return json(200, { error: 'bad_verification_code' });
      const token = `gho_${randomBytes(18).toString('hex')}`;
      this.#tokens.add(token);
      return json(200, { access_token: token, scope: 'read:user,user:email', token_type: 'bearer' });
    }
    const allowed = request.headers['user-agent'] && this.#tokens.has((request.headers.authorization ?? '').replace('Bearer ', ''));
    if (!allowed) return json(401, { message: 'Bad credentials' });
    if (url.pathname === '/api/v3/user') return json(200, this.user);
    if (url.pathname === '/api/v3/user/emails') return json(200, this.emails);
    return json(404, { message: 'Not Found' });
  }

  close(): void {
    this.#server?.closeAllConnections();
    this.#server?.close();
  }
}
