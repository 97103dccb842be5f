import { slugSchema } from '@latchkey/contracts';
import { suggestSlug } from './slug-suggestion.ts';

describe('suggestSlug', () => {
  it.each([
    ['Käthe’s Shop', 'kathes-shop'],
    ['  Blue   Whale -- 2 ', 'blue-whale-2'],
    ['2nd floor', 'nd-floor'],
    ['北京', ''],
    ['', ''],
  ])('makes of %j the slug %j', (name, slug) => expect(suggestSlug(name)).toBe(slug));

  it('makes only slugs that the API takes, once the name has three letters', () => {
    for (const name of ['A'.repeat(90), `${'a'.repeat(39)} b`, 'Ærø & Sønner', "O'Neill — Söhne GmbH", 'x--y--z']) {
      expect(slugSchema.safeParse(suggestSlug(name)).error?.issues).toBeUndefined();
    }
  });
});
