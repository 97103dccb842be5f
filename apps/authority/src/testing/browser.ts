import { createHash, randomBytes } from 'node:crypto';
import { Client } from '@latchkey/database';
import type { RunningAuthority } from './running-authority.js';

/** A browser, as far as cookies and redirects go. What it knows of addresses is the console's authority. */
export class Browser {
  readonly #running: RunningAuthority;
  readonly cookies = new Map<string, string>();

  constructor(running: RunningAuthority) {
    this.#running = running;
  }

  /** Opens an address, or sends a form to it. Follows no redirect; a page that only sends the browser on is one (303). */
  async go(url: string | URL, form?: Record<string, string>, headers: Record<string, string> = {}): Promise<Response> {
    const response = await fetch(url, {
      redirect: 'manual',
      signal: AbortSignal.timeout(10_000),
      headers: { cookie: [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; '), accept: 'text/html', ...headers },
      ...(form ? { method: 'POST', body: new URLSearchParams(form) } : {}),
    });
    for (const cookie of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
      if (value) this.cookies.set(name, value);
      else this.cookies.delete(name);
    }
    const [, onward] = /<meta http-equiv="refresh" content="0;url=([^"]*)"/.exec(await response.clone().text()) ?? [];
    if (onward === undefined) return response;
    return new Response(null, { status: 303, headers: [...response.headers, ['location', onward.replaceAll('&amp;', '&')]] });
  }

  /** Follows redirects until one leads away. @returns where to, or the page that it ends at. */
  async follow(url: string | URL, stay: (url: URL) => boolean): Promise<{ url: URL; page?: Response }> {
    let at = new URL(url);
    for (let hops = 0; hops < 10; hops++) {
      const response = await this.go(at);
      const location = response.headers.get('location');
      if (location === null) return { url: at, page: response };
      at = new URL(location, at);
      if (!stay(at)) return { url: at };
    }
    throw new Error('redirected in a circle');
  }

  /** Asks for a code, as the portal does. */
  async authorize(more: Record<string, string> = {}): Promise<Response> {
    const { database, console: repository, issuerOf } = this.#running;
    const client = await database.read({ repositoryId: repository.id }, (tx) =>
      tx.findOneByOrFail(Client, { repositoryId: repository.id, kind: 'app' as const, isDefault: true }),
    );
    const parameters = new URLSearchParams({
      client_id: client.id,
      redirect_uri: client.redirectUris[0] ?? '',
      response_type: 'code',
      scope: 'openid',
      code_challenge: createHash('sha256').update(randomBytes(32)).digest('base64url'),
      code_challenge_method: 'S256',
      ...more,
    });
    return this.go(`${issuerOf('console')}/connect/authorize?${parameters.toString()}`);
  }

  /** Opens the sign-in page as the portal would. @returns where its form goes. */
  async openSignIn(): Promise<string> {
    const response = await this.authorize();
    return new URL(response.headers.get('location') ?? '', this.#running.issuerOf('console')).href;
  }

  /** Signs in, and comes back to the app. @returns the app's address, with the code. */
  async signIn(login: string, password: string): Promise<string> {
    let response = await this.go(await this.openSignIn(), { login, password });
    for (let step = 0; step < 5; step++) {
      const location = new URL(response.headers.get('location') ?? '', this.#running.issuerOf('console'));
      if (location.searchParams.has('code') || location.searchParams.has('error')) return location.href;
      response = await this.go(location.href);
    }
    throw new Error(`signing in led nowhere: ${response.status}`);
  }
}

/** The value of a hidden field in a page. */
export function hiddenField(html: string, name: string): string {
  return new RegExp(`name="${name}" value="([^"]*)"`).exec(html)?.[1] ?? '';
}
