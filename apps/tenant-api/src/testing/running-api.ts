import { randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { importJWK, SignJWT } from 'jose';
import { tenantPermissions, type Role } from '@latchkey/contracts';
import { memberActor } from '@latchkey/access';
import { createUser, wellKnown } from '@latchkey/content';
import { boundClaims, CredentialCheck, RepositoryDirectory, SigningKeys } from '@latchkey/credentials';
import { connectForChecks, Member, newId } from '@latchkey/database';
import { createTestDatabase, type TestDatabase } from '@latchkey/database/testing';
import { createLogger } from '@latchkey/runtime';
import { addTenant, consoleSlug, install, MemberCredentials, type InstallationOptions, type NewTenant } from '@latchkey/tenancy';
import { TestDns } from '@latchkey/tenancy/testing';
import { createApp } from '../app.js';
import { configSchema, type Config } from '../config.js';

/** A tenant's pipeline, with a token as the console's authority would make it. */
export interface TestTenant {
  tenantId: string;
  token: string;
  call: (method: string, path: string, body?: unknown, headers?: Record<string, string>) => Promise<Response>;
}

/** A member of the first tenant, as their credential acts. */
export interface TestMember extends TestTenant {
  id: string;
  /** Of the credential. */
  clientId: string;
  /** Calls as the person who has signed in at the portal. */
  inPerson: TestTenant['call'];
}

/** The app on a database of its own, with two tenants that know nothing of each other. */
export interface RunningApi {
  app: NestFastifyApplication;
  config: Config;
  url: string;
  test: TestDatabase;
  /** As the setup program has them. */
  options: InstallationOptions;
  /** What is asked for the records that prove domains. */
  dns: TestDns;
  tenant: TestTenant;
  stranger: TestTenant;
  /** Calls with a token of a credential. */
  withCredential: (credential: { clientId: string; secretId: string }) => Promise<Pick<TestTenant, 'token' | 'call'>>;
  /** Makes a member of the first tenant with a credential, and calls as it. */
  addMember: (role: Role) => Promise<TestMember>;
  /** Makes a session of a user of the first tenant's, as the authority does. @returns its id. */
  addSession: (userId: string) => Promise<string>;
  /** A token of the first tenant's that is bound to a key (RFC 9449). */
  boundToken: (keyThumbprint: string) => Promise<string>;
  close: () => Promise<void>;
}

const key = () => `k1:${randomBytes(32).toString('base64')}`;

/** @param limitsUrl the Redis that counts what is limited. */
export async function startApi({ limitsUrl }: { limitsUrl?: string } = {}): Promise<RunningApi> {
  const test = await createTestDatabase();
  const dns = await TestDns.start();
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
    NEW_TENANTS: 'open',
    DNS_SERVERS: dns.address,
    LIMITS_URL: limitsUrl,
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
  const asTenant = async ({ credential }: NewTenant): Promise<TestTenant> => {
    const { token, tenantId } = await mint(test, config, { clientId: credential.clientId, secretId: credential.secret.id });
    return { tenantId, token, call: (method, path, body, headers) => call(url, token, method, path, body, headers) };
  };
  const [tenant, stranger] = [await asTenant(first), await asTenant(second)];
  return {
    app,
    config,
    url,
    test,
    options,
    dns,
    tenant,
    stranger,
    addSession: async (userId) => {
      const id = `session-${newId()}`;
      await test.owner.query(
        `INSERT INTO oidc_records (repository_id, kind, id, uid, payload, user_id, user_generation, expires_at)
         SELECT repository_id, 'Session', 'cookie-' || $1, $1, '{"loginTs": 1700000000}', id, generation, now() + interval '1 day'
         FROM repository_users WHERE id = $2 AND tenant_id = $3`,
        [id, userId, tenant.tenantId],
      );
      return id;
    },
    boundToken: async (jkt) => {
      const { clientId, secret } = first.credential;
      return (await mint(test, config, { clientId, secretId: secret.id }, { cnf: { jkt } })).token;
    },
    withCredential: async (credential) => {
      const { token } = await mint(test, config, credential);
      return { token, call: (method, path, body, headers) => call(url, token, method, path, body, headers) };
    },
    addMember: async (role) => {
      const { id, userId, clientId, secretId } = await makeMember(test, app.get(MemberCredentials), tenant.tenantId, role);
      const { token } = await mint(test, config, { clientId, secretId });
      const signedIn = await mint(test, config, await signIn(test, userId));
      return {
        id,
        clientId,
        tenantId: tenant.tenantId,
        token,
        call: (method, path, body, headers) => call(url, token, method, path, body, headers),
        inPerson: (method, path, body, headers) => call(url, signedIn.token, method, path, body, headers),
      };
    },
    close: async () => {
      await app.close();
      dns.close();
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
    signal: AbortSignal.timeout(30_000),
    headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
}

/** Makes a person, their membership and, whatever the policy says of their role, their credential. */
async function makeMember(test: TestDatabase, credentials: MemberCredentials, tenantId: string, role: Role) {
  const pool = connectForChecks({ url: test.url });
  const consoleRepository = await new RepositoryDirectory(pool).find(consoleSlug);
  await pool.end();
  if (!consoleRepository) throw new Error('there is no console');
  const { id: repositoryId, tenantId: operator } = consoleRepository;
  const loginName = `person-${randomBytes(6).toString('hex')}`;
  const person = { loginName, name: loginName, email: null };
  const account = { tenantId: operator, repositoryId, loginName, name: loginName, passwordHash: null };
  const user = await test.database.transaction({ repositoryId }, (tx) => createUser(tx, wellKnown.admin, account));
  const id = newId();
  const as = (held: Role) => memberActor({ tenantId, id, role: held, person }, tenantPermissions, { requestId: newId() });
  await test.database.transaction({ tenantId }, (tx) =>
    tx.insert(Member, { tenantId, id, repositoryId, userId: user.id, role: 'super-admin' }),
  );
  const { clientId, secret } = await credentials.create(as('super-admin'));
  await test.owner.query('UPDATE members SET role = $2 WHERE id = $1', [id, role]);
  await test.owner.query(
    `UPDATE tenants SET settings = jsonb_set(settings, '{memberCredentials}', '{"minimumRole": "viewer"}') WHERE id = $1`,
    [tenantId],
  );
  return { id, userId: user.id, clientId, secretId: secret.id };
}

/** Gives a person a grant for the portal, as signing in does. */
async function signIn(test: TestDatabase, userId: number) {
  const grantId = randomBytes(12).toString('hex');
  const { rows } = await test.owner.query<{ id: string }>(
    `WITH grants AS (
       INSERT INTO oidc_records (repository_id, kind, id, payload, user_id, user_generation)
       SELECT r.id, 'Grant', $2, '{}', u.id, u.generation FROM repositories r JOIN repository_users u ON u.repository_id = r.id
       WHERE r.slug = $1 AND u.id = $3)
     SELECT c.id FROM clients c JOIN repositories r ON r.id = c.repository_id WHERE r.slug = $1 AND c.kind = 'app'`,
    [consoleSlug, grantId, userId],
  );
  return { clientId: rows[0]?.id ?? '', grantId, userId };
}

/** What a token hangs on. */
type Proof = { clientId: string } & ({ secretId: string } | { grantId: string; userId: number });

/** Signs a token of a credential with the console's key, bound to what the primary says of it. */
async function mint(test: TestDatabase, config: Config, proof: Proof, more: Record<string, unknown> = {}) {
  const { clientId } = proof;
  const pool = connectForChecks({ url: test.url });
  try {
    const repository = await new RepositoryDirectory(pool).find(consoleSlug);
    if (!repository) throw new Error('there is no console');
    const { jwks } = await new SigningKeys(test.database).privateKeys(repository, config.KEY_ENCRYPTION_KEYS);
    const [jwk] = jwks;
    const answer = await new CredentialCheck(pool).ask({
      repositoryId: repository.id,
      clientId,
      ...('userId' in proof ? { userId: proof.userId } : {}),
    });
    if (!jwk || !answer?.client) throw new Error('the console has no key, or no such client');
    const claims = {
      client_id: clientId,
      scope: 'sensenet',
      jti: randomBytes(8).toString('hex'),
      ...boundClaims(answer, 'secretId' in proof ? { versionId: proof.secretId } : { grantId: proof.grantId }),
      ...more,
    };
    const token = await new SignJWT({ ...claims })
      .setProtectedHeader({ alg: 'ES256', kid: jwk.kid, typ: 'at+jwt' })
      .setIssuer(config.AUTHORITY_URL_TEMPLATE.of(consoleSlug))
      .setAudience(config.TENANT_API_URL)
      .setSubject(String(answer.subject?.id))
      .setIssuedAt()
      .setExpirationTime('5m')
      .sign(await importJWK(jwk as never));
    return { token, tenantId: answer.client.tenantId };
  } finally {
    await pool.end();
  }
}
