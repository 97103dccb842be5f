import { findBoundaryFaults } from './boundaries.ts';
import type { Command, CommandRunner } from './command.ts';
import { findLicenceFaults } from './licences.ts';
import { removeStaleOutput } from './stale-output.ts';
import type { Stage, Tally } from './stage.ts';

/** Compiles everything, which is also the type check, and builds the portal. Nothing can be tested without it. */
export const build: Stage = {
  name: 'build',
  async run(commands) {
    removeStaleOutput();
    return await tally(commands, { build: { script: 'tools/bootstrap.mjs', args: ['build'], withinSeconds: 300 } });
  },
};

/** Format, lint, boundaries between the parts, licences of what is installed; the third beside the second, which takes longer. */
export const staticChecks: Stage = {
  name: 'static',
  async run(commands) {
    const [checks, boundaryFaults] = await Promise.all([
      tally(commands, {
        format: { script: 'node_modules/oxfmt/bin/oxfmt', args: ['--check'], withinSeconds: 180 },
        lint: { script: 'node_modules/oxlint/bin/oxlint', args: ['--type-aware'], withinSeconds: 300 },
      }),
      findBoundaryFaults(),
    ]);
    return sum(checks, faultless('boundaries', boundaryFaults), faultless('licences', findLicenceFaults()));
  },
};

async function tally(commands: CommandRunner, checks: Record<string, Command>): Promise<Tally> {
  const results: Tally[] = [];
  for (const [name, command] of Object.entries(checks)) {
    const start = performance.now();
    const ok = (await commands.run(command)) === 0;
    console.log(`${ok ? '✓' : '✕'} ${name} (${((performance.now() - start) / 1_000).toFixed(1)} s)`);
    results.push(one(ok));
  }
  return sum(...results);
}

function faultless(name: string, faults: string[]): Tally {
  for (const fault of faults) console.error(`  ${fault}`);
  console.log(`${faults.length === 0 ? '✓' : '✕'} ${name}`);
  return one(faults.length === 0);
}

const one = (ok: boolean): Tally => (ok ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 });

function sum(...tallies: Tally[]): Tally {
  return tallies.reduce((all, each) => ({ passed: all.passed + each.passed, failed: all.failed + each.failed }));
}
