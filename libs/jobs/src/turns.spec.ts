import { Turns } from './turns.js';

/** Lets jobs of one tenant come until one is sent away. @returns how many run. */
function fill(turns: Turns, tenantId: string, now = 0): number {
  let running = 0;
  while (turns.begin(tenantId, now) === undefined) running += 1;
  return running;
}

describe('the turns of tenants', () => {
  it('let one tenant have a few runs at first, and every other tenant as many', () => {
    const turns = new Turns(16);
    expect(fill(turns, 'a')).toBe(4);
    expect(fill(turns, 'b')).toBe(4);
    expect(turns.begin('a', 0)).toBeGreaterThan(0);
  });

  it('grow with success up to what was said, and halve with each failure down to one', () => {
    const turns = new Turns(8);
    fill(turns, 'a');
    for (let run = 0; run < 20; run += 1) {
      turns.end('a', 'succeeded', 0, 1);
      fill(turns, 'a', 1);
    }
    for (let ended = 0; ended < 7; ended += 1) turns.end('a', 'succeeded', 0, 1);
    expect(1 + fill(turns, 'a', 1)).toBe(8);
    for (let failure = 0; failure < 7; failure += 1) turns.end('a', 'failed', 0, 2);
    expect(turns.begin('a', 2)).toBeGreaterThan(0);
    turns.end('a', 'failed', 0, 2);
    expect(fill(turns, 'a', 2)).toBe(1);
  });

  it('send those that are too many back one after another, as far apart as runs end', () => {
    const turns = new Turns(16);
    fill(turns, 'a', 0);
    fill(turns, 'a', 14_000);
    for (let ended = 0; ended < 4; ended += 1) turns.end('a', 'failed', 0, 15_000);
    expect(turns.begin('a', 15_000)).toBeUndefined();
    const waits = [1, 2, 3].map(() => turns.begin('a', 15_000));
    expect(waits[1]! - waits[0]!).toBeCloseTo(15_000);
    expect(waits[2]! - waits[1]!).toBeCloseTo(15_000);
  });

  it('notice that runs hang before the first of them has ended', () => {
    const turns = new Turns(16);
    fill(turns, 'a');
    expect(turns.begin('a', 10_000)).toBeGreaterThan(2_000);
  });

  it('say how long to stay away in whole milliseconds, which is how PostgreSQL keeps when a job comes back', () => {
    const turns = new Turns(16);
    for (let job = 0; job < 3; job += 1) turns.begin('a', 0);
    turns.end('a', 'succeeded', 0, 1_000);
    turns.end('a', 'succeeded', 0, 3_701);
    fill(turns, 'a', 3_701);
    const waits = [1, 2, 3].map(() => turns.begin('a', 3_701) ?? 0);
    expect(waits.map((millis) => millis % 1)).toEqual([0, 0, 0]);
    expect(waits.every((millis) => millis > 0)).toBe(true);
  });

  it('send nobody away for longer than five minutes', () => {
    const turns = new Turns(16);
    fill(turns, 'a');
    for (let job = 0; job < 1_000; job += 1) expect(turns.begin('a', 60_000)).toBeLessThanOrEqual(300_000);
  });

  it('forget a tenant that has nothing left to do', () => {
    const turns = new Turns(16);
    turns.begin('a', 0);
    turns.end('a', 'failed', 0, 1);
    expect(fill(turns, 'a', 2)).toBe(4);
  });
});
