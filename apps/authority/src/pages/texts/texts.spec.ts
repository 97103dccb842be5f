import type { IncomingMessage } from 'node:http';
import { chooseLanguage } from './choose.js';

const asking = (languages?: string) => ({ headers: languages === undefined ? {} : { 'accept-language': languages } }) as IncomingMessage;

describe('the language of a page', () => {
  it('is the first of ui_locales that there is, whatever the browser prefers', () => {
    expect(chooseLanguage(asking('en'), 'fr-CA de-AT en').tag).toBe('de');
  });

  it("is the browser's favourite among ours, by its weights", () => {
    expect(chooseLanguage(asking('fr, en;q=0.3, de-CH;q=0.8'), undefined).tag).toBe('de');
  });

  it('is English when nobody asks for one that there is', () => {
    expect(chooseLanguage(asking('fr'), 'xx ../../etc').tag).toBe('en');
    expect(chooseLanguage(asking(), undefined).tag).toBe('en');
  });
});
