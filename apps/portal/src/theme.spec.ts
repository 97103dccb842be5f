import { accent } from '@latchkey/contracts';
import { theme } from './theme.ts';

describe('the portal', () => {
  it('has the accent of the pages on which its members sign in', () => {
    expect(theme.colors?.['key']).toEqual(expect.arrayContaining(Object.values(accent)));
  });
});
