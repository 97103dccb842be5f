import { ConfigError } from './config.js';
import { redact } from './log.js';

/** What PostgreSQL says of a schema, a table, a column, a function or a role that is not there, or not for this login; and the queue. */
const notSetUp = new Set<unknown>(['3F000', '42P01', '42703', '42883', '42501', '22023', 'SchemaMigrationRequiredError']);

const hint = 'Is the database set up, for this version? Run apps/tenant-api/dist/setup.js before the apps.';

/**
 * Runs what a process was started for. What keeps it from starting goes to standard error, without anything that is shaped like
 * a secret, and ends the process with 1: faults of the configuration in their own words, everything else with its stack, and what to do where the database lacks what it should have.
 *
 * @param name of the app, for whoever reads the output of several.
 */
export function runMain(name: string, main: () => Promise<void>): void {
  main().catch((error: unknown) => {
    const { code, name: kind } = (error ?? {}) as { code?: unknown; name?: unknown };
    const more = notSetUp.has(code) || notSetUp.has(kind) ? `\n${hint}` : '';
    const words =
      error instanceof ConfigError ? error.message : `${name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
    process.stderr.write(`${redact(words)}${more}\n`);
    process.exit(1);
  });
}
