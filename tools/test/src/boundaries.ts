import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { root } from './command.ts';

/** An import, or a loop of imports, that a rule forbids. */
interface Violation {
  rule: { name: string };
  from: string;
  to: string;
  cycle?: { name: string }[];
}

/** One line for every import that the rules in `.dependency-cruiser.mjs` forbid, in this repository or another folder. */
export async function findBoundaryFaults(folder = root): Promise<string[]> {
  const program = join(root, 'node_modules/dependency-cruiser/bin/dependency-cruiser.mjs');
  const args = ['--config', join(root, '.dependency-cruiser.mjs'), '--output-type', 'json', 'apps', 'libs', 'tools', 'e2e'];
  // In JSON it reports violations without an exit code, and spares us its remarks on TypeScript 7.
  const { stdout } = await promisify(execFile)(process.execPath, [program, ...args], {
    cwd: folder,
    maxBuffer: 256 * 1024 * 1024,
    timeout: 120_000,
  });
  const { summary } = JSON.parse(stdout) as { summary: { violations: Violation[]; totalCruised: number } };
  if (summary.totalCruised === 0) throw new Error(`No file was found in ${folder} whose imports could be checked.`);
  return summary.violations.map(
    ({ rule, from, to, cycle }) => `${rule.name}: ${from} → ${cycle ? cycle.map(({ name }) => name).join(' → ') : to}`,
  );
}
