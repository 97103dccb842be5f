import { randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { importJWK, SignJWT } from 'jose';
import { boundClaims, CredentialCheck, RepositoryDirectory, SigningKeys } from '@latchkey/credentials';
import { connectForChecks } from '@latchkey/database';
import { createTestDatabase, type TestDatabase } from '@latchkey/database/testing';
import { createLogger } from '@latchkey/runtime';
import { addTenant, consoleSlug, install, type NewTenant } from '@latchkey/tenancy';
import { createApp } from '../app.js';
import { configSchema, type Config } from '../config.js';

/** A tenant's pipeline, with a token as the console's authority would make it. */
export interface TestTenant {
  token: string;
  call: (method: string, path: string, body?: unknown, headers?: Record<string, string>) => Promise<Response>;
}

/** The app on a database of its own, with two tenants that know nothing of each other. */
export interface RunningApi {
  app: NestFastifyApplication;
  config: Config;
  url: string;
  test: TestDatabase;
  tenant: TestTenant;
  stranger: TestTenant;
  close: () => Promise<void>;
}

const key = () => `k1:${randomBytes(32).toString('base64')}`;

export async function startApi(): Promise<RunningApi> {
  const test = await createTestDatabase();
  const config = configSchema.parse({
    PORT: 0,
    LOG_LEVEL: 'silent',
    DATABASE_URL: test.url,
    SECRET_PEPPERS: key(),
    KEY_ENCRYPTION_KEYS: key(),
    AUTHORITY_URL_TEMPLATE: 'http://localhost:4100/{repository}',
    REPOSITORY_URL_TEMPLATE: 'http://localhost:4200/{repository}',
    TENANT_API_URL: 'http://localhost:4000',
    PORTAL_URL: 'http://localhost:4000',
  });
  const options = {
    database: test.database,
    peppers: config.SECRET_PEPPERS,
    encryption: config.KEY_ENCRYPTION_KEYS,
    authorityUrls: config.AUTHORITY_URL_TEMPLATE,
    portalUrl: config.PORTAL_URL,
  };
  const first = await install(options);
  if (!first) throw new Error('the database was not empty');
  const second = await addTenant(options, 'Stranger');
  const app = await createApp(config, createLogger('test', 'silent'));
  await app.listen({ host: '127.0.0.1', port: 0 });
  const url = `http://127.0.0.1:${(app.getHttpServer().address() as AddressInfo).port}`;
  const asTenant = async (tenant: NewTenant): Promise<TestTenant> => {
    const token = await mint(test, config, tenant);
    return { token, call: (method, path, body, headers) => call(url, token, method, path, body, headers) };
  };
  const [tenant, stranger] = [await asTenant(first), await asTenant(second)];
  return {
    app,
    config,
    url,
    test,
    tenant,
    stranger,
    close: async () => {
      await app.close();
      await test.drop();
    },
  };
}

async function call(
  url: string,
  token: string,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(`${url}${path}`, {
    method,
    signal: AbortSignal.timeout(10_000),
    headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
}

/** Signs a token of the tenant's credential with the console's key, bound to what the primary says of it. */
async function mint(test: TestDatabase, config: Config, { credential }: NewTenant): Promise<string> {
  const pool = connectForChecks({ url: test.url });
  try {
    const repository = await new RepositoryDirectory(pool).find(consoleSlug);
    if (!repository) throw new Error('there is no console');
    const [jwk] = await new SigningKeys(test.database).privateJwks(repository, config.KEY_ENCRYPTION_KEYS);
    const answer = await new CredentialCheck(pool).ask({ repositoryId: repository.id, clientId: credential.clientId });
    if (!jwk || !answer) throw new Error('the console has no key');
    const claims = {
      client_id: credential.clientId,
      scope: 'sensenet',
      jti: randomBytes(8).toString('hex'),
      ...boundClaims(answer, { versionId: credential.secret.id }),
    };
    return await new SignJWT({ ...claims })
      .setProtectedHeader({ alg: 'ES256', kid: jwk.kid, typ: 'at+jwt' })
      .setIssuer(config.AUTHORITY_URL_TEMPLATE.of(consoleSlug))
      .setAudience(config.TENANT_API_URL)
      .setSubject(String(answer.subject?.id))
      .setIssuedAt()
      .setExpirationTime('5m')
      .sign(await importJWK(jwk as never));
  } finally {
    await pool.end();
  }
}
