import { daysUntil, duesOf } from './secret-age.js';

const createdAt = new Date('2026-01-01T00:00:00Z');
const days = (count: number) => new Date(createdAt.getTime() + count * 86_400_000);

describe('the time at which a secret should have been replaced', () => {
  it('is its first birthday when it does not end by itself', () => {
    expect(duesOf({ createdAt, endsAt: null })).toEqual([{ because: 'age', dueAt: days(365) }]);
  });

  it('is its end when that comes before its first birthday or on it', () => {
    for (const end of [1, 30, 365]) expect(duesOf({ createdAt, endsAt: days(end) })).toEqual([{ because: 'expiry', dueAt: days(end) }]);
  });

  it('is first its birthday and then its end when it lives longer', () => {
    expect(duesOf({ createdAt, endsAt: days(3650) })).toEqual([
      { because: 'age', dueAt: days(365) },
      { because: 'expiry', dueAt: days(3650) },
    ]);
  });

  it('is told in whole days, none of which is missing', () => {
    expect(daysUntil(days(30), days(0))).toBe(30);
    expect(daysUntil(days(30), new Date(days(0).getTime() + 1))).toBe(30);
    expect(daysUntil(days(30), days(30))).toBe(0);
    expect(daysUntil(days(30), days(40))).toBe(0);
  });
});
