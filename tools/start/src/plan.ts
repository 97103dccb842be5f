import { join } from 'node:path';
import { Complaint } from './complaint.js';
import type { KeptSecrets } from './kept-secrets.js';
import type { Options } from './options.js';
import type { PortUse } from './ports.js';

/** One process to be run. */
export interface PlannedProcess {
  /** For people and file names: `authority-2`. */
  name: string;
  app: 'tenant-api' | 'authority' | 'repository-api' | 'worker';
  /** Where this process and no other answers. */
  port: number;
  environment: NodeJS.ProcessEnv;
}

/** Everything that follows from the options before anything is started. */
export interface Plan {
  processes: PlannedProcess[];
  ports: PortUse[];
  urls: { portal: string; tenantApi: string; authorities: string; repositoryApis: string };
}

/**
 * What production must bring itself.
 *
 * @throws Complaint that names what is missing.
 */
export function refuseMakeshiftProduction(outer: NodeJS.ProcessEnv): void {
  if (outer['NODE_ENV'] !== 'production') return;
  const missing = ['DATABASE_URL', 'SECRET_PEPPERS', 'KEY_ENCRYPTION_KEYS'].filter((name) => !outer[name]);
  if (missing.length > 0) {
    throw new Complaint(`NODE_ENV=production runs neither on the embedded database nor on generated keys: set ${missing.join(', ')}.`);
  }
}

/** @throws Complaint for an address of a database that is none, before anything is made. */
export function refuseWrongAddresses(outer: NodeJS.ProcessEnv): void {
  for (const name of ['DATABASE_URL', 'DATABASE_OWNER_URL']) {
    const address = outer[name];
    if (!address || (URL.canParse(address) && /^postgres(?:ql)?:$/.test(new URL(address).protocol))) continue;
    throw new Complaint(`${name} must be an address such as postgres://user:password@db.example.com:5432/latchkey.`);
  }
}

/** Which processes to run, on which ports, and under which addresses they are reached. */
export function plan(options: Options, outer: NodeJS.ProcessEnv): Plan {
  const base = options.portBase;
  const ports = { tenantApi: base, authority: base + 100, repositoryApi: base + 200, worker: base + 300 };
  const urls = {
    portal: outer['PORTAL_URL'] || `http://localhost:${base}`,
    tenantApi: outer['TENANT_API_URL'] || `http://localhost:${base}`,
    authorities: outer['AUTHORITY_URL_TEMPLATE'] || `http://localhost:${ports.authority}/{repository}`,
    repositoryApis: outer['REPOSITORY_URL_TEMPLATE'] || `http://localhost:${ports.repositoryApi}/{repository}`,
  };
  const processes = [
    ...processesOf('tenant-api', ports.tenantApi, 1),
    ...processesOf('authority', ports.authority, options.authorities),
    ...processesOf('repository-api', ports.repositoryApi, options.repositoryApis),
    ...processesOf('worker', ports.worker, 1),
  ];
  const own = processes.filter(({ port, environment }) => String(port) !== environment['PORT']);
  return {
    processes,
    urls,
    ports: [
      { port: ports.tenantApi, use: 'tenant API and portal' },
      { port: ports.authority, use: 'authority' },
      { port: ports.repositoryApi, use: 'repository API' },
      { port: ports.worker, use: 'worker' },
      ...own.map(({ port, name }) => ({ port, use: name })),
    ],
  };
}

/** Several processes share a port by SO_REUSEPORT, and each has the next free one for itself. One that stops hands its clients over to the others. */
function processesOf(app: PlannedProcess['app'], port: number, count: number): PlannedProcess[] {
  const common = { HOST: '127.0.0.1', PORT: String(port) };
  if (count === 1) return [{ name: app, app, port, environment: { ...common, NODE_NAME: app } }];
  return Array.from({ length: count }, (_, index) => {
    const [name, ownPort] = [`${app}-${index + 1}`, port + index + 1];
    return {
      name,
      app,
      port: ownPort,
      environment: { ...common, REUSE_PORT: 'true', NODE_PORT: String(ownPort), NODE_NAME: name, DRAIN_SECONDS: '1' },
    };
  });
}

/** What every process reads, the setup program included; the outer environment stays visible below it. */
export function commonEnvironment(
  outer: NodeJS.ProcessEnv,
  options: Options,
  { urls }: Plan,
  secrets: KeptSecrets | undefined,
  databaseUrl: string,
): NodeJS.ProcessEnv {
  return {
    ...outer,
    DATABASE_URL: databaseUrl,
    // The owner's login is for the setup program alone.
    DATABASE_OWNER_URL: undefined,
    SECRET_PEPPERS: outer['SECRET_PEPPERS'] || secrets?.secretPeppers,
    KEY_ENCRYPTION_KEYS: outer['KEY_ENCRYPTION_KEYS'] || secrets?.keyEncryptionKeys,
    AUTHORITY_URL_TEMPLATE: urls.authorities,
    REPOSITORY_URL_TEMPLATE: urls.repositoryApis,
    TENANT_API_URL: urls.tenantApi,
    PORTAL_URL: urls.portal,
    // Mail is written beside the data unless there is a mail server.
    MAIL_DIR: outer['MAIL_DIR'] || (outer['SMTP_URL'] ? undefined : join(options.dataDir, 'mail')),
    // On one's own machine whoever gets there may sign up.
    NEW_TENANTS: outer['NEW_TENANTS'] || (outer['NODE_ENV'] === 'production' ? 'operator' : 'open'),
    // On one's own machine the webhooks, clients and identity providers that one tries are on it too.
    FEDERATION_ALLOW_PRIVATE_ADDRESSES:
      outer['FEDERATION_ALLOW_PRIVATE_ADDRESSES'] || (outer['NODE_ENV'] === 'production' ? 'false' : 'true'),
    WEBHOOK_ALLOW_PRIVATE_ADDRESSES: outer['WEBHOOK_ALLOW_PRIVATE_ADDRESSES'] || (outer['NODE_ENV'] === 'production' ? 'false' : 'true'),
    CLIENT_ALLOW_PRIVATE_ADDRESSES: outer['CLIENT_ALLOW_PRIVATE_ADDRESSES'] || (outer['NODE_ENV'] === 'production' ? 'false' : 'true'),
  };
}

/**
 * The database login of the apps, which owns nothing: the given one, or else the kept one on the owner's server. It is
 * named after the database, because logins belong to the whole server.
 */
export function loginUrl(ownerUrl: string, password: string): string {
  const url = new URL(ownerUrl);
  const database = decodeURIComponent(url.pathname.slice(1));
  url.username = database === 'latchkey' ? 'latchkey' : `latchkey_${database}`.slice(0, 63);
  url.password = password;
  return url.href;
}
