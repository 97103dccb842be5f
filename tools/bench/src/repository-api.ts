import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { Database, migrate } from '@latchkey/database';
import { startEmbeddedPostgres } from '@latchkey/database/embedded';
import { fill, makeBench, measureChanges, measureFile, measurePages, type FileBench, type Pair } from './content-bench.js';
import { runBench, withInstallation } from './bench.js';
import { canPin, describeMachine, processorOf } from './machine.js';
import { measureReads, type Reads } from './reads.js';
import { table, writeSection } from './report.js';
import { Rounds } from './rounds.js';

/*
 * `npm run bench:repository-api`: what the content tree costs, beside plain SQL for the same rows, measured on the engine that
 * the repository API answers from, in this process; and what a token and an API key cost a read over HTTP, on the product.
 * Prints its tables and writes them to docs/benchmarks.md.
 */

const usage = `npm run bench:repository-api -- [options]

  --nodes N       nodes of the large collection (1000000)
  --megabytes N   size of the large file (2048)
  --rounds N      interleaved rounds of which the median is taken (5)
  --seconds N     length of each measurement of reads over HTTP (5)
  --no-write      print only; leave docs/benchmarks.md as it is
`;

const say = (line: string) => void process.stdout.write(`${line}\n`);

function describe(nodes: number, pages: Pair[], changes: Pair[], file: FileBench, reads: Reads[], rounds: Rounds): string {
  const rows = (pairs: Pair[]) =>
    pairs.map(({ what, ours, plain }) => `| ${what} | ${ours.toFixed(1)} | ${plain.toFixed(1)} | ${(ours / plain).toFixed(2)} |`);
  return [
    `Measured on ${new Date().toISOString().slice(0, 10)} on ${describeMachine().replace(/; for loads.*$/, '')}.`,
    '',
    `**A page of 100 out of ${nodes.toLocaleString('en')} nodes**, with permissions, as a person who is no administrator, beside plain SQL of the owner for the same rows. Goal: within 2 times.`,
    '',
    '| | ms | plain SQL ms | ratio |',
    '| --- | --- | --- | --- |',
    ...rows(pages),
    '',
    '**Changes**, each one transaction.',
    '',
    '| | ms | plain SQL ms | ratio |',
    '| --- | --- | --- | --- |',
    ...rows(changes),
    '',
    `**A file of ${file.megabytes} MB** went up in ${file.upSeconds.toFixed(0)} s and came down in ${file.downSeconds.toFixed(0)} s; the process grew by ${file.grownMegabytes.toFixed(0)} MB at most.`,
    '',
    `**One small read over HTTP**, on one node, of a content that everyone may read: with a token and with an API key, beside the same read without either, by turns: medians of ${String(rounds)}. Goal: at least 0.80 of the anonymous one.`,
    '',
    table(
      ['', 'connections', 'each second', 'p50 ms', 'to anonymous'],
      reads.map(({ reader, connections, perSecond, p50Millis, ratio }) => [
        reader,
        String(connections),
        perSecond.toFixed(0),
        p50Millis.toFixed(2),
        ratio.toFixed(2),
      ]),
    ),
  ].join('\n');
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      nodes: { type: 'string', default: '1000000' },
      megabytes: { type: 'string', default: '2048' },
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '5' },
      'no-write': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return say(usage);
  const numbers = [values.nodes, values.megabytes, values.rounds, values.seconds].map(Number);
  const [nodes, megabytes, rounds, seconds] = numbers as [number, number, number, number];
  if (!(nodes >= 1000 && megabytes >= 1 && rounds >= 1 && seconds >= 1))
    throw new Error('--nodes must be a number from 1000 on, --megabytes, --rounds and --seconds from 1 on.');
  const readRounds = new Rounds(rounds, say);
  const reads = await withInstallation(
    { authorities: 1, repositoryApis: 1, repositoryCount: 1, ...(canPin ? { processor: processorOf } : {}) },
    (installation, customer, repositories) =>
      measureReads(installation, customer, repositories[0]!, { connections: [1, 16], rounds: readRounds, seconds, say }),
  );
  const dataDir = await mkdtemp(join(tmpdir(), 'latchkey-bench-'));
  const server = await startEmbeddedPostgres({ dataDir });
  try {
    await migrate(server.url);
    const database = await Database.connect({ url: server.url });
    const owner = new pg.Client({ connectionString: server.url, options: '-c search_path=latchkey' });
    await owner.connect();
    const bench = await makeBench(database, owner);
    say('filling…');
    const folder = await fill(bench, 'large', nodes);
    const pages = await measurePages(bench, folder, rounds);
    const changes = await measureChanges(bench, rounds);
    const file = await measureFile(bench, megabytes);
    const text = describe(nodes, pages, changes, file, reads, readRounds);
    say(text);
    if (!values['no-write']) await writeSection('The content tree', `\`npm run bench:repository-api\`\n\n${text}`);
    await owner.end();
    await database.close();
  } finally {
    await server.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}

await runBench(main);
