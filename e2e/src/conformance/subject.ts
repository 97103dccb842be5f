import * as client from 'openid-client';
import type { ProvisionedRepositoryView, UserView } from '@latchkey/contracts';
import { startProduct, type Product } from '../product.js';
import { discover } from '../relying-party.js';
import { freshSlug, Tenant } from '../tenant.js';
import { Browser } from './browser.js';

/** Nothing listens there: the address is all that is wanted. */
export const redirectUri = 'https://app.example.com/callback';
const password = 'correct horse battery staple';

export type Tokens = Awaited<ReturnType<typeof client.authorizationCodeGrant>>;

let product: Product;
let tenant: Tenant;

/** The authority that is held to the specifications: one repository of the product, with one person, an app and a tool. */
class Subject {
  repository!: ProvisionedRepositoryView;
  anna!: UserView;

  async open(): Promise<void> {
    product = await startProduct();
    tenant = new Tenant(product.credential);
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

  /** A request of the app, and what takes up its answer. */
  async request(configuration: client.Configuration, parameters: Record<string, string> = {}) {
    const [verifier, state, nonce] = [client.randomPKCECodeVerifier(), client.randomState(), client.randomNonce()];
    const all: Record<string, string> = {
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
      finish: (answer: URL): Promise<Tokens> => client.authorizationCodeGrant(configuration, answer, checks),
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
  async signIn(configuration: client.Configuration, parameters: Record<string, string> = {}): Promise<Tokens> {
    const { url, finish } = await this.request(configuration, parameters);
    const arrived = await this.visit(new Browser(), url);
    if (arrived.page) throw new Error(`stopped at ${arrived.url.href}: ${await arrived.page.text()}`);
    return finish(arrived.url);
  }
}

export const subject = new Subject();

// Here, so that it comes before what the files of clauses do beforehand.
beforeAll(() => subject.open());
afterAll(async () => {
  await product?.stop();
  await product?.clean();
});

/** What an address with this parameter says. */
export const parameterOf = (url: URL, name: string) => url.searchParams.get(name);
