import { Random } from './random.js';

describe('choices', () => {
  it('come again with the same seed, and not with another', () => {
    const some = (seed: number) => {
      const random = new Random(seed);
      return Array.from({ length: 20 }, () => random.below(1_000));
    };
    expect(some(7)).toEqual(some(7));
    expect(some(7)).not.toEqual(some(8));
  });

  it('are as likely as they weigh', () => {
    const random = new Random(1);
    const often = Array.from({ length: 10_000 }, () =>
      random.weighted([
        [9, 'often'],
        [1, 'seldom'],
      ]),
    ).filter((each) => each === 'often').length;
    expect(often).toBeGreaterThan(8_800);
    expect(often).toBeLessThan(9_200);
  });

  it('shuffle without losing anything', () => {
    expect(new Set(new Random(3).shuffled([1, 2, 3, 4, 5]))).toEqual(new Set([1, 2, 3, 4, 5]));
  });
});
