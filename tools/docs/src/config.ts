import { readFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { UserConfig } from 'vitepress';
import { groups, sidebar, sourceOf } from './sidebar.js';

/** Where the site has what a link of a page, or of a README of an example, leads to. */
export function siteAddress(href: string): string {
  if (/^[a-z]+:/.test(href)) return href;
  const example = /(?:^|\/)examples\/([\w-]+)\/README\.md(#.*)?$/.exec(href);
  if (example) return `/examples/${example[1]}${example[2] ?? ''}`;
  const docs = /^(?:\.\.\/)+docs\/(.*)$/.exec(href);
  if (docs) return `/${docs[1]}`;
  return /^(\.\.\/)*README\.md/.test(href) ? '/quickstart' : href;
}

const icon = readFileSync(new URL('../../../apps/portal/public/favicon.svg', import.meta.url), 'base64');

/** The portal's colours, each with a contrast of at least 4.5 to what it stands on (WCAG 2.2 §1.4.3). */
const colours = `
html:root { --vp-c-brand-1: #115e59; --vp-c-brand-2: #0f766e; --vp-c-brand-3: #0f766e; --vp-c-brand-soft: rgb(15 118 110 / 0.14); }
html.dark:root { --vp-c-brand-1: #5eead4; --vp-c-brand-2: #2dd4bf; }
html:root { --vp-button-brand-hover-bg: #115e59; --vp-button-brand-active-bg: #134e4a; }`;

/** The site that `npm run docs` makes of docs/: the pages as they are, the READMEs of the examples, the API as it describes itself. */
export const config = {
  title: 'Latchkey',
  description: 'Content repositories, each with its own identity',
  lang: 'en',
  head: [
    ['link', { rel: 'icon', href: `data:image/svg+xml;base64,${icon}` }],
    ['style', {}, colours],
  ],
  outDir: '../dist/docs',
  cacheDir: '../node_modules/.cache/vitepress',
  ignoreDeadLinks: 'localhostLinks',
  themeConfig: {
    nav: [
      { text: 'Quickstart', link: '/quickstart' },
      { text: 'Guides', link: '/guides/portal' },
      { text: 'API reference', link: '/reference/repositories' },
      { text: 'Architecture', link: '/architecture' },
    ],
    sidebar: sidebar(),
    outline: { level: [2, 3] },
    search: { provider: 'local' },
  },
  markdown: {
    languageAlias: { caddyfile: 'nginx' },
    config(md) {
      // Code that is set in by four spaces looks as code between fences does.
      md.core.ruler.push('blocks', ({ tokens }) => {
        for (const token of tokens.filter(({ type }) => type === 'code_block')) Object.assign(token, { type: 'fence', info: 'txt' });
      });
      md.core.ruler.push('addresses', ({ tokens }) => {
        for (const token of tokens.flatMap(({ children }) => children ?? [])) {
          const href = token.type === 'link_open' ? token.attrGet('href') : null;
          if (href !== null) token.attrSet('href', siteAddress(href));
        }
      });
    },
  },
} satisfies UserConfig;

/** The pages of the examples, as VitePress takes them for a dynamic route. */
export function examplePages(): { params: { name: string }; content: string }[] {
  const pages = groups.flatMap((group) => group.pages).filter((page) => page.startsWith('examples/'));
  return pages.map((page) => ({
    params: { name: basename(dirname(sourceOf(page))) },
    content: readFileSync(sourceOf(page), 'utf8'),
  }));
}
