import { runChaos } from './chaos.js';

/**
 * The short form of `npm run chaos`: three authorities and two repository APIs under fire for a minute. The long form is for
 * a person.
 */
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
    // By itself it comes to two hundred; beside the other files, on a machine that others use too, to fifty.
    expect(sum('act ', ': done')).toBeGreaterThan(20);
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
