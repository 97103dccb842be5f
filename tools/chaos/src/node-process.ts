import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';

/** How a process is started, each time. */
export interface ProcessPlan {
  name: string;
  /** What comes before the program: `taskset`, options of Node. */
  command: string;
  args: string[];
  environment: NodeJS.ProcessEnv;
  logFile: string;
  /** Where it says whether it is ready. */
  port: number;
}

const restartMillis = 100;
const stopWithinMillis = 8_000;

/** A process of the product that is started again whenever it ends, and to which bad things can be done. */
export class NodeProcess {
  readonly #plan: ProcessPlan;
  #child: ChildProcess;
  #stopping = false;
  /** How often it was started. */
  starts = 0;

  constructor(plan: ProcessPlan) {
    this.#plan = plan;
    this.#child = this.#spawn();
  }

  get name(): string {
    return this.#plan.name;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** @throws when it is not ready in time. */
  async ready(withinMillis = 60_000): Promise<void> {
    const deadline = performance.now() + withinMillis;
    while (!(await isReady(this.#plan.port))) {
      if (performance.now() > deadline) throw new Error(`${this.name} was not ready within ${withinMillis} ms; ${await this.#state()}`);
      await wait(50);
    }
  }

  /** What can be told of it: the folder of its log may be gone when somebody reads this. */
  async #state(): Promise<string> {
    const log = await readFile(this.#plan.logFile, 'utf8').catch(String);
    const running = isRunning(this.#child) ? `runs as ${this.pid}` : 'does not run';
    return `it ${running}, was started ${this.starts} times, and last wrote:\n${log.slice(-2_000)}`;
  }

  /** SIGKILL: nothing is finished and nothing is said. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (!isRunning(child)) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  /**
   * SIGSTOP, and SIGCONT after so long: as when a machine hangs or is moved. A process of its own does both, so that nothing
   * is left stopped if we are killed meanwhile.
   */
  async pause(millis: number): Promise<void> {
    if (this.pid === undefined) return;
    const script = 'kill -STOP "$1" && sleep "$2"; kill -CONT "$1"';
    const helper = spawn('sh', ['-c', script, 'pause', String(this.pid), String(millis / 1_000)], { stdio: 'ignore', detached: true });
    await once(helper, 'exit');
  }

  /** Lets it finish what is under way; it is not started again. */
  async stop(): Promise<void> {
    this.#stopping = true;
    const child = this.#child;
    if (!isRunning(child)) return;
    const ended = once(child, 'exit');
    child.kill('SIGCONT');
    child.kill('SIGTERM');
    const impatience = setTimeout(() => child.kill('SIGKILL'), stopWithinMillis);
    await ended;
    clearTimeout(impatience);
  }

  #spawn(): ChildProcess {
    const { command, args, environment, logFile } = this.#plan;
    this.starts++;
    const log = openSync(logFile, 'a', 0o600);
    // By the channel it notices when we are gone, and ends.
    const child = spawn(command, args, { env: environment, stdio: ['ignore', log, log, 'ipc'], detached: true });
    closeSync(log);
    child.on('error', () => undefined);
    child.once('exit', () => void this.#startAgain());
    return child;
  }

  async #startAgain(): Promise<void> {
    await wait(restartMillis);
    if (!this.#stopping) this.#child = this.#spawn();
  }
}

const isRunning = (child: ChildProcess) => child.pid !== undefined && child.exitCode === null && child.signalCode === null;

async function isReady(port: number): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/readyz`, { signal: AbortSignal.timeout(2_000) });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}
