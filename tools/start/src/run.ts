import { EmbeddedPostgresError } from '@latchkey/database/embedded';
import { aboutFiles, Complaint } from './complaint.js';
import { parseOptions, usage } from './options.js';
import { start } from './start.js';

/** Everything is told to stop within less than this; a person is promised 10 s. */
const hardDeadlineMillis = 9_700;

/**
 * The whole program: reads the options, brings the system up and keeps it up until SIGINT, SIGTERM or the end of the
 * process that started us, then exits 0. What a person can put right is one line on standard error, and exit code 1.
 */
export async function run(appsFolder: string, args: string[]): Promise<never> {
  if (args.includes('--help')) {
    process.stdout.write(usage);
    process.exit(0);
  }
  const stop = stopOnRequest();
  const onceServing = renewOnRequest();
  let dataDir = '';
  try {
    const options = parseOptions(args);
    ({ dataDir } = options);
    await start({ options, outer: process.env, appsFolder, say: (line) => void process.stdout.write(`${line}\n`), stop, onceServing });
    process.exit(0);
  } catch (thrown) {
    const error = aboutFiles(thrown, dataDir);
    const expected = error instanceof Complaint || error instanceof EmbeddedPostgresError;
    process.stderr.write(
      `${expected ? error.message : `Latchkey could not start: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`}\n`,
    );
    process.exit(1);
  }
}

/** SIGUSR2 before everything serves is passed over. */
function renewOnRequest(): (renew: () => void) => void {
  let renew = () => {};
  process.on('SIGUSR2', () => renew());
  return (what) => void (renew = what);
}

function stopOnRequest(): AbortSignal {
  const stop = new AbortController();
  const request = () => {
    if (stop.signal.aborted) return; // Ctrl-C comes twice: from the terminal, and passed on by whoever started us.
    process.stdout.write('Stopping…\n');
    stop.abort();
    setTimeout(() => process.exit(0), hardDeadlineMillis).unref();
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, request);
  process.on('disconnect', request);
  if ('connected' in process && !process.connected) request();
  // Whoever read our output may be gone before us; that is no reason to leave the apps alone.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  return stop.signal;
}
