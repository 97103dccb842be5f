import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Complaint } from '@latchkey/start/command-line';
import type { Verdict } from './checker.js';
import { runFire, type FireOptions, type FireResult } from './fire.js';
import { Installation } from './installation.js';
import { parseOptions, usage, type Options } from './options.js';
import { describeResult } from './report.js';

/*
 * `npm run chaos`: the fire test. Starts the whole product on loopback with a PostgreSQL of its own, presents credentials
 * without pause while they are ended and processes suffer, and judges the history. Exit code 0: nothing was found; 1:
 * something was; 2: the run could not be carried out.
 */

const say = (line: string) => void process.stdout.write(`${line}\n`);
/** Starting, settling and judging take less than this, however long it burns. */
const overheadMillis = 240_000;

/** Faulty checks that the test must find; see `faulty/`. */
const faultyChecks = ['join-under-way', 'remember-answers'] as const;
/** Ends earlier, as soon as both are found. */
const proofSeconds = 90;

async function main(): Promise<number> {
  if (process.argv.includes('--help')) {
    say(usage);
    return 0;
  }
  const options = parseOptions(process.argv.slice(2));
  const stop = stopOnRequest(options);
  const parent = resolve(options.folder ?? tmpdir());
  await mkdir(parent, { recursive: true });
  const folder = await mkdtemp(join(parent, 'latchkey-chaos-'));
  say(`seed ${options.seed}`);
  const found = options.proveChecker ? await proveChecker(options, folder, stop) : await testProduct(options, folder, stop);
  if (found && !options.folder) await rm(folder, { recursive: true, force: true });
  else say(`History, logs and database: ${folder}`);
  return found ? 0 : 1;
}

/** @returns whether nothing was found. */
async function testProduct(options: Options, folder: string, stop: AbortSignal): Promise<boolean> {
  const { verdict, counts } = await burn(options, folder, stop, { seconds: options.seconds, faults: 'all' });
  if (options.report) await writeFile(options.report, JSON.stringify({ seed: options.seed, verdict, counts }, null, 2));
  say(describeResult({ verdict, counts }));
  return verdict.violations.length === 0;
}

/**
 * Runs with a check that is faulty at some processes, by turns, and sound at the others.
 *
 * @returns whether each faulty check was found out, and nothing else.
 */
async function proveChecker(options: Options, folder: string, stop: AbortSignal): Promise<boolean> {
  const checks = [...faultyChecks, 'sound'] as const;
  const checkOf = (node: string) => checks[(Number(/-(\d+)$/.exec(node)?.[1] ?? checks.length) - 1) % checks.length]!;
  const foundIn = ({ violations }: Verdict) => {
    const late = violations.filter(({ kind }) => kind === 'accepted-after-cut-off');
    return Object.fromEntries(
      checks.map((check) => [check, late.filter(({ presentation }) => checkOf(presentation.node) === check).length]),
    );
  };
  say(`With checks that are faulty on purpose: ${faultyChecks.join(', ')}`);
  const { verdict } = await burn(
    {
      ...options,
      authorities: Math.max(options.authorities, checks.length),
      repositoryApis: Math.max(options.repositoryApis, faultyChecks.length),
    },
    folder,
    stop,
    {
      seconds: proofSeconds,
      faults: 'held answers',
      checkOf,
      enough: (soFar) => faultyChecks.every((check) => foundIn(soFar)[check]! > 0),
    },
  );
  const found = foundIn(verdict);
  for (const check of checks) say(`${check}: ${found[check]} acceptances after the cut-off had answered`);
  if (options.report) await writeFile(options.report, JSON.stringify({ seed: options.seed, found }, null, 2));
  const all = checks.every((check) => (check === 'sound' ? found[check] === 0 : found[check]! > 0));
  say(all ? 'The checker found every faulty check.' : 'The checker missed a faulty check, or found one that is none.');
  return all;
}

async function burn(
  { seed, authorities, repositoryApis }: Options,
  folder: string,
  stop: AbortSignal,
  how: Pick<FireOptions, 'seconds' | 'faults' | 'enough'> & { checkOf?: (node: string) => string },
): Promise<FireResult> {
  const argumentsOf = (node: string) => {
    const check = how.checkOf?.(node) ?? 'sound';
    return check === 'sound' ? [] : ['--import', fileURLToPath(new URL(`faulty/${check}.js`, import.meta.url))];
  };
  const installation = await Installation.open({
    dataDir: folder,
    authorities,
    repositoryApis,
    linked: true,
    nodeArguments: argumentsOf,
    // What was compiled before need not be again at each of the many starts.
    environment: { NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] },
  });
  try {
    return await runFire(installation, { seed, ...how, historyFile: join(folder, 'history.ndjson'), say, stop });
  } finally {
    await installation.close();
  }
}

/** Ends by itself, whatever happens, and when asked to. */
function stopOnRequest({ seconds }: Options): AbortSignal {
  const stop = new AbortController();
  setTimeout(
    () => {
      say('The run did not end in time.');
      process.exit(2);
    },
    seconds * 1_000 + overheadMillis,
  ).unref();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'disconnect'] as const) process.on(signal, () => stop.abort());
  return stop.signal;
}

try {
  process.exit(await main());
} catch (error) {
  const expected = error instanceof Complaint;
  process.stderr.write(`${expected ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exit(2);
}
