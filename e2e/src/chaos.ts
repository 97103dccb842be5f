import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { setPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The fire test; see docs/guides/fire-test.md. */
const program = fileURLToPath(new URL('../../tools/chaos/dist/main.js', import.meta.url));

export interface ChaosReport {
  seed: number;
  verdict: { violations: unknown[]; acceptedLive: number; refusedDead: number; closestMillis: number };
  counts: Record<string, number>;
  /** With --prove-checker: acceptances after a cut-off, by faulty check. */
  found: Record<string, number>;
}

/** It takes all the processor time that there is; of what other files want too, it takes less. */
const niceness = 5;

/** Runs the fire test to its end. @returns what it reported; of a run that said nothing, an empty report. */
export async function runChaos(...args: string[]): Promise<{ code: number | null; report: ChaosReport; output: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-e2e-fire-'));
  const file = join(folder, 'report.json');
  // By the channel it ends when we do.
  const child = spawn(process.execPath, [program, '--folder', folder, '--report', file, ...args], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  if (child.pid !== undefined) setPriority(child.pid, niceness);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => void (output += chunk.toString()));
  const [code] = (await once(child, 'exit')) as [number | null];
  const report = JSON.parse(await readFile(file, 'utf8').catch(() => '{}')) as ChaosReport;
  await rm(folder, { recursive: true, force: true });
  return { code, report, output };
}
