import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import type { Installation } from '@latchkey/chaos/installation';
import { Pool } from 'undici';
import { runBench, withInstallation } from './bench.js';
import { tokenRequest, type BenchRepository, type Customer } from './customer.js';
import { canPin, describeMachine, processorOf, processors } from './machine.js';
import { Person } from './person.js';
import { table, writeSection } from './report.js';
import { median, quantile } from './statistics.js';

/*
 * `npm run bench:authority`: what many repositories cost one authority, and how fast people sign in. Prints its tables and
 * writes them to docs/benchmarks.md.
 */

const usage = `npm run bench:authority -- [options]

  --repositories N  repositories on the one authority (200)
  --seconds N       length of each measurement of sign-ins (5)
  --no-write        print only; leave docs/benchmarks.md as it is
`;

const say = (line: string) => void process.stdout.write(`${line}\n`);
const rounds = 3;
/** Who signs in at once: as many as there are threads that hash. */
const people = 4;
const password = 'correct horse battery staple';

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      repositories: { type: 'string', default: '200' },
      seconds: { type: 'string', default: '5' },
      'no-write': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return say(usage);
  const [repositoryCount, seconds] = [values.repositories, values.seconds].map(Number) as [number, number];
  if (!(repositoryCount >= 10 && seconds >= 1)) throw new Error('--repositories must be a number from 10 on, --seconds from 1 on.');
  const text = await withInstallation(
    { authorities: 1, repositoryApis: 0, repositoryCount, ...(canPin ? { processor: processorOf } : {}) },
    async (installation, customer, repositories) => {
      const many = await measureMany(installation, repositories);
      say('repositories: measured');
      return [...many, '', ...(await measureSignIns(installation, customer, repositories[0]!, seconds))].join('\n');
    },
  );
  const date = new Date().toISOString().slice(0, 10);
  const whole = `Measured on ${date} on ${describeMachine()}.\n\n${text}`;
  say(`\n${whole}`);
  if (!values['no-write']) await writeSection('Many repositories and sign-ins', `\`npm run bench:authority\`\n\n${whole}`);
}

/** Goes to every repository's sign-in page, cold and then hot, and sees how the authority grows. */
async function measureMany(installation: Installation, repositories: BenchRepository[]): Promise<string[]> {
  const [node] = installation.of('authority');
  const pool = new Pool(node!.origin, { connections: 1 });
  const visit = async (repository: BenchRepository) => {
    const begun = performance.now();
    await new Person(pool, repository).openSignIn();
    return performance.now() - begun;
  };
  const times = async (of: BenchRepository[]) => {
    const sample: number[] = [];
    for (const repository of of) sample.push(await visit(repository));
    return sample;
  };
  // What the first requests of all cost, code that is compiled above all, is not what one more repository costs.
  const [first, others] = [repositories.slice(0, 5), repositories.slice(5)];
  for (let i = 0; i < 40; i++) await times(first);
  const memory = () => residentKilobytes(node!.process.pid);
  const before = memory();
  const cold = await times(others);
  const after = memory();
  const hot = await times(others);
  for (const repository of others)
    await (await pool.request({ ...tokenRequest(repository), body: 'grant_type=client_credentials' })).body.dump();
  await pool.destroy();
  const millis = (sample: number[]) => [quantile(sample, 0.5), quantile(sample, 0.99)].map((value) => value.toFixed(1));
  const growth = before === undefined || after === undefined ? '–' : `${Math.round((after - before) / others.length)} KB`;
  return [
    `**${repositories.length} repositories on one authority.** The way to the sign-in page, from the app's link over the redirect to the form, one after the other.`,
    '',
    table(
      ['', 'p50 ms', 'p99 ms'],
      [
        ['first visit of a repository', ...millis(cold)],
        ['second visit', ...millis(hot)],
      ],
    ),
    '',
    `Resident memory of the authority for each repository that became hot: ${growth} (${before === undefined ? '–' : Math.round(before / 1024)} MB before, ${after === undefined ? '–' : Math.round(after / 1024)} MB after).`,
  ];
}

/** Whole sign-ins, from the form to the code, beside the hash that they cannot do without, on the same processor. */
async function measureSignIns(
  installation: Installation,
  customer: Customer,
  repository: BenchRepository,
  seconds: number,
): Promise<string[]> {
  for (let i = 0; i < people; i++) await customer.createUser(repository, `person-${i}`, password);
  const pool = new Pool(installation.of('authority')[0]!.origin, { connections: people });
  const signIns = async () => {
    const begun = performance.now();
    const deadline = begun + seconds * 1_000;
    let count = 0;
    const one = async (_: unknown, index: number) => {
      while (performance.now() < deadline) {
        const person = new Person(pool, repository);
        await person.signIn(await person.openSignIn(), `person-${index}`, password);
        count++;
      }
    };
    await Promise.all(Array.from({ length: people }, one));
    return count / ((performance.now() - begun) / 1_000);
  };
  const sample = { signIns: [] as number[], hashes: [] as number[] };
  await signIns();
  for (let round = 0; round < rounds; round++) {
    sample.hashes.push(await bareHashes(seconds));
    sample.signIns.push(await signIns());
    say(`sign-ins, round ${round + 1}: measured`);
  }
  await pool.destroy();
  const ratio = median(sample.signIns.map((each, round) => each / sample.hashes[round]!));
  return [
    `**Sign-ins**, ${people} people at once, from the app's link to the code, beside bare argon2id hashes of the same cost on the same processor; medians of ${rounds} interleaved rounds.`,
    '',
    table(
      ['', 'each second'],
      [
        ['sign-ins', median(sample.signIns).toFixed(1)],
        ['bare hashes', median(sample.hashes).toFixed(1)],
        ['ratio', ratio.toFixed(2)],
      ],
    ),
  ];
}

async function bareHashes(seconds: number): Promise<number> {
  const program = [process.execPath, fileURLToPath(new URL('bare-hash.js', import.meta.url)), String(seconds)];
  const [command, ...args] = canPin ? ['taskset', '--cpu-list', String(processors.server), ...program] : program;
  const { stdout } = await promisify(execFile)(command!, args);
  return Number(stdout);
}

/** What a process holds in memory; undefined where there is no /proc. */
function residentKilobytes(pid: number | undefined): number | undefined {
  try {
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
  } catch {
    return undefined;
  }
}

await runBench(main);
