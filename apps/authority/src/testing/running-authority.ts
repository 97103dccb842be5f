import { randomBytes } from 'node:crypto';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tenantPermissions, type Role } from '@latchkey/contracts';
import { machineActor, memberActor, type Actor } from '@latchkey/access';
import { createUser, wellKnown } from '@latchkey/content';
import { CredentialRefused, hashPassword, type KnownRepository } from '@latchkey/credentials';
import { Member, newId, type Database } from '@latchkey/database';
import { createTestDatabase, type TestDatabase } from '@latchkey/database/testing';
import { createLogger, type AddressTemplate } from '@latchkey/runtime';
import { addTenant, consoleSlug, install, resolveActor, type InstallationOptions, type NewTenant } from '@latchkey/tenancy';
import { openAuthority, type Authority } from '../authority.js';
import { configSchema, type Config } from '../config.js';
import { createListener } from '../server.js';

/** What the token endpoint answered. */
export interface TokenAnswer {
  status: number;
  headers: Headers;
  body: { access_token?: string; expires_in?: number; error?: string; error_description?: string };
}

/** The authority on a database of its own, with an installation in it. */
export interface RunningAuthority {
  config: Config;
  authority: Authority;
  test: TestDatabase;
  database: Database;
  options: InstallationOptions;
  repositoryUrls: AddressTemplate;
  console: KnownRepository;
  /** The issuer of a repository. */
  issuerOf: (slug: string) => string;
  first: NewTenant;
  newTenant: (name: string) => Promise<Tenant>;
  /** Asks a repository's token endpoint, the console's if none is named. */
  token: (clientId: string, secret: string, more?: Record<string, string>) => Promise<TokenAnswer>;
  /** Who is acting with a token at the tenant API. @throws CredentialRefused, or Problem `forbidden` for somebody who is nobody. */
  actorOf: (token: string) => Promise<Actor>;
  /** Whether the tenant API takes the token. */
  takes: (token: string) => Promise<boolean>;
  close: () => Promise<void>;
}

/** A tenant with whoever may do everything in it, a machine, and members as they are needed. */
export interface Tenant {
  id: string;
  made: NewTenant;
  machine: Actor;
  addMember: (role: Role) => Promise<TestMember>;
}

/** A person in a tenant, as they act after signing in. */
export interface TestMember {
  id: string;
  userId: number;
  loginName: string;
  password: string;
  actor: Actor;
}

const key = () => `k1:${randomBytes(32).toString('base64')}`;
const password = 'correct horse battery staple';
let people = 0;

export async function startAuthority(): Promise<RunningAuthority> {
  const test = await createTestDatabase();
  let listener: RequestListener = (_request, response) => void response.writeHead(503).end();
  const server = createServer((request, response) => listener(request, response));
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const config = configSchema.parse({
    PORT: 0,
    LOG_LEVEL: 'silent',
    DATABASE_URL: test.url,
    SECRET_PEPPERS: key(),
    KEY_ENCRYPTION_KEYS: key(),
    AUTHORITY_URL_TEMPLATE: `http://localhost:${(server.address() as AddressInfo).port}/{repository}`,
    REPOSITORY_URL_TEMPLATE: 'http://localhost:4200/{repository}',
    TENANT_API_URL: 'http://localhost:4000',
    PORTAL_URL: 'http://localhost:4000',
    NEW_TENANTS: 'open',
    // The servers of clients are test files.
    CLIENT_ALLOW_PRIVATE_ADDRESSES: 'true',
    FEDERATION_ALLOW_PRIVATE_ADDRESSES: 'true',
  });
  const options: InstallationOptions = {
    database: test.database,
    peppers: config.SECRET_PEPPERS,
    encryption: config.KEY_ENCRYPTION_KEYS,
    authorityUrls: config.AUTHORITY_URL_TEMPLATE,
    portalUrl: config.PORTAL_URL,
  };
  const first = await install(options);
  const authority = await openAuthority(config, createLogger('test', 'silent'));
  listener = createListener(authority);
  const consoleRepository = await authority.directory.find(consoleSlug);
  if (!first || !consoleRepository) throw new Error('the database was not empty');
  const issuerOf = (slug: string) => authority.addresses.of(slug);
  const actorOf = async (token: string): Promise<Actor> => {
    const verified = await authority.verifier.verify(consoleRepository, token);
    return resolveActor(test.database, consoleRepository, verified, { requestId: newId(), address: '192.0.2.1' });
  };
  return {
    config,
    authority,
    test,
    database: test.database,
    options,
    repositoryUrls: config.REPOSITORY_URL_TEMPLATE,
    console: consoleRepository,
    issuerOf,
    first,
    newTenant: async (name) => tenantOf(authority, consoleRepository, await addTenant(options, name)),
    token: (clientId, secret, more = {}) => fetchToken(`${issuerOf(consoleSlug)}/connect/token`, clientId, secret, more),
    actorOf,
    takes: async (token) => {
      try {
        await actorOf(token);
        return true;
      } catch (error) {
        if (error instanceof CredentialRefused) return false;
        throw error;
      }
    },
    close: async () => {
      server.closeAllConnections();
      server.close();
      await authority.close();
      await test.drop();
    },
  };
}

/** Asks for a token as a tool does. */
export async function fetchToken(url: string, clientId: string, secret: string, more: Record<string, string> = {}): Promise<TokenAnswer> {
  const response = await fetch(url, {
    method: 'POST',
    signal: AbortSignal.timeout(10_000),
    headers: { authorization: `Basic ${btoa(`${clientId}:${secret}`)}` },
    body: new URLSearchParams({ grant_type: 'client_credentials', ...more }),
  });
  return { status: response.status, headers: response.headers, body: (await response.json()) as TokenAnswer['body'] };
}

async function tenantOf(authority: Authority, consoleRepository: KnownRepository, made: NewTenant): Promise<Tenant> {
  const answer = await authority.check.ask({ repositoryId: consoleRepository.id, clientId: made.credential.clientId });
  const id = answer?.client?.tenantId ?? '';
  return {
    id,
    made,
    machine: machineActor(id, made.credential.clientId, tenantPermissions, { requestId: newId(), address: '192.0.2.2' }),
    addMember: (role) => addMember(authority.database, consoleRepository, id, role),
  };
}

async function addMember(database: Database, consoleRepository: KnownRepository, tenantId: string, role: Role): Promise<TestMember> {
  const loginName = `person-${++people}`;
  const passwordHash = await hashPassword(password);
  const person = { loginName, name: `Person ${people}`, email: `${loginName}@example.com` };
  const owner = { tenantId: consoleRepository.tenantId, repositoryId: consoleRepository.id };
  const user = await database.transaction({ repositoryId: consoleRepository.id }, (tx) =>
    createUser(tx, wellKnown.admin, { ...owner, ...person, passwordHash }),
  );
  const id = newId();
  await database.transaction({ tenantId }, (tx) =>
    tx.insert(Member, { tenantId, id, repositoryId: consoleRepository.id, userId: user.id, role }),
  );
  const call = { requestId: newId(), address: '192.0.2.3' };
  return { id, userId: user.id, loginName, password, actor: memberActor({ tenantId, id, role, person }, tenantPermissions, call) };
}
