import { inWords } from './in-words.ts';

describe('a length of time in words', () => {
  it.each([
    [2_592_000, '30 days'],
    [86_400, '1 day'],
    [90_000, '25 hours'],
    [3_600, '1 hour'],
    [600, '10 minutes'],
    [34_560_000, '400 days'],
  ])('says %i seconds as %s', (seconds, words) => expect(inWords(seconds)).toBe(words));

  it.each([61, 59, 0, '', undefined])('says nothing of %p, of which there is no shorter way to speak', (seconds) =>
    expect(inWords(seconds)).toBe(''),
  );
});
