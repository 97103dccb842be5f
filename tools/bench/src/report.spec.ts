import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeBench, writeSection, type CutoffBench } from './report.js';

const measured = (variant: 'gathered' | 'none', ratio: number) => ({
  endpoint: 'token endpoint' as const,
  connections: 64,
  tools: 100,
  variant,
  perSecond: 1_000 * ratio,
  ratio,
  p50Millis: 1,
  p99Millis: 2,
  processorMicros: 500,
  processorRatio: 1,
});

const bench = (more: Partial<CutoffBench> = {}): CutoffBench => ({
  date: '2026-01-01',
  machine: 'a machine',
  rounds: 'some rounds',
  regenerating: { rows: { inserted: 4, updated: 2 }, regenerate: { p50: 3, p99: 6 }, transaction: { p50: 2, p99: 4 } },
  refusing: [{ nodes: 4, p50: 3, p99: 9, accepted: 0 }],
  loads: 'some sets',
  throughput: [measured('gathered', 0.97), measured('none', 1)],
  ...more,
});

describe('the report', () => {
  it('says of every goal whether it was reached', () => {
    expect(describeBench(bench())).not.toContain('not reached');
    expect(describeBench(bench({ throughput: [measured('gathered', 0.94)] }))).toContain('**not reached**: token endpoint, 100 tools');
    expect(describeBench(bench({ refusing: [{ nodes: 4, p50: 3, p99: 9, accepted: 1 }] }))).toContain(
      '**not reached**: nothing was accepted',
    );
  });

  it('replaces its own section of the file and leaves the others', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'latchkey-report-'));
    const file = join(folder, 'benchmarks.md');
    await writeSection('One', 'first', { file });
    await writeSection('Two', 'second', { file });
    await writeSection('One', 'again', { file });
    await writeSection('All goals', 'the table', { file, first: true });
    await writeSection('Two', 'second', { file });
    const text = await readFile(file, 'utf8');
    expect(text).toMatch(/^# Benchmarks\n/);
    expect(text).toContain('## One\n\nagain\n');
    expect(text).toContain('## Two\n\nsecond\n');
    expect(text).not.toContain('first');
    expect([...text.matchAll(/^## (.*)$/gm)].map(([, heading]) => heading)).toEqual(['All goals', 'Two', 'One']);
    await rm(folder, { recursive: true });
  });
});
