import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { Installation, type InstallationOptions } from '@latchkey/chaos/installation';
import { KeyRing } from '@latchkey/credentials';
import { Database } from '@latchkey/database';
import { AddressTemplate } from '@latchkey/runtime';
import { seed, type SeededRepository } from '@latchkey/seed';
import { Customer, redirectUri, type BenchRepository } from './customer.js';
import { pin, processors } from './machine.js';

/** Runs `work` on an installation of its own with so many repositories, which a customer makes, and removes it. */
export async function withInstallation<T>(
  { repositoryCount, ...options }: BenchOptions & { repositoryCount: number },
  work: (installation: Installation, customer: Customer, repositories: BenchRepository[]) => Promise<T>,
): Promise<T> {
  return withOpen(options, async (installation) => {
    const customer = await Customer.of(installation);
    const repositories: BenchRepository[] = [];
    for (let i = 0; i < repositoryCount; i++) repositories.push(await customer.createRepository(`bench-${i}`));
    await analyze(installation);
    try {
      return await work(installation, customer, repositories);
    } finally {
      await customer.close();
    }
  });
}

/** Likewise with seeded repositories. The worker does what it does all day. */
export async function withSeeded<T>(
  options: BenchOptions,
  { repositories, perTenant = 100 }: { repositories: number; perTenant?: number },
  work: (installation: Installation, seeded: SeededRepository[]) => Promise<T>,
): Promise<T> {
  return withOpen(options, async (installation) => {
    process.stdout.write(`Making ${repositories} repositories…\n`);
    const seeded = await seedInto(installation, repositories, perTenant);
    await analyze(installation);
    return work(installation, seeded);
  });
}

type BenchOptions = Omit<InstallationOptions, 'dataDir' | 'linked'>;

/** When processes are pinned, so is PostgreSQL, away from the servers. */
async function withOpen<T>(options: BenchOptions, work: (installation: Installation) => Promise<T>): Promise<T> {
  const dataDir = await mkdtemp(join(tmpdir(), 'latchkey-bench-'));
  process.stdout.write(`Starting ${options.authorities} authorities and ${options.repositoryApis} repository APIs…\n`);
  const installation = await Installation.open({ dataDir, linked: false, ...options });
  try {
    if (options.processor) await pinPostgres(dataDir);
    return await work(installation);
  } finally {
    await installation.close();
    await rm(dataDir, { recursive: true, force: true });
  }
}

async function seedInto(installation: Installation, repositories: number, perTenant: number): Promise<SeededRepository[]> {
  const { peppers, encryption, databaseUrl } = installation.secrets;
  const database = await Database.connect({ url: databaseUrl, poolSize: 2, applicationName: 'bench-seed' });
  const seeded: SeededRepository[] = [];
  try {
    const target = {
      database,
      peppers: KeyRing.parse(peppers),
      encryption: KeyRing.parse(encryption),
      authorityUrls: new AddressTemplate(`${installation.authorityOrigin}/{repository}`),
    };
    await seed(target, { repositories, perTenant, people: 1, redirectUris: [redirectUri] }, (each) => void seeded.push(each));
  } finally {
    await database.close();
  }
  return seeded;
}

/** With what it has started already; those that it starts from then on go with it. */
async function pinPostgres(dataDir: string): Promise<void> {
  const postmaster = Number.parseInt(await readFile(join(dataDir, 'postgres/cluster/postmaster.pid'), 'utf8'), 10);
  const { stdout } = await promisify(execFile)('pgrep', ['--parent', String(postmaster)]).catch(() => ({ stdout: '' }));
  for (const pid of [postmaster, ...stdout.split('\n').filter(Boolean).map(Number)]) await pin(pid, processors.load).catch(() => undefined);
}

/** As autovacuum does sooner or later: statements are planned by what the tables hold. */
async function analyze(installation: Installation): Promise<void> {
  const database = new pg.Client({ connectionString: installation.postgres.ownerUrl });
  await database.connect();
  await database.query('VACUUM (ANALYZE)');
  await database.end();
}

// Whoever ends the run by a signal leaves nothing behind: the processes end with us.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'disconnect'] as const) process.on(signal, () => process.exit(1));

/** What the person at the terminal has to know, and nothing more. */
export class Notice extends Error {}

/** Runs a program of the benchmarks to its end. */
export async function runBench(main: () => Promise<void>): Promise<never> {
  try {
    await main();
    process.exit(0);
  } catch (error) {
    const words = error instanceof Notice ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error);
    process.stderr.write(`${words}\n`);
    process.exit(1);
  }
}
