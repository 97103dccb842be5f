import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { Database, migrate } from '@latchkey/database';
import { startEmbeddedPostgres } from '@latchkey/database/embedded';
import { fill, makeBench, measureChanges, measureFile, measurePages, type FileBench, type Pair } from './content-bench.js';
import { describeMachine } from './machine.js';
import { writeSection } from './report.js';

/*
 * `npm run bench:repository-api`: what the content tree costs, beside plain SQL for the same rows. It measures the engine that
 * the repository API answers from, in this process. Prints its tables and writes them to docs/benchmarks.md.
 */

const usage = `npm run bench:repository-api -- [options]

  --nodes N       nodes of the large collection (1000000)
  --megabytes N   size of the large file (2048)
  --rounds N      interleaved rounds of which the median is taken (5)
  --no-write      print only; leave docs/benchmarks.md as it is
`;

const say = (line: string) => void process.stdout.write(`${line}\n`);

function describe(nodes: number, pages: Pair[], changes: Pair[], file: FileBench): string {
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
  ].join('\n');
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      nodes: { type: 'string', default: '1000000' },
      megabytes: { type: 'string', default: '2048' },
      rounds: { type: 'string', default: '5' },
      'no-write': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return say(usage);
  const [nodes, megabytes, rounds] = [values.nodes, values.megabytes, values.rounds].map(Number) as [number, number, number];
  if (!(nodes >= 1000 && megabytes >= 1 && rounds >= 1)) throw new Error('--nodes, --megabytes and --rounds must be numbers.');
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
    const text = describe(nodes, pages, changes, file);
    say(text);
    if (!values['no-write']) await writeSection('The content tree', `\`npm run bench:repository-api\`\n\n${text}`);
    await owner.end();
    await database.close();
  } finally {
    await server.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}

await main();
