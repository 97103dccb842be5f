import { createHash, randomBytes } from 'node:crypto';
import { Client } from '@latchkey/database';
import { CookieBrowser } from './cookie-browser.js';
import type { RunningAuthority } from './running-authority.js';

export { hiddenField } from './cookie-browser.js';

/** A browser that knows the way to the console's authority. */
export class Browser extends CookieBrowser {
  readonly #running: RunningAuthority;

  constructor(running: RunningAuthority) {
    super();
    this.#running = running;
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
