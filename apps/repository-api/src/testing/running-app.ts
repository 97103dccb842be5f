import { randomBytes, randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { importJWK, SignJWT } from 'jose';
import { userActor } from '@latchkey/access';
import { createUser, wellKnown, type BucketAddress } from '@latchkey/content';
import { repositoryPermissions, type RepositoryPermission } from '@latchkey/contracts';
import { boundClaims, CredentialCheck, insertApiKey, KeyRing, SigningKeys, type KnownRepository } from '@latchkey/credentials';
import { connectForChecks, newId, type Database, type Pool } from '@latchkey/database';
import { createTestDatabase, type TestDatabase } from '@latchkey/database/testing';
import { AddressTemplate, createLogger, DomainTemplate } from '@latchkey/runtime';
import { provision } from '@latchkey/tenancy';
import { createApp, type RepositoryApi } from '../app.js';

/** A provisioned repository as its tests know it. */
export interface ProvisionedForTest extends KnownRepository {
  appClientId: string;
  toolClientId: string;
  secretId: string;
  secretValue: string;
}

export interface TokenWish {
  clientId?: string;
  userId?: number;
  scope?: string;
  /** Claims to be other than they should be. */
  claims?: Record<string, unknown>;
  /** Whose key signs it, if not the repository's own. */
  signedBy?: ProvisionedForTest;
}

/** The app on a port of its own with a database of its own, and what it takes to call it. */
export class RunningApp {
  readonly test: TestDatabase;
  readonly port: number;
  readonly #app: RepositoryApi;
  readonly #checks: Pool;
  readonly #keys: KeyRing;

  private constructor(test: TestDatabase, app: RepositoryApi, port: number, checks: Pool, keys: KeyRing) {
    this.test = test;
    this.port = port;
    this.#app = app;
    this.#checks = checks;
    this.#keys = keys;
  }

  /** @param options another way to the database, or a database that others use too; a bucket for files; a Redis for counts. */
  static async start(
    options: { databaseUrl?: string; test?: TestDatabase; files?: BucketAddress | undefined; redisUrl?: string } = {},
  ): Promise<RunningApp> {
    const test = options.test ?? (await createTestDatabase());
    const keys = KeyRing.parse(`test:${randomBytes(32).toString('base64')}`);
    const app = await createApp(
      {
        HOST: '127.0.0.1',
        PORT: 0,
        LOG_LEVEL: 'silent',
        NODE_NAME: 'test',
        REUSE_PORT: false,
        DRAIN_SECONDS: 0,
        DATABASE_POOL_SIZE: 8,
        NODE_PORT: 0,
        TRUSTED_PROXIES: [],
        DATABASE_URL: options.databaseUrl ?? test.url,
        FILES_URL: options.files,
        LIMITS_URL: options.redisUrl,
        SECRET_PEPPERS: keys,
        REPOSITORY_URL_TEMPLATE: new AddressTemplate('http://localhost:4200/{repository}'),
        CUSTOM_DOMAIN_URL_TEMPLATE: new DomainTemplate('https://{domain}'),
        AUTHORITY_URL_TEMPLATE: new AddressTemplate('http://localhost:4100/{repository}'),
      },
      createLogger('test', 'silent'),
    );
    const { port } = await app.listen();
    return new RunningApp(test, app, port, connectForChecks({ url: test.url }), keys);
  }

  get database(): Database {
    return this.test.database;
  }

  /** Makes a tenant with one repository, exactly as the tenant API would. */
  async provision(slug: string, redirectUris: string[] = []): Promise<ProvisionedForTest> {
    const tenantId = newId();
    return this.database.transaction('system', async (tx) => {
      await tx.query('INSERT INTO tenants (id, name) VALUES ($1, $2)', [tenantId, slug]);
      const keys = { peppers: this.#keys, encryption: this.#keys };
      const made = await provision(tx, keys, { tenantId, slug, name: slug, environment: 'production', redirectUris });
      return {
        tenantId,
        id: made.repository.id,
        slug,
        environment: made.repository.environment,
        appClientId: made.appClient.id,
        toolClientId: made.toolClient.id,
        secretId: made.secret.id,
        secretValue: made.secret.value,
      };
    });
  }

  /** Makes a person; not an administrator unless asked for. */
  async person(repository: ProvisionedForTest, loginName: string, administrator = false): Promise<number> {
    const scope = { tenantId: repository.tenantId, repositoryId: repository.id };
    return (await this.database.transaction(scope, (tx) => createUser(tx, wellKnown.admin, { ...scope, loginName, administrator }))).id;
  }

  /** An API key of a user, as the tenant API would make it. */
  async apiKey(repository: ProvisionedForTest, userId: number, permissions: RepositoryPermission[] = [...repositoryPermissions]) {
    const scope = { tenantId: repository.tenantId, repositoryId: repository.id };
    const owner = { ...scope, userId, environment: repository.environment };
    return this.database.transaction(scope, (tx) =>
      insertApiKey(tx, this.#keys, userActor(repository.tenantId, userId, { requestId: 'test' }), owner, { name: 'test', permissions }),
    );
  }

  /** An access token as the authority signs them; the default tool's, with every scope, unless asked for otherwise. */
  async token(
    repository: ProvisionedForTest,
    {
      clientId = repository.toolClientId,
      userId = wellKnown.publicAdmin,
      scope = 'sensenet',
      claims = {},
      signedBy = repository,
    }: TokenWish = {},
  ): Promise<string> {
    const answer = await new CredentialCheck(this.#checks).ask({ repositoryId: repository.id, clientId, userId });
    if (!answer) throw new Error('no such repository');
    const { jwks } = await new SigningKeys(this.database).privateKeys(signedBy, this.#keys);
    const [jwk] = jwks;
    if (!jwk) throw new Error('the repository has no key');
    const now = Math.floor(Date.now() / 1000);
    const bound = boundClaims(
      answer,
      answer.client?.kind === 'app'
        ? { grantId: await this.#grant(repository, answer.subject?.generation) }
        : { versionId: repository.secretId },
    );
    return new SignJWT({
      iss: `http://localhost:4100/${repository.slug}`,
      aud: `http://localhost:4200/${repository.slug}`,
      sub: String(userId),
      client_id: clientId,
      scope,
      jti: randomUUID(),
      iat: now,
      exp: now + 600,
      ...bound,
      ...claims,
    })
      .setProtectedHeader({ alg: jwk.alg, kid: jwk.kid, typ: 'at+jwt' })
      .sign(await importJWK(jwk as never, jwk.alg));
  }

  /** What the authority keeps of a person's consent while its tokens may live. */
  async #grant(repository: ProvisionedForTest, userGeneration = 1): Promise<string> {
    const id = randomUUID();
    await this.test.owner.query(
      `INSERT INTO oidc_records (repository_id, kind, id, payload, user_generation) VALUES ($1, 'Grant', $2, '{}', $3)`,
      [repository.id, id, userGeneration],
    );
    return id;
  }

  /** Calls `…/<slug>/odata.svc<path>`. */
  call(
    repository: { slug: string },
    path: string,
    { token, ...init }: RequestInit & { token?: string | undefined } = {},
  ): Promise<Response> {
    const headers = new Headers(init.headers);
    if (token) headers.set('authorization', `Bearer ${token}`);
    return fetch(`http://127.0.0.1:${this.port}/${repository.slug}/odata.svc${path}`, { ...init, headers });
  }

  /** Sends these bytes and nothing else, and gives what comes back until the other side closes. */
  raw(text: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = connect(this.port, '127.0.0.1', () => socket.write(text));
      let received = '';
      socket.on('data', (data) => (received += data.toString()));
      socket.on('end', () => resolve(received));
      socket.on('error', reject);
    });
  }

  async stop(): Promise<void> {
    await this.stopAlone();
    await this.test.drop();
  }

  /** Stops the app and leaves the database, which others use. */
  async stopAlone(): Promise<void> {
    await this.#app.close();
    await this.#checks.end();
  }
}
