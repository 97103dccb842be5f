import { existsSync } from 'node:fs';
import { access, constants, mkdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { banner, firstStartNotice } from './banner.js';
import { aboutFiles } from './complaint.js';
import { reserveCredentialsFile, type CredentialsFile } from './credentials-file.js';
import { keepDatabase } from './database.js';
import { keepSecrets } from './kept-secrets.js';
import { lockFolder } from './lock.js';
import type { Options } from './options.js';
import { commonEnvironment, loginUrl, plan, refuseMakeshiftProduction, refuseWrongAddresses } from './plan.js';
import { requireFreePorts } from './ports.js';
import { ProcessRecords } from './process-records.js';
import { renewal } from './renewal.js';
import { runSetup, type SetupResult } from './setup.js';
import { SupervisedProcess } from './supervised-process.js';

/** Where the launcher finds the apps, what it was started with, and how it speaks. */
export interface Launch {
  options: Options;
  /** The environment of the person who starts us. */
  outer: NodeJS.ProcessEnv;
  /** Holds one folder for each app. */
  appsFolder: string;
  say: (line: string) => void;
  /** Raised when everything is to stop. */
  stop: AbortSignal;
  /** Gets what starts the apps anew, once they serve. */
  onceServing: (renew: () => void) => void;
}

/**
 * Brings everything up, says so, and returns when it has all been stopped again.
 *
 * @throws Complaint or EmbeddedPostgresError, with everything stopped, when it cannot come up.
 */
export async function start(launch: Launch): Promise<void> {
  refuseMakeshiftProduction(launch.outer);
  refuseWrongAddresses(launch.outer);
  const opened: (() => unknown)[] = [];
  try {
    await bringUp(launch, opened);
    await new Promise((resolve) => (launch.stop.aborted ? resolve(undefined) : launch.stop.addEventListener('abort', resolve)));
  } catch (error) {
    if (!launch.stop.aborted) throw error;
  } finally {
    for (const close of opened.reverse()) await close();
  }
}

/** @param opened gets what must be closed, newest last; it is complete even when this throws half-way. */
async function bringUp(launch: Launch, opened: (() => unknown)[]): Promise<void> {
  const { options, outer, say, stop } = launch;
  const begun = performance.now();
  const planned = plan(options, outer);
  const credentialsFile = options.credentialsFile === undefined ? undefined : await reserveCredentialsFile(options.credentialsFile);
  opened.push(() => credentialsFile?.discard());

  const dataDir = await makeDataDir(options.dataDir);
  const lock = await lockFolder(dataDir);
  opened.push(() => lock.release());
  stop.addEventListener('abort', () => lock.announceStop());
  const records = new ProcessRecords(join(dataDir, 'processes.json'));
  opened.push(() => records.close());
  const leftovers = await records.endLeftovers();
  if (leftovers.length > 0) say(`waited for what an earlier start had left running: ${leftovers.join(', ')}`);
  await requireFreePorts(planned.ports, records.afterKill ? stop : undefined);

  const secrets = await keepSecrets(dataDir, existsSync(join(dataDir, 'postgres/cluster')));
  stop.throwIfAborted();
  const ownerUrl = outer['DATABASE_OWNER_URL'] || outer['DATABASE_URL'] || (await openDatabase(dataDir, say, opened));
  const databaseUrl =
    outer['DATABASE_OWNER_URL'] && outer['DATABASE_URL'] ? outer['DATABASE_URL'] : loginUrl(ownerUrl, secrets.loginPassword);
  const environment = commonEnvironment(outer, options, planned, secrets, databaseUrl);
  stop.throwIfAborted();

  const entryOf = (app: string, program = 'main') => join(launch.appsFolder, app, `dist/${program}.js`);
  const setup = await runSetup(entryOf('tenant-api', 'setup'), { ...environment, DATABASE_OWNER_URL: ownerUrl }, dataDir, records, stop);
  opened.push(() => showFirst(setup, say)); // Whatever becomes of the apps, these secrets exist and are shown.
  await writeCredential(setup, credentialsFile);

  const portalFolder = join(launch.appsFolder, 'portal/dist');
  const portal = existsSync(join(portalFolder, 'index.html'));
  const forApps = portal ? { ...environment, PORTAL_DIR: portalFolder } : environment;
  const surroundings = { entryOf, environment: forApps, logFolder: join(dataDir, 'logs'), records, say };
  const processes = planned.processes.map((process) => new SupervisedProcess(process, surroundings));
  opened.push(() => Promise.all(processes.map((process) => process.stop())));
  await untilStopped(Promise.all(processes.map((process) => process.ready())), stop);

  say(`\n${banner(planned.urls, { portal, data: options.dataDir, mail: environment['MAIL_DIR'] }, (performance.now() - begun) / 1_000)}`);
  await showFirst(setup, say);
  launch.onceServing(renewal(processes, say, stop));
}

async function makeDataDir(folder: string): Promise<string> {
  try {
    await mkdir(join(folder, 'logs'), { recursive: true, mode: 0o700 });
    await access(folder, constants.W_OK);
    return await realpath(folder);
  } catch (error) {
    throw aboutFiles(error, folder);
  }
}

async function openDatabase(dataDir: string, say: (line: string) => void, opened: (() => unknown)[]): Promise<string> {
  const database = await keepDatabase(dataDir, say);
  opened.push(() => database.stop());
  return database.ownerUrl;
}

async function writeCredential({ first }: SetupResult, file: CredentialsFile | undefined): Promise<void> {
  if (first && file) await file.write(first.credential);
}

async function showFirst(setup: SetupResult, say: (line: string) => void): Promise<void> {
  if (!setup.first) return;
  say(firstStartNotice(setup.first));
  setup.first = undefined;
  await setup.shown();
}

function untilStopped(work: Promise<unknown>, stop: AbortSignal): Promise<unknown> {
  const stopped = new Promise((_, reject) => {
    if (stop.aborted) reject(stop.reason as Error);
    stop.addEventListener('abort', () => reject(stop.reason as Error));
  });
  stopped.catch(() => {});
  work.catch(() => {}); // When the stop comes first, nobody asks for the work any more.
  return Promise.race([work, stopped]);
}
