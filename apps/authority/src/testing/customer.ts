import * as client from 'openid-client';
import type { ProvisionedRepositoryView, UserView } from '@latchkey/contracts';
import { wellKnown } from '@latchkey/content';
import { Clients, ClientSecrets } from '@latchkey/credentials';
import { Repositories, Users } from '@latchkey/tenancy';
import { AppAndPerson, password, redirectUri } from './app-and-person.js';
import type { RunningAuthority, Tenant } from './running-authority.js';

export { parameterOf, redirectUri, type Tokens } from './app-and-person.js';

export const postLogoutRedirectUri = 'https://app.example.com/bye';
/** By the installation, so that what one file of tests makes is the same whatever ran before it. */
const customers = new WeakMap<RunningAuthority, number>();

/** A repository of a tenant of its own with one person in it, and a published client for its authority. */
export class Customer extends AppAndPerson {
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
    super();
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
