import { Rounds } from './rounds.js';

/** A host that gives such shares, round by round; whoever asks before a round is told of the time between. */
function host(...shares: number[]): () => number {
  let asked = 0;
  return () => (asked++ % 2 === 0 ? 0 : (shares.shift() ?? 1));
}

const numbers = (round: number) => Promise.resolve(round);

describe('rounds on a shared machine', () => {
  it('are as many as wanted when the host gives nothing to others', async () => {
    const rounds = new Rounds(3, undefined, host(1, 0.98, 1, 1));
    expect(await rounds.each(numbers)).toEqual([0, 1, 2]);
    expect(String(rounds)).toBe('3 interleaved rounds, in which the host gave at most 2 % to others');
  });

  it('are measured again when the host gave to others, and those do not count', async () => {
    const rounds = new Rounds(2, undefined, host(0.5, 1, 0.9, 0.99, 1));
    expect(await rounds.each(numbers)).toEqual([1, 3]);
  });

  it('end at three times as many, and those count in which it gave least', async () => {
    const rounds = new Rounds(2, undefined, host(0.5, 0.9, 0.4, 0.95, 0.6, 0.7, 1));
    expect(await rounds.each(numbers)).toEqual([1, 3]);
    expect(String(rounds)).toContain('at most 10 %');
  });

  it('tell of the worst of all that was measured', async () => {
    const rounds = new Rounds(1, undefined, host(0.8, 0.8, 0.8, 1));
    await rounds.each(numbers);
    await rounds.each(numbers);
    expect(String(rounds)).toContain('at most 20 %');
  });

  it('do not count when they fail while the host gives to others, and end all when they fail by themselves', async () => {
    const failing = (count: number) => (round: number) => (round < count ? Promise.reject(new Error('answered 503')) : numbers(round));
    expect(await new Rounds(2, undefined, host(0.5, 1, 1)).each(failing(1))).toEqual([1, 2]);
    await expect(new Rounds(2, undefined, host(1, 1, 1)).each(failing(1))).rejects.toThrow('answered 503');
    await expect(new Rounds(1, undefined, host(0.5, 0.5, 0.5)).each(failing(3))).rejects.toThrow('Only 0 of 1 rounds');
  });

  it('measure every name, beginning with another one each time', async () => {
    const order: string[] = [];
    const rounds = new Rounds(2, undefined, host(0.5, 1, 1));
    const results = await rounds.byTurns(['a', 'b'], (name) => Promise.resolve(order.push(name)));
    expect(order).toEqual(['a', 'b', 'b', 'a', 'b', 'a']);
    expect(results).toEqual({ a: [4, 6], b: [3, 5] });
  });

  it('measure names the other way round when each has been the first', async () => {
    const order: string[] = [];
    await new Rounds(6, undefined, host()).byTurns(['a', 'b', 'c'], (name) => Promise.resolve(order.push(name)));
    expect(order.join('')).toBe('abcbcacabcbabacacb');
  });

  it('call works by turns within a round, and give what those that count have returned', async () => {
    let calls = 0;
    const next = () => Promise.resolve(calls++);
    const rounds = new Rounds(2, undefined, host(1, 0.5, 1));
    expect(await rounds.alternately({ a: next, b: next }, 2)).toEqual({ a: [0, 2, 8, 10], b: [1, 3, 9, 11] });
  });
});
