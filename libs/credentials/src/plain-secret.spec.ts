import { inspect } from 'node:util';
import { PlainSecret, randomText } from './plain-secret.js';

describe('a secret', () => {
  it('has the promised form: prefix, 43 characters of base 62, 6 of checksum', () => {
    expect(PlainSecret.generate('production', 'cs').reveal()).toMatch(/^lk_live_cs_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}$/);
    expect(PlainSecret.generate('integration', 'ak').reveal()).toMatch(/^lk_test_ak_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}$/);
  });

  it('is read back from what was generated', () => {
    const value = PlainSecret.generate('production', 'cs').reveal();
    expect(PlainSecret.parse(value, 'production', 'cs')?.reveal()).toBe(value);
  });

  it('cannot be printed by any way of turning it into text', () => {
    const secret = PlainSecret.generate('production', 'cs');
    const texts = [
      String(secret),
      JSON.stringify({ secret }),
      inspect(secret),
      inspect({ deep: [secret] }, { showHidden: true, depth: 9 }),
      Object.values(secret).join(),
    ];
    for (const text of texts) expect(text).not.toContain(secret.reveal().slice(11, 20));
  });

  it('is refused when any one character is changed', () => {
    const value = PlainSecret.generate('production', 'cs').reveal();
    for (let at = 0; at < value.length; at++) {
      const changed = value.slice(0, at) + (value[at] === 'x' ? 'y' : 'x') + value.slice(at + 1);
      expect(PlainSecret.parse(changed, 'production', 'cs')).toBeUndefined();
    }
  });

  it('of one environment or kind is refused by the other before any look-up', () => {
    const value = PlainSecret.generate('integration', 'cs').reveal();
    expect(PlainSecret.parse(value, 'production', 'cs')).toBeUndefined();
    expect(PlainSecret.parse(value, 'integration', 'ak')).toBeUndefined();
  });

  it.each(['', 'lk_live_cs_', ' ', 'x'.repeat(100_000), 'lk_live_cs_\u0000'])('of another shape is refused (%#)', (value) => {
    expect(PlainSecret.parse(value, 'production', 'cs')).toBeUndefined();
  });

  it('shows only its prefix and last four characters as a hint', () => {
    const secret = PlainSecret.generate('production', 'cs');
    expect(secret.hint).toBe(`lk_live_cs_…${secret.reveal().slice(-4)}`);
  });

  it('is made of characters that are equally likely (χ² with 61 degrees of freedom below what chance passes once in 10¹⁰ runs)', () => {
    const text = randomText(62_000);
    const counts = new Map<string, number>();
    for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1);
    const chiSquare = [...counts.values()].reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0);
    expect(counts.size).toBe(62);
    expect(chiSquare).toBeLessThan(160);
  });
});
