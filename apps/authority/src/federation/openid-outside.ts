import { LRUCache } from 'lru-cache';
import * as client from 'openid-client';
import { fetchOutside, type OutsideRequest } from './fetch-outside.js';
import { ProviderFault, type Errand, type OutsideIdentity, type OutsideProvider } from './outside-provider.js';

export interface OpenIdClient {
  issuer: string;
  clientId: string;
  /** Absent for a public client. */
  clientSecret: string | undefined;
  allowPrivateAddresses: boolean;
}

/** What discovery said, so that not every sign-in asks again. Keys are fetched again when a token names an unknown one. */
const discovered = new LRUCache<string, client.Configuration>({ max: 500, ttl: 10 * 60_000 });

/**
 * An OpenID provider (OpenID Connect Core 1.0): code flow with PKCE, state and nonce; the ID token's signature, issuer,
 * audience, times and nonce are verified, and the issuer of the answer too where the provider says that it names it (RFC 9207).
 */
export class OpenIdOutside implements OutsideProvider {
  readonly #client: OpenIdClient;

  constructor(options: OpenIdClient) {
    this.#client = options;
  }

  async begin({ state, nonce, codeVerifier }: Errand, redirectUri: string, { again }: { again: boolean }): Promise<URL> {
    return orFault(async () =>
      client.buildAuthorizationUrl(await this.#discover(), {
        redirect_uri: redirectUri,
        scope: 'openid profile email',
        state,
        nonce,
        code_challenge: await client.calculatePKCECodeChallenge(codeVerifier),
        code_challenge_method: 'S256',
        ...(again ? { prompt: 'login' } : {}),
      }),
    );
  }

  async finish({ state, nonce, codeVerifier }: Errand, answer: URL): Promise<OutsideIdentity> {
    return orFault(async () => {
      const configuration = await this.#discover();
      const tokens = await client.authorizationCodeGrant(configuration, answer, {
        pkceCodeVerifier: codeVerifier,
        expectedState: state,
        expectedNonce: nonce,
        idTokenExpected: true,
      });
      const claims = tokens.claims();
      if (!claims) throw new Error('the provider sent no ID token');
      const more = claims['email'] === undefined && configuration.serverMetadata().userinfo_endpoint !== undefined;
      const told = more ? { ...(await client.fetchUserInfo(configuration, tokens.access_token, claims.sub)), ...claims } : claims;
      return {
        subject: claims.sub,
        // Some providers hand out addresses that nobody has verified, and some do not say: neither counts.
        verifiedEmail: told['email_verified'] === true ? text(told['email']) : undefined,
        name: text(told['name']),
        loginName: text(told['preferred_username']),
      };
    });
  }

  async #discover(): Promise<client.Configuration> {
    const { issuer, clientId, clientSecret, allowPrivateAddresses } = this.#client;
    // The secret is part of what is remembered, so another one is another entry.
    const name = JSON.stringify([issuer, clientId, clientSecret, allowPrivateAddresses]);
    const known = discovered.get(name);
    if (known) return known;
    const fetch = (url: string, request: OutsideRequest) => fetchOutside(url, request, allowPrivateAddresses);
    const configuration = await client.discovery(new URL(issuer), clientId, undefined, authenticate(clientSecret), {
      [client.customFetch]: fetch as client.CustomFetch,
      execute: allowPrivateAddresses ? [client.allowInsecureRequests] : [],
    });
    discovered.set(name, configuration);
    return configuration;
  }
}

/** By form where the provider takes that, else by Basic, which is what it means when it says nothing (Discovery 1.0 §3). */
function authenticate(secret: string | undefined): client.ClientAuth {
  if (secret === undefined) return client.None();
  const [post, basic] = [client.ClientSecretPost(secret), client.ClientSecretBasic(secret)];
  return (server, ...rest) =>
    (server.token_endpoint_auth_methods_supported?.includes('client_secret_post') ? post : basic)(server, ...rest);
}

async function orFault<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new ProviderFault(error instanceof client.AuthorizationResponseError ? 'declined' : 'failed', error);
  }
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value.trim() !== '' ? value.trim() : undefined;
}
