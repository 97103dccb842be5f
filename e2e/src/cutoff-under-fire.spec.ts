import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * The short form of `npm run chaos`: three authorities and two repository APIs under fire for a minute. The long form is for
 * a person; see docs/guides/fire-test.md.
 */
const program = fileURLToPath(new URL('../../tools/chaos/dist/main.js', import.meta.url));

interface Report {
  seed: number;
  verdict: { violations: unknown[]; acceptedLive: number; refusedDead: number; closestMillis: number };
  counts: Record<string, number>;
  /** With --prove-checker: acceptances after a cut-off, by faulty check. */
  found: Record<string, number>;
}

let folder: string;
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'latchkey-e2e-fire-'))));
afterAll(() => rm(folder, { recursive: true, force: true }));

async function runChaos(...args: string[]): Promise<{ code: number | null; report: Report; output: string }> {
  const file = join(folder, 'report.json');
  await rm(file, { force: true });
  // By the channel it ends when we do.
  const child = spawn(process.execPath, [program, '--folder', folder, '--report', file, ...args], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => void (output += chunk.toString()));
  const [code] = (await once(child, 'exit')) as [number | null];
  const report = JSON.parse(await readFile(file, 'utf8').catch(() => '{}')) as Report;
  return { code, report, output };
}

describe('cut-off under fire', () => {
  let result: Awaited<ReturnType<typeof runChaos>>;
  beforeAll(async () => void (result = await runChaos('--seconds', '60')));

  const sum = (prefix: string, suffix = '') =>
    Object.entries(result.report.counts)
      .filter(([name]) => name.startsWith(prefix) && name.endsWith(suffix))
      .reduce((total, [, count]) => total + count, 0);

  it('accepts nothing that began after the cut-off had answered, and refuses nothing that is alive', () => {
    expect([result.report.verdict?.violations, result.code, result.code === 0 ? '' : result.output]).toEqual([[], 0, '']);
  });

  it('means something: credentials were ended, presented and refused at every process, in every way', () => {
    const { verdict, counts } = result.report;
    expect(sum('act ', ': done')).toBeGreaterThan(50);
    expect(sum('act ', 'member: done')).toBeGreaterThan(0);
    expect(verdict.acceptedLive).toBeGreaterThan(500);
    expect(verdict.refusedDead).toBeGreaterThan(500);
    for (const node of ['authority-1', 'authority-2', 'authority-3', 'repository-api-1', 'repository-api-2', 'tenant-api']) {
      expect([node, (counts[`node ${node}: accepted`] ?? 0) > 50, (counts[`node ${node}: refused`] ?? 0) > 50]).toEqual([node, true, true]);
    }
    const ways = Object.keys(counts).filter((name) => name.startsWith('way ') && name.endsWith(': accepted'));
    for (const way of ways.filter((name) => !/tenant API:|caller/.test(name)))
      expect([way, sum(way.replace('accepted', 'refused')) > 0]).toEqual([way, true]);
  });

  it('met every kind of fault', () => {
    for (const kind of ['kill', 'pause', 'cut', 'stall', 'hold answers', 'delay', 'restart of PostgreSQL']) {
      expect([kind, sum(`fault ${kind}`) > 0]).toEqual([kind, true]);
    }
  });
});

describe('the fire test', () => {
  it('finds a check that joins a statement under way, and one that remembers an answer for 50 ms', async () => {
    const { code, report, output } = await runChaos('--prove-checker');
    expect([code, code === 0 ? '' : output]).toEqual([0, '']);
    expect(report.found['join-under-way']).toBeGreaterThan(0);
    expect(report.found['remember-answers']).toBeGreaterThan(0);
  });
});
