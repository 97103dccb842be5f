import * as client from 'openid-client';
import type { ProvisionedRepositoryView, UserView } from '@latchkey/contracts';
import { wellKnown } from '@latchkey/content';
import { Clients, ClientSecrets } from '@latchkey/credentials';
import { Repositories, Users } from '@latchkey/tenancy';
import { Browser } from './browser.js';
import type { RunningAuthority, Tenant } from './running-authority.js';

export const redirectUri = 'https://app.example.com/callback';
export const postLogoutRedirectUri = 'https://app.example.com/bye';
const password = 'correct horse battery staple';
/** By the installation, so that what one file of tests makes is the same whatever ran before it. */
const customers = new WeakMap<RunningAuthority, number>();

export type Tokens = Awaited<ReturnType<typeof client.authorizationCodeGrant>>;

/** A repository of a tenant of its own with one person in it, and a published client for its authority. */
export class Customer {
  readonly clients: Clients;
  readonly secrets: ClientSecrets;
  readonly users: Users;

  private constructor(
    readonly running: RunningAuthority,
    readonly tenant: Tenant,
    readonly repositories: Repositories,
    readonly repository: ProvisionedRepositoryView,
    readonly anna: UserView,
  ) {
    const { database, options } = running;
    this.clients = new Clients(database, options.peppers);
    this.secrets = new ClientSecrets(database, options.peppers);
    this.users = new Users(database, options.peppers, options.authorityUrls);
  }

  static async open(running: RunningAuthority): Promise<Customer> {
    const { database, options } = running;
    const count = (customers.get(running) ?? 0) + 1;
    customers.set(running, count);
    const slug = `customer-${count}`;
    const tenant = await running.newTenant(slug);
    const repositories = new Repositories({ ...options, repositoryUrls: running.repositoryUrls });
    const repository = await repositories.create(tenant.machine, {
      slug,
      name: slug,
      environment: 'production',
      redirectUris: [redirectUri],
    });
    const clients = new Clients(database, options.peppers);
    await clients.update(tenant.machine, slug, repository.appClient.clientId, { postLogoutRedirectUris: [postLogoutRedirectUri] });
    const users = new Users(database, options.peppers, options.authorityUrls);
    const anna = await users.create(tenant.machine, slug, { loginName: 'anna', password, email: 'anna@example.com', administrator: false });
    return new Customer(running, tenant, repositories, repository, anna);
  }

  get slug(): string {
    return this.repository.slug;
  }

  get issuer(): string {
    return this.repository.authorityUrl;
  }

  /** The app client as `openid-client` has it after discovery, or a tool with its way of authenticating. */
  async discover(clientId = this.repository.appClient.clientId, auth: client.ClientAuth = client.None()): Promise<client.Configuration> {
    return client.discovery(new URL(this.issuer), clientId, undefined, auth, { execute: [client.allowInsecureRequests] });
  }

  /** The default tool, with its secret. */
  async discoverTool(): Promise<client.Configuration> {
    const { clientId, secret } = this.repository.toolClient;
    return this.discover(clientId, client.ClientSecretBasic(secret.value));
  }

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
  async visit(browser: Browser, url: URL): Promise<{ url: URL; page?: Response }> {
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
    options: { browser?: Browser; dpop?: client.DPoPHandle } = {},
  ): Promise<Tokens> {
    const { url, finish } = await this.request(configuration, parameters, options);
    const arrived = await this.visit(options.browser ?? new Browser(this.running), url);
    if (arrived.page) throw new Error(`stopped at ${arrived.url.href}: ${await arrived.page.text()}`);
    return finish(arrived.url);
  }

  /** Another tool of this repository. */
  async addTool() {
    const made = await this.clients.create(
      this.tenant.machine,
      this.slug,
      { kind: 'tool', name: 'Tool', permissions: [] },
      wellKnown.publicAdmin,
    );
    return made;
  }
}

/** What an address with this parameter says. */
export const parameterOf = (url: URL, name: string) => url.searchParams.get(name);
