import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { Complaint } from './complaint.js';
import { openLogFile, worthShowing, type LogFile } from './log-file.js';
import type { PlannedProcess } from './plan.js';
import type { ProcessRecords } from './process-records.js';

/** What all processes of one launcher have in common. */
export interface Surroundings {
  /** Finds an app's compiled entry point. */
  entryOf: (app: string) => string;
  environment: NodeJS.ProcessEnv;
  logFolder: string;
  records: ProcessRecords;
  say: (line: string) => void;
}

/** Pauses before each further attempt; a process that ran for a minute begins anew with the first. */
const pausesMillis = [100, 1_000, 2_000, 5_000, 10_000];
const attemptsBeforeServing = 3;
const steadyMillis = 60_000;
const readyWithinMillis = 120_000;
const stopWithinMillis = 7_000;
const linesShownAtOnce = 5;

/** An app's process that is started again when it ends by itself. */
export class SupervisedProcess {
  readonly #planned: PlannedProcess;
  readonly #surroundings: Surroundings;
  readonly #log: LogFile;
  readonly #reader: NodeJS.Timeout;
  #child: ChildProcess | undefined;
  #ended: Promise<void> = Promise.resolve();
  #stopping = false;
  #renewing = false;
  #failures = 0;
  #served = false;
  #lastWords = 'it said nothing';
  #shownLast = '';

  constructor(planned: PlannedProcess, surroundings: Surroundings) {
    this.#planned = planned;
    this.#surroundings = surroundings;
    this.#log = openLogFile(join(surroundings.logFolder, `${planned.name}.log`));
    this.#reader = setInterval(() => this.#showErrors(), 300).unref();
    this.#spawn();
  }

  /**
   * Resolves when the process says that it and everything it needs are there.
   *
   * @throws Complaint when it keeps ending, or takes too long.
   */
  async ready(): Promise<void> {
    const { name } = this.#planned;
    for (const start = Date.now(); !this.#stopping; await wait(150)) {
      const state = await readiness(this.#planned.port);
      if (state === 'ready') {
        this.#served = true;
        return;
      }
      if (this.#failures >= attemptsBeforeServing)
        throw new Complaint(`${name} does not start: ${this.#lastWords} (see ${this.#log.path})`);
      if (Date.now() - start > readyWithinMillis)
        throw new Complaint(`${name} was not ready within ${readyWithinMillis / 1_000} s: ${state} (see ${this.#log.path})`);
    }
  }

  /** Lets it finish what is under way; kills it when that takes too long. */
  async stop(): Promise<void> {
    this.#stopping = true;
    const child = this.#child;
    // By the end of the channel it learns that nobody is left to hand its clients over to.
    if (child?.connected) child.disconnect();
    setTimeout(() => child?.kill('SIGTERM'), 100).unref();
    await this.#end();
    clearInterval(this.#reader);
    this.#showErrors();
    this.#log.close();
  }

  /**
   * Ends it, having it hand its clients over to the others of its kind, and starts it anew. Resolves when it serves.
   *
   * @throws Complaint when it does not come back; it is then tried again and again, as after any other end.
   */
  async renew(): Promise<void> {
    this.#renewing = true;
    this.#child?.kill('SIGTERM');
    await this.#end();
    this.#renewing = false;
    if (this.#stopping) return;
    this.#failures = 0;
    this.#spawn();
    await this.ready();
  }

  /** Resolves when it has ended; kills it when that takes too long. */
  async #end(): Promise<void> {
    const child = this.#child;
    const impatience = setTimeout(() => {
      this.#surroundings.say(`${this.#planned.name} did not stop in time and was killed`);
      child?.kill('SIGKILL');
    }, stopWithinMillis);
    await this.#ended;
    clearTimeout(impatience);
  }

  #spawn(): void {
    const { name, app, environment } = this.#planned;
    const { entryOf, records } = this.#surroundings;
    const { descriptor } = this.#log;
    const begun = Date.now();
    // A process group of its own, so that Ctrl-C reaches the launcher alone; a channel, so that it notices our death.
    const child = spawn(process.execPath, ['--enable-source-maps', entryOf(app)], {
      env: { ...this.#surroundings.environment, ...environment },
      stdio: ['ignore', descriptor, descriptor, 'ipc'],
      detached: true,
    });
    this.#child = child;
    if (child.pid !== undefined) records.add(name, child.pid);
    this.#ended = new Promise((resolve) => {
      const end = (reason: string) => {
        if (child.pid !== undefined) records.remove(child.pid);
        resolve();
        if (!this.#stopping && !this.#renewing) void this.#restart(reason, Date.now() - begun);
      };
      child.once('error', (error) => child.pid === undefined && end(error.message));
      child.once('exit', (code, signal) => end(signal ?? `exit code ${code}`));
    });
  }

  async #restart(reason: string, livedMillis: number): Promise<void> {
    this.#showErrors();
    this.#failures = livedMillis > steadyMillis ? 1 : this.#failures + 1;
    if (!this.#served && this.#failures >= attemptsBeforeServing) return;
    const { name } = this.#planned;
    const pause = pausesMillis[Math.min(this.#failures, pausesMillis.length) - 1]!;
    const ended = this.#child;
    this.#surroundings.say(`${name} ended (${reason}); starting it again${pause >= 1_000 ? ` in ${pause / 1_000} s` : ''}`);
    await wait(pause);
    // A renewal may have started it meanwhile.
    if (this.#stopping || this.#child !== ended) return;
    this.#spawn();
    if (!this.#served) return; // Whoever awaits `ready` tells.
    const child = this.#child;
    while (child === this.#child && !this.#stopping && (await readiness(this.#planned.port)) !== 'ready') await wait(100);
    if (child === this.#child && !this.#stopping) this.#surroundings.say(`${name} serves again`);
  }

  #showErrors(): void {
    const shown = this.#log.newLines().flatMap((line) => worthShowing(line) ?? []);
    if (shown.length > 0) this.#lastWords = summary(shown);
    // What ends in the same way again and again is shown once.
    if (shown.join('\n') === this.#shownLast) return;
    if (shown.length > 0) this.#shownLast = shown.join('\n');
    const { name } = this.#planned;
    for (const line of shown.slice(0, linesShownAtOnce)) this.#surroundings.say(`${name}: ${line}`);
    if (shown.length > linesShownAtOnce)
      this.#surroundings.say(`${name}: … ${shown.length - linesShownAtOnce} lines more in ${this.#log.path}`);
  }
}

/** Of a crash, which shows a stack, the line that names the error; of anything else the beginning. */
function summary(lines: string[]): string {
  const error = lines.find((line) => /^\s*\w*error\b/i.test(line));
  return (error ?? lines.slice(0, 4).join(' ')).trim().replace(/\s+/g, ' ').slice(0, 500);
}

/** `ready`, or what the process says instead. */
async function readiness(port: number): Promise<string> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/readyz`, { signal: AbortSignal.timeout(2_000) });
    const body = await response.text();
    return response.ok ? 'ready' : body.slice(0, 300);
  } catch {
    return 'it does not answer';
  }
}
