import * as client from 'openid-client';
import { CookieBrowser } from './cookie-browser.js';

/** Nothing listens there: the address is all that is wanted. */
export const redirectUri = 'https://app.example.com/callback';
/** Of the person `anna`. */
export const password = 'correct horse battery staple';

export type Tokens = Awaited<ReturnType<typeof client.authorizationCodeGrant>>;

/** A published client for an authority, and `anna`, who signs in there without a browser that anybody sees. */
export abstract class AppAndPerson {
  abstract readonly issuer: string;

  /** A request of the app, and what takes up its answer. */
  async request(
    configuration: client.Configuration,
    parameters: Record<string, string> = {},
    { dpop }: { dpop?: client.DPoPHandle } = {},
  ): Promise<{ url: URL; parameters: Record<string, string>; finish: (answer: URL | Request) => Promise<Tokens> }> {
    const [verifier, state, nonce] = [client.randomPKCECodeVerifier(), client.randomState(), client.randomNonce()];
    const all = {
      redirect_uri: redirectUri,
      scope: 'openid profile email offline_access sensenet',
      state,
      nonce,
      code_challenge: await client.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      ...parameters,
    };
    const checks = { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce };
    return {
      url: client.buildAuthorizationUrl(configuration, all),
      parameters: all,
      finish: (answer) => client.authorizationCodeGrant(configuration, answer, checks, undefined, dpop ? { DPoP: dpop } : {}),
    };
  }

  /** Goes to the authority and signs in there if asked to. @returns where the app is told of it, or the page in the way. */
  async visit(browser: CookieBrowser, url: URL): Promise<{ url: URL; page?: Response }> {
    const stay = (at: URL) => at.href.startsWith(`${this.issuer}/`);
    const arrived = await browser.follow(url, stay);
    if (!arrived.page || !/\/interaction\//.test(arrived.url.pathname)) return arrived;
    const sent = await browser.go(arrived.url, { login: 'anna', password });
    return browser.follow(new URL(sent.headers.get('location') ?? '', arrived.url), stay);
  }

  /** The whole way: request, sign-in, code, tokens. */
  async signIn(
    configuration: client.Configuration,
    parameters: Record<string, string> = {},
    options: { browser?: CookieBrowser; dpop?: client.DPoPHandle } = {},
  ): Promise<Tokens> {
    const { url, finish } = await this.request(configuration, parameters, options);
    const arrived = await this.visit(options.browser ?? new CookieBrowser(), url);
    if (arrived.page) throw new Error(`stopped at ${arrived.url.href}: ${await arrived.page.text()}`);
    return finish(arrived.url);
  }
}

/** What an address with this parameter says. */
export const parameterOf = (url: URL, name: string) => url.searchParams.get(name);
