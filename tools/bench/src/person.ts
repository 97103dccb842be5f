import { createHash, randomBytes } from 'node:crypto';
import type { Pool } from 'undici';
import { redirectUri, type BenchRepository } from './customer.js';

/** A browser as far as a sign-in takes one: it keeps cookies and follows where it is sent. */
export class Person {
  readonly #authority: Pool;
  readonly #repository: BenchRepository;
  readonly #cookies = new Map<string, string>();

  /** @param authority connections to the authority's own origin. */
  constructor(authority: Pool, repository: BenchRepository) {
    this.#authority = authority;
    this.#repository = repository;
  }

  /** Goes to an app that sends people to sign in. @returns the path of the page with the form. */
  async openSignIn(): Promise<string> {
    const { slug, appClientId } = this.#repository;
    const parameters = new URLSearchParams({
      client_id: appClientId,
      redirect_uri: redirectUri,
      response_type: 'code',
      scope: 'openid',
      state: randomBytes(8).toString('hex'),
      code_challenge: createHash('sha256').update(randomBytes(32).toString('base64url')).digest('base64url'),
      code_challenge_method: 'S256',
    });
    const path = new URL(await this.#redirected(`/${slug}/connect/authorize?${parameters.toString()}`), 'http://localhost').pathname;
    await this.#send('GET', path, 200);
    return path;
  }

  /** Fills the form in and is sent back to the app with a code. @throws when anything else happens. */
  async signIn(path: string, login: string, password: string): Promise<void> {
    const { text } = await this.#send('POST', path, 200, new URLSearchParams({ login, password }));
    // A page sends the browser on.
    const [, onward = ''] = /content="0;url=([^"]*)"/.exec(text) ?? [];
    if (!onward) throw new Error(`nobody signed in: ${text.slice(0, 300)}`);
    const resume = new URL(onward, 'http://localhost');
    const app = await this.#redirected(resume.pathname);
    if (!new URL(app).searchParams.get('code')) throw new Error(`signed in, and sent to ${app}`);
  }

  /** What a browser would send along: the session, once signed in. */
  get cookies(): string {
    return [...this.#cookies].map((pair) => pair.join('=')).join('; ');
  }

  async #redirected(path: string): Promise<string> {
    const { location } = (await this.#send('GET', path, 303)).headers;
    if (typeof location !== 'string') throw new Error(`${path} leads nowhere`);
    return location;
  }

  async #send(method: 'GET' | 'POST', path: string, expected: number, form?: URLSearchParams) {
    const headers: Record<string, string> = { accept: 'text/html', cookie: this.cookies };
    if (form) headers['content-type'] = 'application/x-www-form-urlencoded';
    const response = await this.#authority.request({ method, path, headers, body: form?.toString() ?? null });
    const text = await response.body.text();
    if (response.statusCode !== expected) throw new Error(`${method} ${path} answered ${response.statusCode}: ${text.slice(0, 300)}`);
    for (const cookie of [response.headers['set-cookie'] ?? []].flat()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
      if (name !== undefined) this.#cookies.set(name, value ?? '');
    }
    return { headers: response.headers, text };
  }
}
