import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { Installation, type InstallationOptions } from '@latchkey/chaos/installation';
import { Customer, type BenchRepository } from './customer.js';
import { canPin, describeMachine, pin, processors } from './machine.js';
import { measureRefusing, type Refusing } from './refusing.js';
import { measureRegenerating, type Regenerating } from './regenerating.js';
import { describeBench, writeSection } from './report.js';
import { measureThroughput, variants, type Variant } from './throughput.js';

/*
 * `npm run bench:cutoff`: what a cut-off and the checks behind it cost. Prints its table and writes it to
 * docs/benchmarks.md. Three kinds of servers run in it; those without a check, or with one that is not gathered, are made so
 * by a module that only this program loads before the app's (`variants/`).
 */

const usage = `npm run bench:cutoff -- [options]

  --rounds N    interleaved rounds of which the median is taken (5)
  --seconds N   length of each measurement of a load (3)
  --no-write    print only; leave docs/benchmarks.md as it is
`;

const benchmarks = fileURLToPath(new URL('../../../docs/benchmarks.md', import.meta.url));
const say = (line: string) => void process.stdout.write(`${line}\n`);

const repositoryCount = 100;
const connections = [1, 64];
const nodeCounts = [1, 2, 4, 8];
/** With so many nodes regenerations are timed. */
const usualNodes = 4;

const programOf: Record<Variant, string[]> = {
  gathered: [],
  'one statement each': preload('one-statement-each'),
  none: preload('no-check'),
};

function preload(module: string): string[] {
  return ['--import', fileURLToPath(new URL(`variants/${module}.js`, import.meta.url))];
}

/** The third process of an app is the third variant. */
function argumentsOf(name: string): string[] {
  const number = Number(/-(\d+)$/.exec(name)?.[1] ?? 0);
  return number > 0 ? programOf[variants[number - 1]!] : [];
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '3' },
      'no-write': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return say(usage);
  const [rounds, seconds] = [values.rounds, values.seconds].map(Number) as [number, number];
  if (!(rounds >= 1 && seconds >= 1)) throw new Error('--rounds and --seconds must be numbers from 1 on.');

  const { regenerating, refusing } = await withInstallation(
    { authorities: Math.max(...nodeCounts), repositoryApis: 1 },
    (all, customer, repositories) => measureCutOff(all, customer, repositories, rounds),
  );
  await pin(process.pid, processors.load);
  const throughput = await withInstallation(
    { authorities: variants.length, repositoryApis: variants.length, nodeArguments: argumentsOf, ...(canPin ? { processor } : {}) },
    (all, customer, repositories) => measureThroughput(all, customer, repositories, { connections, rounds, seconds, say }),
  );

  const date = new Date().toISOString().slice(0, 10);
  const text = describeBench({ date, machine: describeMachine(), regenerating, refusing, throughput });
  say(`\n${text}`);
  if (!values['no-write']) await writeSection(benchmarks, 'Cut-off and checks', `\`npm run bench:cutoff\`\n\n${text}`);
}

async function withInstallation<T>(
  options: Partial<InstallationOptions> & { authorities: number; repositoryApis: number },
  work: (installation: Installation, customer: Customer, repositories: BenchRepository[]) => Promise<T>,
): Promise<T> {
  const dataDir = await mkdtemp(join(tmpdir(), 'latchkey-bench-'));
  say(`Starting ${options.authorities} authorities and ${options.repositoryApis} repository APIs…`);
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

/** Servers to one processor, everything else to the other. */
const processor = (name: string) => (/^(authority|repository-api)/.test(name) ? processors.server : processors.load);

/** With as many nodes as asked for, from the most to the fewest: those that are not needed any more are stopped. */
async function measureCutOff(installation: Installation, customer: Customer, repositories: BenchRepository[], rounds: number) {
  const refusing: Refusing[] = [];
  let regenerating: Regenerating | undefined;
  for (const count of nodeCounts.toReversed()) {
    const authorities = installation.of('authority');
    await Promise.all(authorities.slice(count).map((node) => node.process.stop()));
    refusing.unshift(await measureRefusing(authorities.slice(0, count), customer, repositories, rounds * 30));
    if (count === usualNodes) regenerating = await measureRegenerating(installation, customer, repositories[0]!, rounds * 60);
    say(`${count} nodes: measured`);
  }
  return { regenerating: regenerating!, refusing };
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

try {
  await main();
  process.exit(0);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exit(1);
}
