import { parseArgs } from 'node:util';
import { CommandRunner } from './command.ts';
import { integration, e2e, unit } from './jest-stages.ts';
import { build, staticChecks } from './static-stage.ts';
import type { Stage, Tally } from './stage.ts';

/*
 * `npm test`: all stages, or the one named by --only. Every stage is bounded in time. The last line is always
 * "N passed, N failed" over everything; the exit code is 0 only if something passed and nothing failed.
 */

const stages: Stage[] = [staticChecks, unit, integration, e2e];
const total: Tally = { passed: 0, failed: 0 };

function add({ passed, failed }: Tally): void {
  total.passed += passed;
  total.failed += failed;
}

function chosenStages(): Stage[] {
  const { values } = parseArgs({ options: { only: { type: 'string', multiple: true } } });
  for (const name of values.only ?? []) {
    if (!stages.some((stage) => stage.name === name))
      throw new Error(`--only takes ${stages.map((stage) => stage.name).join(', ')}, not "${name}"`);
  }
  return values.only ? stages.filter(({ name }) => values.only?.includes(name)) : stages;
}

/** @returns whether the stage can be built upon. */
async function runStage(stage: Stage, commands: CommandRunner): Promise<boolean> {
  const start = performance.now();
  console.log(`\n── ${stage.name}`);
  const tally = await stage.run(commands).catch((error: unknown): Tally => {
    console.error(error instanceof Error ? error.message : error);
    return { passed: 0, failed: 1 };
  });
  add(tally);
  const skipped = tally.skipped ? `, ${tally.skipped} skipped` : '';
  console.log(
    `── ${stage.name}: ${tally.passed} passed, ${tally.failed} failed${skipped} in ${((performance.now() - start) / 1_000).toFixed(1)} s`,
  );
  return tally.failed === 0;
}

const commands = new CommandRunner();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => commands.interrupt());
process.on('disconnect', () => commands.interrupt());

try {
  const chosen = chosenStages();
  if (await runStage(build, commands)) for (const stage of chosen) await runStage(stage, commands);
} catch (error) {
  console.error((error as Error).message);
  total.failed += 1;
}
if (commands.interrupted) console.log('Interrupted.');
console.log(`\n${total.passed} passed, ${total.failed} failed`);
process.exit(total.failed === 0 && total.passed > 0 && !commands.interrupted ? 0 : 1);
