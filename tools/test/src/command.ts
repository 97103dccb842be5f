import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

/** The folder that holds the whole repository. */
export const root = join(import.meta.dirname, '../../..');

/** What to run, and for how long at most. */
export interface Command {
  /** The program of an npm package, or a path. Run by the Node that runs us. */
  script: string;
  args: string[];
  environment?: NodeJS.ProcessEnv;
  withinSeconds: number;
}

/** Runs programs one at a time, each with all that it starts, and ends them when they take too long. */
export class CommandRunner {
  interrupted = false;
  #current: ChildProcess | undefined;

  /**
   * @returns the exit code; undefined when it was ended for taking too long or because of a signal.
   */
  async run({ script, args, environment, withinSeconds }: Command): Promise<number | undefined> {
    if (this.interrupted) return undefined;
    // A process group of its own can be ended as a whole.
    const child = spawn(process.execPath, [join(root, script), ...args], {
      cwd: root,
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, ...environment },
      detached: true,
    });
    this.#current = child;
    const limit = setTimeout(() => {
      console.error(`${script} took more than ${withinSeconds} s and is ended.`);
      end(child);
    }, withinSeconds * 1_000);
    const [code] = (await once(child, 'exit')) as [number | null];
    clearTimeout(limit);
    this.#current = undefined;
    return code ?? undefined;
  }

  interrupt(): void {
    this.interrupted = true;
    if (this.#current) end(this.#current);
  }
}

const graceMillis = 5_000;

function end(child: ChildProcess): void {
  signalGroup(child, 'SIGTERM');
  setTimeout(() => signalGroup(child, 'SIGKILL'), graceMillis).unref();
}

function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, signal);
  } catch {
    // All of it has ended.
  }
}
