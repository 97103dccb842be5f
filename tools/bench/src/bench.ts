import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { Installation, type InstallationOptions } from '@latchkey/chaos/installation';
import { Customer, type BenchRepository } from './customer.js';
import { pin, processors } from './machine.js';

/**
 * Runs `work` on an installation of its own with so many repositories, and removes it. When processes are pinned, so is
 * PostgreSQL, away from the servers.
 */
export async function withInstallation<T>(
  { repositoryCount, ...options }: Omit<InstallationOptions, 'dataDir' | 'linked'> & { repositoryCount: number },
  work: (installation: Installation, customer: Customer, repositories: BenchRepository[]) => Promise<T>,
): Promise<T> {
  const dataDir = await mkdtemp(join(tmpdir(), 'latchkey-bench-'));
  process.stdout.write(`Starting ${options.authorities} authorities and ${options.repositoryApis} repository APIs…\n`);
  const installation = await Installation.open({ dataDir, linked: false, ...options });
  try {
    if (options.processor) {
      const postmaster = await readFile(join(dataDir, 'postgres/cluster/postmaster.pid'), 'utf8');
      await pin(Number.parseInt(postmaster, 10), processors.load);
    }
    const customer = await Customer.of(installation);
    const repositories: BenchRepository[] = [];
    for (let i = 0; i < repositoryCount; i++) repositories.push(await customer.createRepository(`bench-${i}`));
    await analyze(installation);
    const result = await work(installation, customer, repositories);
    await customer.close();
    return result;
  } finally {
    await installation.close();
    await rm(dataDir, { recursive: true, force: true });
  }
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

/** Runs a program of the benchmarks to its end. */
export async function runBench(main: () => Promise<void>): Promise<never> {
  try {
    await main();
    process.exit(0);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exit(1);
  }
}
