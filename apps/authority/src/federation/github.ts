import { createHash, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { fetchOutside, type OutsideRequest } from './fetch-outside.js';
import { ProviderFault, type Errand, type OutsideIdentity, type OutsideProvider } from './outside-provider.js';

export interface GitHubClient {
  /** `https://github.com`, or where a GitHub Enterprise Server is. */
  url: string;
  clientId: string;
  clientSecret: string;
  allowPrivateAddresses: boolean;
}

const tokenAnswer = z.object({ access_token: z.string().min(1) });
const userAnswer = z.object({ id: z.int().positive(), login: z.string(), name: z.string().nullish() });
const emailsAnswer = z.array(z.object({ email: z.string(), primary: z.boolean(), verified: z.boolean() }));

/**
 * GitHub, which speaks OAuth 2.0 and no OpenID Connect: who somebody is, its API says (GET /user), and which of their addresses
 * is verified too (GET /user/emails). Login names change hands there; the number is the subject.
 */
export class GitHub implements OutsideProvider {
  readonly #client: GitHubClient;

  constructor(options: GitHubClient) {
    this.#client = options;
  }

  async begin({ state, codeVerifier }: Errand, redirectUri: string, { again }: { again: boolean }): Promise<URL> {
    const url = this.#at('/login/oauth/authorize');
    url.search = new URLSearchParams({
      client_id: this.#client.clientId,
      redirect_uri: redirectUri,
      scope: 'read:user user:email',
      state,
      code_challenge: createHash('sha256').update(codeVerifier).digest('base64url'),
      code_challenge_method: 'S256',
      ...(again ? { prompt: 'select_account' } : {}),
    }).toString();
    return url;
  }

  async finish({ state, codeVerifier }: Errand, answer: URL): Promise<OutsideIdentity> {
    const { searchParams: said } = answer;
    if (!same(said.get('state') ?? '', state)) throw new ProviderFault('failed', 'the state is another');
    if (said.has('error')) throw new ProviderFault('declined', `GitHub says ${said.get('error') ?? ''}`);
    try {
      const { access_token: token } = tokenAnswer.parse(
        await this.#ask(this.#at('/login/oauth/access_token'), {
          method: 'POST',
          headers: { 'content-type': 'application/x-www-form-urlencoded' },
          body: new URLSearchParams({
            client_id: this.#client.clientId,
            client_secret: this.#client.clientSecret,
            code: said.get('code') ?? '',
            redirect_uri: answer.origin + answer.pathname,
            code_verifier: codeVerifier,
          }),
        }),
      );
      const headers = { authorization: `Bearer ${token}` };
      const user = userAnswer.parse(await this.#ask(this.#api('/user'), { headers }));
      const emails = emailsAnswer.parse(await this.#ask(this.#api('/user/emails'), { headers }));
      return {
        subject: String(user.id),
        verifiedEmail: emails.find(({ primary, verified }) => primary && verified)?.email,
        name: user.name ?? undefined,
        loginName: user.login,
      };
    } catch (error) {
      throw new ProviderFault('failed', error);
    }
  }

  #at(path: string): URL {
    return new URL(this.#client.url.replace(/\/+$/, '') + path);
  }

  /** The API has a host of its own at github.com, and a path on a server of one's own. */
  #api(path: string): URL {
    return this.#client.url === 'https://github.com' ? new URL(`https://api.github.com${path}`) : this.#at(`/api/v3${path}`);
  }

  async #ask(url: URL, { headers = {}, ...request }: OutsideRequest & { headers?: Record<string, string> }): Promise<unknown> {
    const own = { accept: 'application/json', 'user-agent': 'latchkey', 'x-github-api-version': '2022-11-28' };
    const response = await fetchOutside(url, { ...request, headers: { ...own, ...headers } }, this.#client.allowPrivateAddresses);
    if (!response.ok) throw new Error(`GitHub answers ${response.status}`);
    return response.json();
  }
}

function same(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}
