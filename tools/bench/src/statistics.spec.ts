import { growthOf, median, quantile } from './statistics.js';

describe('statistics', () => {
  it('take the median of odd and even samples, whatever their order', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(median([7])).toBe(7);
  });

  it('take quantiles by nearest rank', () => {
    const sample = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect(quantile(sample, 0.5)).toBe(50);
    expect(quantile(sample, 0.99)).toBe(99);
    expect(quantile(sample, 1)).toBe(100);
    expect(quantile(sample, 0)).toBe(1);
  });

  it('refuse an empty sample', () => {
    expect(() => median([])).toThrow('empty');
    expect(() => quantile([], 0.5)).toThrow('empty');
  });

  it('tell growth from noise by a line through the values', () => {
    const times = [0, 1, 2, 3, 4];
    expect(growthOf(times, [100, 101, 102, 103, 104])).toEqual({ rise: 4, share: 4 / 102 });
    expect(growthOf(times, [100, 90, 110, 90, 100]).rise).toBeCloseTo(0);
    expect(() => growthOf([1], [1])).toThrow('two points');
  });
});
