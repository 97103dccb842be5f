import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Installation } from '@latchkey/chaos/installation';
import { runBench, withInstallation } from './bench.js';
import type { BenchRepository, Customer } from './customer.js';
import { canPin, describeMachine, pin, processorOf, processors } from './machine.js';
import { measureRefusing, type Refusing } from './refusing.js';
import { measureRegenerating, type Regenerating } from './regenerating.js';
import { describeBench, writeSection } from './report.js';
import { Rounds } from './rounds.js';
import { measureThroughput, throughputOf, variants, type Load, type Loaded, type Variant } from './throughput.js';

/*
 * `npm run bench:cutoff`: what a cut-off and the checks behind it cost. Prints its table and writes it to
 * docs/benchmarks.md. Three kinds of servers run in it; those without a check, or with one that is not gathered, are made so
 * by a module that only this program loads before the app's (`variants/`).
 */

const usage = `npm run bench:cutoff -- [options]

  --rounds N    interleaved rounds that count (15), of loads about as many; more are measured on a machine that is shared
  --seconds N   length of each measurement of a load (1): the shorter, the more alike the machine is for all in a round
  --no-write    print only; leave docs/benchmarks.md as it is
`;

const say = (line: string) => void process.stdout.write(`${line}\n`);

const repositoryCount = 100;
/** Many tools, about which a check has as much to ask, and one that is busy, as when a customer's data are taken over. */
const loads: Load[] = [
  { connections: 1, tools: repositoryCount },
  { connections: 64, tools: repositoryCount },
  { connections: 64, tools: 1 },
];
/**
 * Two processes of one program differ by up to a twentieth for as long as they live, most of all in how much of it V8 has compiled
 * by then: so loads are measured with several of each, and each variant is the first process once.
 */
const processSets = variants.map((_, set) => [...variants.slice(set), ...variants.slice(0, set)]);
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

function argumentsOf(name: string, order: readonly Variant[]): string[] {
  const number = Number(/-(\d+)$/.exec(name)?.[1] ?? 0);
  return number > 0 ? programOf[order[number - 1]!] : [];
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '15' },
      seconds: { type: 'string', default: '1' },
      'no-write': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return say(usage);
  const [wanted, seconds] = [values.rounds, values.seconds].map(Number) as [number, number];
  if (!(wanted >= 1 && seconds >= 0.2)) throw new Error('--rounds must be a number from 1 on, --seconds from 0.2 on.');

  const rounds = new Rounds(wanted, say);
  const { regenerating, refusing } = await withInstallation(
    { authorities: Math.max(...nodeCounts), repositoryApis: 1, repositoryCount },
    (all, customer, repositories) => measureCutOff(all, customer, repositories, rounds),
  );
  await pin(process.pid, processors.load);
  const loaded: Loaded[][] = [];
  const setRounds = new Rounds(Math.ceil(wanted / processSets.length), say);
  for (const order of processSets) {
    say(`Loads, with set ${loaded.length + 1} of ${processSets.length} of processes`);
    const options = {
      authorities: variants.length,
      repositoryApis: variants.length,
      repositoryCount,
      nodeArguments: (name: string) => argumentsOf(name, order),
      ...(canPin ? { processor: processorOf } : {}),
    };
    loaded.push(
      await withInstallation(options, (all, customer, repositories) =>
        measureThroughput(all, customer, repositories, { order, loads, rounds: setRounds, seconds, say }),
      ),
    );
  }

  const date = new Date().toISOString().slice(0, 10);
  const text = describeBench({
    date,
    machine: describeMachine(),
    rounds: String(rounds),
    regenerating,
    refusing,
    loads: `${processSets.length} sets of processes, each in ${String(setRounds)}`,
    throughput: throughputOf(loaded),
  });
  say(`\n${text}`);
  if (!values['no-write']) await writeSection('Cut-off and checks', `\`npm run bench:cutoff\`\n\n${text}`);
}

/** With as many nodes as asked for, from the most to the fewest: those that are not needed any more are stopped. */
async function measureCutOff(installation: Installation, customer: Customer, repositories: BenchRepository[], rounds: Rounds) {
  const refusing: Refusing[] = [];
  let regenerating: Regenerating | undefined;
  for (const count of nodeCounts.toReversed()) {
    const authorities = installation.of('authority');
    await Promise.all(authorities.slice(count).map((node) => node.process.stop()));
    refusing.unshift(await measureRefusing(authorities.slice(0, count), customer, repositories, rounds));
    if (count === usualNodes) regenerating = await measureRegenerating(installation, customer, repositories[0]!, rounds);
    say(`${count} nodes: measured`);
  }
  return { regenerating: regenerating!, refusing };
}

await runBench(main);
