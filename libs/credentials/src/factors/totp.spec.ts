import { newTotpSecret, spellTotpSecret, totpStep, totpUri } from './totp.js';

/** RFC 6238 appendix B, SHA-1; of its eight digits the last six. */
const secret = Buffer.from('12345678901234567890');

describe('a code of an authenticator app', () => {
  it.each([
    [59, '287082', 1],
    [1111111109, '081804', 37037036],
    [2000000000, '279037', 66666666],
  ])('is the one of RFC 6238 at %i s', (seconds, code, step) => {
    expect(totpStep(secret, code, seconds * 1000)).toBe(step);
  });

  it('is taken one step early and one step late, and says which step it is of', () => {
    const step = 37037036;
    for (const [offset, expected] of [
      [-60, undefined],
      [-30, step],
      [0, step],
      [30, step],
      [60, undefined],
    ] as const)
      expect(totpStep(secret, '081804', (1111111109 + offset) * 1000)).toBe(expected);
  });

  it.each(['', '08180', '0818041', '081 804', 'abcdef', '０８１８０４'])('is never %p', (code) => {
    expect(totpStep(secret, code, 1111111109 * 1000)).toBeUndefined();
  });
});

describe('a shared secret', () => {
  it('has 160 bits and is spelled in groups', () => {
    const made = newTotpSecret();
    expect(made).toHaveLength(20);
    expect(spellTotpSecret(made)).toMatch(/^([A-Z2-7]{4} ){7}[A-Z2-7]{4}$/);
    expect(newTotpSecret().equals(made)).toBe(false);
  });

  it('is in the address for the app, with whose it is', () => {
    const uri = new URL(totpUri(secret, { issuer: 'Acme: Shop & Co', account: 'anna' }));
    expect(decodeURIComponent(uri.pathname)).toBe('/Acme  Shop & Co:anna');
    expect(Object.fromEntries(uri.searchParams)).toMatchObject({ issuer: 'Acme  Shop & Co', digits: '6', period: '30', algorithm: 'SHA1' });
  });
});
