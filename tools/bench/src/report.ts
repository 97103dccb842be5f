import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Refusing } from './refusing.js';
import type { Regenerating } from './regenerating.js';
import type { Throughput } from './throughput.js';

/** Everything that one run measured. */
export interface CutoffBench {
  date: string;
  machine: string;
  /** How many rounds count, and how quiet they were. */
  rounds: string;
  regenerating: Regenerating;
  refusing: Refusing[];
  /** With how many sets of processes loads were measured, and in how many rounds. */
  loads: string;
  throughput: Throughput[];
}

/** The run as Markdown: the same text that is printed and that `docs/benchmarks.md` keeps. */
export function describeBench({ date, machine, rounds, regenerating, refusing, loads, throughput }: CutoffBench): string {
  const { rows, regenerate, transaction } = regenerating;
  const millis = (value: number) => value.toFixed(1);
  const ratio = (value: number | undefined) => (value === undefined ? '–' : value.toFixed(2));
  return [
    `Measured on ${date} on ${machine}; ${rounds}.`,
    '',
    `**Regenerate**, from call to answer over HTTP, beside a bare transaction that writes as many rows (${rows.inserted} new, ${rows.updated} changed), by turns, with 4 authorities and a repository API running. Goal: p99 within 2 times.`,
    '',
    table(
      ['', 'p50 ms', 'p99 ms'],
      [
        ['regenerate', millis(regenerate.p50), millis(regenerate.p99)],
        ['bare transaction', millis(transaction.p50), millis(transaction.p99)],
        ['ratio', ratio(regenerate.p50 / transaction.p50), ratio(regenerate.p99 / transaction.p99)],
      ],
    ),
    '',
    '**Until every node has refused** the old secret, from the answer of the regeneration, presented to all at once over HTTP; all nodes share this machine. Goal for 4 nodes: 15 ms.',
    '',
    table(
      ['nodes', 'p50 ms', 'p99 ms', 'accepted after the answer'],
      refusing.map(({ nodes, p50, p99, accepted }) => [String(nodes), millis(p50), millis(p99), String(accepted)]),
    ),
    '',
    `**What the check costs**, medians over ${loads}; the ratio is to the same server without a check. Called by many tools in turn, each in a repository of its own, and by one. Goal: gathered at 64 connections at least 0.95. “Processor” is the server’s own time for a request: where the load or PostgreSQL is the bottleneck, that ratio is the one that tells.`,
    '',
    table(
      ['endpoint', 'connections', 'tools', 'check', 'requests/s', 'ratio', 'p50 ms', 'p99 ms', 'processor µs', 'processor ratio'],
      throughput.map((each) => [
        each.endpoint,
        String(each.connections),
        String(each.tools),
        each.variant,
        String(Math.round(each.perSecond)),
        ratio(each.ratio),
        each.p50Millis.toFixed(2),
        each.p99Millis.toFixed(2),
        each.processorMicros === undefined ? '–' : String(Math.round(each.processorMicros)),
        ratio(each.processorRatio),
      ]),
    ),
    '',
    ...goals(regenerating, refusing, throughput),
  ].join('\n');
}

function goals({ regenerate, transaction }: Regenerating, refusing: Refusing[], throughput: Throughput[]): string[] {
  const four = refusing.find(({ nodes }) => nodes === 4);
  const gathered = throughput.filter(({ variant, connections }) => variant === 'gathered' && connections === 64);
  const lines: [goal: string, reached: boolean][] = [
    ['regenerate p99 within 2 times a bare transaction', regenerate.p99 <= 2 * transaction.p99],
    ['4 nodes have refused within 15 ms of the answer (p99)', four !== undefined && four.p99 <= 15],
    ['nothing was accepted after the answer', refusing.every(({ accepted }) => accepted === 0)],
    ...gathered.map(({ endpoint, tools, ratio }): [string, boolean] => [
      `${endpoint}, ${tools === 1 ? 'one tool' : `${tools} tools`}: gathered checks at least 0.95 of none`,
      ratio >= 0.95,
    ]),
  ];
  return lines.map(([goal, reached]) => `- ${reached ? 'reached' : '**not reached**'}: ${goal}`);
}

/** A table in Markdown. */
export function table(head: string[], rows: string[][]): string {
  const line = (cells: string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

const benchmarks = fileURLToPath(new URL('../../../docs/benchmarks.md', import.meta.url));
const title = '# Benchmarks';
const preface = `${title}

Figures of small, shared machines: only ratios between things measured in the same run mean anything, and those are what the
goals are about. Each section is written by its program.
`;

/** Puts the run in its section of `docs/benchmarks.md`, and leaves the other sections as they are. */
export async function writeSection(
  heading: string,
  text: string,
  { file = benchmarks, first: comesFirst = false }: { file?: string; first?: boolean } = {},
): Promise<void> {
  const known = await readFile(file, 'utf8').catch(() => preface);
  const sections = known.split(/^(?=## )/m).filter((section) => !section.startsWith(`## ${heading}\n`));
  const [first = preface, ...others] = sections;
  const section = `## ${heading}\n\n${text}\n`;
  const rest = others.map((other) => other.trimEnd());
  // What one looks for first stays there, and the latest of the others comes after it.
  const firsts = comesFirst ? [] : rest.splice(0, rest[0]?.startsWith('## All goals\n') ? 1 : 0);
  await writeFile(file, [first.trimEnd(), ...firsts, section.trimEnd(), ...rest].join('\n\n') + '\n');
}
