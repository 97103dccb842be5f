import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Complaint } from './complaint.js';
import { openLogFile, worthShowing } from './log-file.js';
import type { ProcessRecords } from './process-records.js';

/** What the very first start makes and shows once. */
export interface FirstStart {
  ownerLink: string;
  credential: { tokenUrl: string; clientId: string; clientSecret: string; tenantApiUrl: string };
}

/** What a run of the setup program came to. */
export interface SetupResult {
  first: FirstStart | undefined;
  /** To be called once a person has been shown it: until then it is kept, in case we are killed. */
  shown(): Promise<void>;
}

/**
 * Runs the setup program, which brings the database to the present schema. Its answer goes to a file of mode 0600, not
 * to us, because it is given only once: if we die before it is shown, the next start shows it.
 *
 * @throws Complaint with the last thing that the program said.
 */
export async function runSetup(
  program: string,
  environment: NodeJS.ProcessEnv,
  dataDir: string,
  records: ProcessRecords,
  stop: AbortSignal,
): Promise<SetupResult> {
  const kept = join(dataDir, 'first-start.json');
  const output = join(dataDir, 'setup-output.json');
  await keepFirst(output, kept);
  await run(program, environment, output, join(dataDir, 'logs/setup.log'), records, stop);
  await keepFirst(output, kept);
  const first = await readFirst(kept);
  return { first, shown: () => rm(kept, { force: true }) };
}

async function run(
  program: string,
  environment: NodeJS.ProcessEnv,
  output: string,
  logPath: string,
  records: ProcessRecords,
  stop: AbortSignal,
): Promise<void> {
  const log = openLogFile(logPath);
  const descriptor = openSync(output, 'w', 0o600);
  const child = spawn(process.execPath, ['--enable-source-maps', program, '--json'], {
    env: environment,
    stdio: ['ignore', descriptor, log.descriptor],
    detached: true,
  });
  closeSync(descriptor);
  const kill = () => child.kill();
  stop.addEventListener('abort', kill);
  try {
    if (child.pid !== undefined) records.add('setup', child.pid);
    const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
    records.remove(child.pid!);
    stop.throwIfAborted();
    if (code === 0) return;
    const said = [...log.newLines(), ...(await readFile(output, 'utf8')).split('\n')].flatMap((line) => worthShowing(line) ?? []);
    throw new Complaint(`The database could not be set up (${signal ?? said.join(' ').slice(0, 600)}); see ${logPath}`);
  } finally {
    stop.removeEventListener('abort', kill);
    log.close();
  }
}

async function keepFirst(output: string, kept: string): Promise<void> {
  if (await readFirst(output)) await rename(output, kept);
  else await rm(output, { force: true });
}

async function readFirst(file: string): Promise<FirstStart | undefined> {
  try {
    return (JSON.parse(await readFile(file, 'utf8')) as { first: FirstStart | null }).first ?? undefined;
  } catch {
    return undefined; // None was given, or the program was ended before it had committed anything.
  }
}
