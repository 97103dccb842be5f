import * as client from 'openid-client';
import { AppAndPerson, password, redirectUri } from '@latchkey/authority/testing';
import type { ProvisionedRepositoryView, UserView } from '@latchkey/contracts';
import { discover } from '../relying-party.js';
import { sharedProduct } from '../shared-product.js';
import { freshSlug, Tenant } from '../tenant.js';

let tenant: Tenant;

/** The authority that is held to the specifications: one repository of the product, with one person, an app and a tool. */
class Subject extends AppAndPerson {
  repository!: ProvisionedRepositoryView;
  anna!: UserView;

  async open(): Promise<void> {
    tenant = new Tenant(sharedProduct().credential);
    this.repository = await tenant.createRepository(freshSlug('conformance'), { redirectUris: [redirectUri] });
    const { slug } = this.repository;
    const person = { loginName: 'anna', password, email: 'anna@example.com' };
    [this.anna] = await Promise.all([
      tenant.createUser(slug, person),
      tenant.call('PATCH', `/v1/repositories/${slug}`, { deviceFlow: true }),
    ]);
  }

  get issuer(): string {
    return this.repository.authorityUrl;
  }

  get appId(): string {
    return this.repository.appClient.clientId;
  }

  /** The app as a published client has it after discovery. */
  async discover(): Promise<client.Configuration> {
    return discover(this.issuer, this.appId);
  }

  async discoverTool({ authorityUrl, toolClient } = this.repository): Promise<client.Configuration> {
    return discover(authorityUrl, toolClient.clientId, client.ClientSecretBasic(toolClient.secret.value));
  }

  /** A token of a tool of another repository. */
  async foreignToken(): Promise<string> {
    const other = await this.discoverTool(await tenant.createRepository(freshSlug('other')));
    return (await client.clientCredentialsGrant(other)).access_token;
  }
}

export const subject = new Subject();

// Here, so that it comes before what the files of clauses do beforehand.
beforeAll(() => subject.open());
