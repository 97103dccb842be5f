import { parseArgs } from 'node:util';
import { Notice, runBench, withSeeded } from './bench.js';
import { canPin, describeMachine, processorOf } from './machine.js';
import { probeArguments } from './probe.js';
import { table, writeSection } from './report.js';
import { Rounds } from './rounds.js';
import { codeRow } from './rows/code.js';
import { memoryRow } from './rows/memory.js';
import { portalRow } from './rows/portal.js';
import { provisioningRow } from './rows/provisioning.js';
import { regenerateRow } from './rows/regenerate.js';
import { repositoryApiRow } from './rows/repository-api.js';
import type { Bench, Line } from './rows/row.js';
import { tokenRow } from './rows/token.js';

/*
 * `npm run bench`: every goal of speed and size beside its yardstick, in the same run and by turns. Prints the table and writes
 * it to docs/benchmarks.md. What the content tree, sign-ins and the checks cost in detail, the other benchmarks say.
 */

/** Those that share an installation with many repositories and pinned servers, in the order in which they leave it usable. */
const shared = { memory: memoryRow, token: tokenRow, 'repository-api': repositoryApiRow, code: codeRow, provisioning: provisioningRow };
/** Several processes of one machine, which are not pinned. */
const spread = { regenerate: regenerateRow };
const alone = { portal: portalRow };
const rowNames = [...Object.keys(shared), ...Object.keys(spread), ...Object.keys(alone)];

const usage = `npm run bench -- [options]

  --row NAME         this row alone, and nothing is written; may be said again: ${rowNames.join(', ')}
  --repositories N   in the database (100000)
  --rounds N         interleaved rounds that count (5); more are measured on a machine that is shared
  --seconds N        length of each measurement of a load (2)
  --no-write         print only; leave docs/benchmarks.md as it is

About ten minutes on two quiet processors.
`;

const say = (line: string) => void process.stdout.write(`${line}\n`);

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      row: { type: 'string', multiple: true, default: [] },
      repositories: { type: 'string', default: '100000' },
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '2' },
      'no-write': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return say(usage);
  const [repositories, wanted, seconds] = [values.repositories, values.rounds, values.seconds].map(Number) as [number, number, number];
  if (!(repositories >= 300 && wanted >= 1 && seconds > 0))
    throw new Notice('--repositories must be a number from 300 on, --rounds from 1 on, and --seconds more than 0.');
  const unknown = values.row.filter((name) => !rowNames.includes(name));
  if (unknown.length > 0) throw new Notice(`There is no row ${unknown.join(', ')}: they are ${rowNames.join(', ')}.`);

  const rounds = new Rounds(wanted, say);
  const lines = await measure(values.row.length > 0 ? values.row : rowNames, { repositories, rounds, seconds });
  const text = describe(lines, rounds);
  say(`\n${text}`);
  if (!values['no-write'] && values.row.length === 0) await writeSection('All goals', `\`npm run bench\`\n\n${text}`, { first: true });
}

interface Sizes {
  repositories: number;
  rounds: Rounds;
  seconds: number;
}

async function measure(names: string[], { repositories, rounds, seconds }: Sizes): Promise<Line[]> {
  const lines: Line[] = [];
  const each = async <N extends string>(rows: Record<N, (bench: Bench) => Promise<Line[]>>, bench: Omit<Bench, keyof Sizes | 'say'>) => {
    for (const [name, row] of Object.entries<(bench: Bench) => Promise<Line[]>>(rows)) {
      if (!names.includes(name)) continue;
      const begun = performance.now();
      say(`${name}…`);
      lines.push(...(await row({ ...bench, rounds, seconds, say })));
      say(`${name}: measured in ${Math.round((performance.now() - begun) / 1_000)} s`);
    }
  };
  const wanted = (rows: object) => Object.keys(rows).some((name) => names.includes(name));
  if (wanted(shared))
    await withSeeded(
      {
        authorities: 1,
        repositoryApis: names.includes('repository-api') ? 1 : 0,
        nodeArguments: (name) => (name.startsWith('authority') ? ['--expose-gc', ...probeArguments] : []),
        ...(canPin ? { processor: processorOf } : {}),
      },
      { repositories },
      (installation, seeded) => each(shared, { installation, seeded }),
    );
  if (wanted(spread))
    await withSeeded({ authorities: 4, repositoryApis: 1 }, { repositories: 100 }, (installation, seeded) =>
      each(spread, { installation, seeded }),
    );
  if (names.includes('portal')) lines.push(...(await portalRow()));
  return lines;
}

function describe(lines: Line[], rounds: Rounds): string {
  const date = new Date().toISOString().slice(0, 10);
  const reached = (line: Line) => (line.reached === undefined ? '' : line.reached ? 'reached' : '**not reached**');
  return [
    `Measured on ${date} on ${describeMachine()}; medians of ${String(rounds)}.`,
    '',
    table(
      ['work', 'ours', 'yardstick', 'measured', 'goal', ''],
      lines.map((line) => [line.work, line.ours, line.yardstick, line.measured, line.goal, reached(line)]),
    ),
  ].join('\n');
}

await runBench(main);
