import { runChaos } from './chaos.js';

describe('the fire test', () => {
  it('finds a check that joins a statement under way, and one that remembers an answer for 50 ms, and nothing at a sound one beside them', async () => {
    const { code, report, output } = await runChaos('--prove-checker');
    expect([code, code === 0 ? '' : output]).toEqual([0, '']);
    expect(report.found['join-under-way']).toBeGreaterThan(0);
    expect(report.found['remember-answers']).toBeGreaterThan(0);
    expect(report.found['sound']).toBe(0);
  });
});
