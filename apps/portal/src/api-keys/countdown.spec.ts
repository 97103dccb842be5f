import { countdown } from './countdown.ts';

describe('countdown', () => {
  it.each([
    [0, '0 s'],
    [41_001, '42 s'],
    [185_000, '3 min 5 s'],
    [3_600_000 * 3 + 300_000, '3 h 5 min'],
    [86_400_000, '1 day 0 h'],
    [7 * 86_400_000 - 1, '7 days 0 h'],
    [-5, '0 s'],
  ])('shows %d ms as %s', (millis, words) => expect(countdown(millis)).toBe(words));
});
