import type { IncomingMessage } from 'node:http';
import accepts from 'accepts';
import { de } from './de.js';
import { en } from './en.js';
import type { Texts } from './texts.js';

/** The texts of one language. */
export interface Language {
  /** As the `lang` attribute of a page has it (BCP 47). */
  tag: string;
  texts: Texts;
}

const languages = new Map<string, Texts>([
  ['en', en],
  ['de', de],
]);

/** The tags that discovery names as `ui_locales_supported`. */
export const languageTags = [...languages.keys()];

/** The first of `ui_locales` (OpenID Connect Core 1.0 §3.1.2.1) that there is, else the browser's favourite, else English. */
export function chooseLanguage(request: IncomingMessage, uiLocales: string | undefined): Language {
  const wanted = (uiLocales ?? '').split(' ').map((tag) => tag.toLowerCase().split('-')[0] ?? '');
  const tag = wanted.find((each) => languages.has(each)) ?? (accepts(request).languages(languageTags) || 'en');
  return { tag, texts: languages.get(tag) ?? en };
}
