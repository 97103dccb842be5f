import type { ProvisionedRepositoryView, RegeneratedSecretView } from '@latchkey/contracts';
import type { Installation, TenantCredential } from '@latchkey/chaos/installation';
import { Pool } from 'undici';
import type { Request } from './raw-load.js';

/** A repository with what it takes to use it. */
export interface BenchRepository {
  slug: string;
  clientId: string;
  secret: string;
  /** The client in which people sign in. */
  appClientId: string;
}

/** Where the app of a repository takes people back; nothing listens there. */
export const redirectUri = 'http://localhost/signed-in';

/** A customer of an installation: has repositories and calls the tenant API. */
export class Customer {
  readonly #tenantApi: Pool;
  readonly #authority: Pool;
  #token = '';

  private constructor(installation: Installation) {
    this.#tenantApi = new Pool(installation.of('tenant-api')[0]!.origin, { connections: 8 });
    this.#authority = new Pool(installation.of('authority')[0]!.origin, { connections: 1 });
  }

  /** @param credential of its tenant; the first one's if absent. */
  static async of(installation: Installation, credential: TenantCredential = installation.credential): Promise<Customer> {
    const customer = new Customer(installation);
    const { clientId, clientSecret } = credential;
    customer.#token = await customer.token({ slug: 'console', clientId, secret: clientSecret, appClientId: '' });
    return customer;
  }

  async createRepository(slug: string): Promise<BenchRepository> {
    const body = { slug, name: 'Bench', environment: 'production', redirectUris: [redirectUri] };
    const made = (await this.#call('/v1/repositories', body)) as ProvisionedRepositoryView;
    return { slug, clientId: made.toolClient.clientId, secret: made.toolClient.secret.value, appClientId: made.appClient.clientId };
  }

  /** Makes another tool in the repository. @returns the repository with that tool for its own. */
  async createTool(repository: BenchRepository, name: string): Promise<BenchRepository> {
    const made = await this.#call(`/v1/repositories/${repository.slug}/clients`, { kind: 'tool', name });
    const { clientId, secret } = made as { clientId: string; secret: { value: string } };
    return { ...repository, clientId, secret: secret.value };
  }

  /** Makes somebody who can sign in at the repository's authority. */
  async createUser({ slug }: BenchRepository, loginName: string, password: string): Promise<void> {
    await this.#call(`/v1/repositories/${slug}/users`, { loginName, name: loginName, password });
  }

  /** Makes an API key of a user. @returns the key. */
  async createApiKey({ slug }: Pick<BenchRepository, 'slug'>, userId: number): Promise<string> {
    const expiresAt = new Date(Date.now() + 86_400_000).toISOString();
    const made = await this.#call(`/v1/repositories/${slug}/users/${userId}/api-keys`, { name: 'Bench', expiresAt });
    return (made as { value: string }).value;
  }

  /** Removes a repository; it can be restored for a while. */
  async deleteRepository({ slug }: Pick<BenchRepository, 'slug'>): Promise<void> {
    await this.#call(`/v1/repositories/${slug}`, undefined, 'DELETE');
  }

  /** Ends the secret and takes the new one. @returns how long the call took, in milliseconds. */
  async regenerate(repository: BenchRepository): Promise<number> {
    const begun = performance.now();
    const made = await this.#call(`/v1/repositories/${repository.slug}/clients/${repository.clientId}/secrets/regenerate`, {});
    const took = performance.now() - begun;
    repository.secret = (made as RegeneratedSecretView).secret.value;
    return took;
  }

  async token(repository: BenchRepository): Promise<string> {
    const { path, headers, body } = tokenRequest(repository);
    const response = await this.#authority.request({ method: 'POST', path, headers, body: body ?? null });
    const { access_token: token } = (await response.body.json()) as { access_token?: string };
    if (!token) throw new Error(`no token for ${repository.slug}: ${response.statusCode}`);
    return token;
  }

  async close(): Promise<void> {
    await Promise.all([this.#tenantApi.destroy(), this.#authority.destroy()]);
  }

  async #call(path: string, body: object | undefined, method: 'POST' | 'DELETE' = 'POST'): Promise<unknown> {
    const type = body === undefined ? undefined : { 'content-type': 'application/json' };
    const headers = { authorization: `Bearer ${this.#token}`, ...type };
    const response = await this.#tenantApi.request({ method, path, headers, body: body === undefined ? null : JSON.stringify(body) });
    const text = await response.body.text();
    if (response.statusCode >= 300) throw new Error(`${path} answered ${response.statusCode}: ${text}`);
    return JSON.parse(text);
  }
}

/** What a tool sends to get a token. */
export function tokenRequest({ slug, clientId, secret }: BenchRepository): Request {
  const authorization = `Basic ${Buffer.from(`${clientId}:${secret}`).toString('base64')}`;
  return {
    method: 'POST',
    path: `/${slug}/connect/token`,
    headers: { authorization, 'content-type': 'application/x-www-form-urlencoded' },
    body: 'grant_type=client_credentials',
  };
}
