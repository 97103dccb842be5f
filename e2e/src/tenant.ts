import type { ProvisionedRepositoryView, RegeneratedSecretView, UserView } from '@latchkey/contracts';
import type { Credential } from './product.js';

/** No answer of ours takes this long; a test must not hang. */
const patience = () => AbortSignal.timeout(20_000);

/** A tenant as its pipelines see it: the tenant API, called with the tenant's credential. */
export class Tenant {
  #token: string | undefined;

  constructor(readonly credential: Credential) {}

  /** Calls the tenant API with a live token. */
  async call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Response> {
    this.#token ??= await this.#fetchToken();
    return fetch(`${this.credential.tenantApiUrl}${path}`, {
      method,
      signal: patience(),
      headers: {
        authorization: `Bearer ${this.#token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  }

  async createRepository(slug: string, more: Record<string, unknown> = {}): Promise<ProvisionedRepositoryView> {
    return this.#expect(201, 'POST', '/v1/repositories', { slug, name: `Repository ${slug}`, environment: 'production', ...more });
  }

  async createUser(
    slug: string,
    user: { loginName: string; password?: string; email?: string; administrator?: boolean },
  ): Promise<UserView> {
    return this.#expect(201, 'POST', `/v1/repositories/${slug}/users`, user);
  }

  async regenerate(
    repository: { slug: string; toolClient: { clientId: string } },
    body: Record<string, unknown> = {},
  ): Promise<RegeneratedSecretView> {
    return this.#expect(
      200,
      'POST',
      `/v1/repositories/${repository.slug}/clients/${repository.toolClient.clientId}/secrets/regenerate`,
      body,
    );
  }

  async #expect<T>(status: number, method: string, path: string, body: unknown): Promise<T> {
    const response = await this.call(method, path, body);
    const text = await response.text();
    if (response.status !== status) throw new Error(`${method} ${path} answered ${response.status}: ${text}`);
    return JSON.parse(text) as T;
  }

  async #fetchToken(): Promise<string> {
    const { tokenUrl, clientId, clientSecret } = this.credential;
    const response = await fetch(tokenUrl, {
      method: 'POST',
      signal: patience(),
      headers: { authorization: `Basic ${btoa(`${clientId}:${clientSecret}`)}` },
      body: new URLSearchParams({ grant_type: 'client_credentials' }),
    });
    const body = (await response.json()) as { access_token?: string };
    if (!body.access_token) throw new Error(`no token for the tenant credential: ${response.status} ${JSON.stringify(body)}`);
    return body.access_token;
  }
}

/** A slug that no other test uses. */
export function freshSlug(prefix: string): string {
  return `${prefix}-${Math.random().toString(36).slice(2, 10)}`;
}
