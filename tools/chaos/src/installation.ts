import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { fileURLToPath } from 'node:url';
import { isFree } from '@latchkey/start/testing';
import { DatabaseLink } from './database-link.js';
import { NodeProcess } from './node-process.js';
import { TrialPostgres } from './postgres.js';

const appsFolder = fileURLToPath(new URL('../../../apps', import.meta.url));

export type App = 'tenant-api' | 'authority' | 'repository-api' | 'worker';

export interface InstallationOptions {
  /** A folder of this installation alone. */
  dataDir: string;
  authorities: number;
  repositoryApis: number;
  /** Whether each process reaches PostgreSQL by a link of its own, that can be disturbed. */
  linked: boolean;
  /** What comes before the app's program on the command line of Node, such as `--import`, by the name of the process. */
  nodeArguments?: (name: string) => string[];
  /** What the apps are given besides. */
  environment?: NodeJS.ProcessEnv;
  /** The processor that a process is pinned to, by its name, where there is `taskset`. */
  processor?: (name: string) => number | undefined;
}

/** One process of the installation, with everything that can be done to it. */
export interface TrialNode {
  name: string;
  app: App;
  /** Where this process and no other answers. */
  port: number;
  origin: string;
  process: NodeProcess;
  link: DatabaseLink | undefined;
}

/** The credential with which a tenant's pipelines call the tenant API. */
export interface TenantCredential {
  clientId: string;
  clientSecret: string;
}

/** The whole product as processes of their own on loopback, on a PostgreSQL of its own, for trials. */
export class Installation {
  private constructor(
    readonly options: InstallationOptions,
    readonly postgres: TrialPostgres,
    readonly nodes: TrialNode[],
    readonly credential: TenantCredential,
    /** The scheme and host of all authorities together; a repository's issuer is below it. */
    readonly authorityOrigin: string,
    /** What the apps are given: the keys, and the login to the database. Never to be logged. */
    readonly secrets: { peppers: string; encryption: string; databaseUrl: string },
  ) {}

  /** @throws when anything does not come up; nothing is left running then. */
  static async open(options: InstallationOptions): Promise<Installation> {
    await mkdir(join(options.dataDir, 'logs'), { recursive: true, mode: 0o700 });
    const postgres = await TrialPostgres.start(join(options.dataDir, 'postgres'));
    const nodes: TrialNode[] = [];
    try {
      const ports = await freePorts(4 + options.authorities + options.repositoryApis);
      const [tenantApiPort, authorityPort, repositoryApiPort, workerPort, ...nodePorts] = ports as [number, number, number, number];
      const login = loginUrl(postgres.ownerUrl);
      const environment = { ...options.environment, ...commonEnvironment({ tenantApiPort, authorityPort, repositoryApiPort }) };
      const credential = await runSetup({ ...environment, DATABASE_URL: login, DATABASE_OWNER_URL: postgres.ownerUrl });
      const shared = { authority: authorityPort, 'repository-api': repositoryApiPort } as const;
      const add = async (app: App, name: string, port: number) =>
        void nodes.push(await startNode(options, environment, login, app, name, port, shared));
      await add('tenant-api', 'tenant-api', tenantApiPort);
      for (let i = 1; i <= options.authorities; i++) await add('authority', `authority-${i}`, nodePorts.shift()!);
      for (let i = 1; i <= options.repositoryApis; i++) await add('repository-api', `repository-api-${i}`, nodePorts.shift()!);
      await add('worker', 'worker', workerPort);
      await Promise.all(nodes.map(({ process }) => process.ready()));
      const authorityOrigin = environment.AUTHORITY_URL_TEMPLATE.replace('/{repository}', '');
      const { SECRET_PEPPERS: peppers, KEY_ENCRYPTION_KEYS: encryption } = environment;
      return new Installation(options, postgres, nodes, credential, authorityOrigin, { peppers, encryption, databaseUrl: login });
    } catch (error) {
      await closeAll(nodes, postgres);
      throw error;
    }
  }

