import { ConfigError } from './config.js';
import { redact } from './log.js';

/**
 * Runs what a process was started for. What keeps it from starting goes to standard error, without anything that is shaped like
 * a secret, and ends the process with 1: faults of the configuration in their own words, everything else with its stack.
 *
 * @param name of the app, for whoever reads the output of several.
 */
export function runMain(name: string, main: () => Promise<void>): void {
  main().catch((error: unknown) => {
    const words =
      error instanceof ConfigError ? error.message : `${name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
    process.stderr.write(`${redact(words)}\n`);
    process.exit(1);
  });
}