  of(app: App): TrialNode[] {
    return this.nodes.filter((node) => node.app === app);
  }

  /** Stops everything. */
  async close(): Promise<void> {
    await closeAll(this.nodes, this.postgres);
  }

  /** Removes what it kept. */
  async clean(): Promise<void> {
    await rm(this.options.dataDir, { recursive: true, force: true });
  }
}

async function closeAll(nodes: TrialNode[], postgres: TrialPostgres): Promise<void> {
  for (const { link } of nodes) link?.mend();
  await Promise.all(nodes.map(({ process }) => process.stop()));
  await Promise.all(nodes.flatMap(({ link }) => (link ? [link.close()] : [])));
  await postgres.stop();
}

function commonEnvironment(ports: { tenantApiPort: number; authorityPort: number; repositoryApiPort: number }) {
  const keyRing = () => `k1:${randomBytes(32).toString('base64')}`;
  return {
    PATH: process.env['PATH'],
    HOST: '127.0.0.1',
    LOG_LEVEL: 'error',
    SECRET_PEPPERS: keyRing(),
    KEY_ENCRYPTION_KEYS: keyRing(),
    AUTHORITY_URL_TEMPLATE: `http://localhost:${ports.authorityPort}/{repository}`,
    REPOSITORY_URL_TEMPLATE: `http://localhost:${ports.repositoryApiPort}/{repository}`,
    TENANT_API_URL: `http://localhost:${ports.tenantApiPort}`,
    PORTAL_URL: `http://localhost:${ports.tenantApiPort}`,
    WEBHOOK_ALLOW_PRIVATE_ADDRESSES: 'true',
  };
}

/** The login of the apps, which owns nothing. */
function loginUrl(ownerUrl: string): string {
  const url = new URL(ownerUrl);
  url.username = 'latchkey';
  url.password = randomBytes(24).toString('base64url');
  return url.href;
}

/** Brings the database to the present schema and makes the first tenant. */
async function runSetup(environment: NodeJS.ProcessEnv): Promise<TenantCredential> {
  const program = join(appsFolder, 'tenant-api/dist/setup.js');
  const { stdout } = await promisify(execFile)(process.execPath, [program, '--json'], { env: environment, timeout: 60_000 });
  const { first } = JSON.parse(stdout) as { first: { credential: TenantCredential } };
  return first.credential;
}

async function startNode(
  { dataDir, linked, nodeArguments, processor }: InstallationOptions,
  environment: NodeJS.ProcessEnv,
  login: string,
  app: App,
  name: string,
  port: number,
  shared: { authority: number; 'repository-api': number },
): Promise<TrialNode> {
  const link = linked ? await DatabaseLink.to(login) : undefined;
  const ports =
    app === 'authority' || app === 'repository-api'
      ? { PORT: String(shared[app]), REUSE_PORT: 'true', NODE_PORT: String(port) }
      : { PORT: String(port) };
  const program = ['--enable-source-maps', ...(nodeArguments?.(name) ?? []), join(appsFolder, app, 'dist/main.js')];
  const cpu = processor?.(name);
  const [command, ...args] = [...(cpu === undefined ? [] : ['taskset', '--cpu-list', String(cpu)]), process.execPath, ...program];
  const node = new NodeProcess({
    name,
    command: command!,
    args,
    environment: { ...environment, ...ports, NODE_NAME: name, DATABASE_URL: link?.url ?? login, DATA_DIR: join(dataDir, 'kept') },
    logFile: join(dataDir, 'logs', `${name}.log`),
    port,
  });
  return { name, app, port, origin: `http://127.0.0.1:${port}`, process: node, link };
}

/**
 * Ports that are free now, below those that the system gives to outgoing connections: a process that is killed must find its
 * own free again.
 */
async function freePorts(count: number): Promise<number[]> {
  const found = new Set<number>();
  for (let attempt = 0; found.size < count && attempt < 1_000; attempt++) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    if (await isFree(port)) found.add(port);
  }
  if (found.size < count) throw new Error('There are not enough free ports between 20000 and 32000.');
  return [...found];
}
