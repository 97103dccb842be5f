import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { operationsByTag, readApi } from './api-reference.js';

/** The folder that holds the whole repository. */
export const root = join(import.meta.dirname, '../../..');
export const docs = join(root, 'docs');

/** A heading of the menu with its pages, by their addresses without an ending. */
interface Group {
  text: string;
  pages: string[];
}

/** The menu, but for the API reference, which the API itself makes. A page that is in no group fails a test. */
export const groups: Group[] = [
  { text: 'Start', pages: ['quickstart', 'architecture', 'glossary', 'guides/portal'] },
  { text: 'Examples', pages: ['examples/react', 'examples/node-tool', 'examples/dotnet'] },
  {
    text: 'People',
    pages: [
      'guides/people',
      'guides/second-factors',
      'guides/sign-in-with-others',
      'guides/branding',
      'guides/custom-domains',
      'guides/apps',
    ],
  },
  {
    text: 'Secrets and keys',
    pages: [
      'guides/permissions',
      'guides/tool-keys',
      'guides/rotate-on-schedule',
      'guides/rotate-after-a-leak',
      'guides/who-still-uses-the-old-secret',
      'guides/the-proof',
      'guides/secret-stores',
      'guides/signing-keys',
    ],
  },
  { text: 'Content', pages: ['guides/odata', 'guides/content'] },
  { text: 'The tenant', pages: ['guides/member-credentials', 'guides/tenant-credentials', 'guides/audit', 'guides/webhooks'] },
  { text: 'Operating', pages: ['guides/operate', 'guides/several-machines', 'guides/fire-test', 'benchmarks', 'hot-paths'] },
  { text: 'The project', pages: ['map', 'seeds'] },
  { text: 'Decisions', pages: pagesIn('adr') },
  { text: 'Problems', pages: pagesIn('problems') },
];

function pagesIn(folder: string): string[] {
  return globSync(`${folder}/*.md`, { cwd: docs })
    .map((file) => file.replace(/\.md$/, ''))
    .sort();
}

/** Where the text of a page is. A page of an example is its README. */
export function sourceOf(page: string): string {
  return page.startsWith('examples/') ? join(root, page, 'README.md') : join(docs, `${page}.md`);
}

/** What VitePress shows at the side: each page by its first heading. */
export function sidebar() {
  const titleOf = (page: string) => /^# (.*)$/m.exec(readFileSync(sourceOf(page), 'utf8'))?.[1]?.replaceAll('`', '') ?? page;
  const written = groups.map(({ text, pages }) => ({
    text,
    collapsed: !['Start', 'Examples'].includes(text),
    items: pages.map((page) => ({ text: titleOf(page), link: `/${page}` })),
  }));
  const reference = {
    text: 'API reference',
    collapsed: true,
    items: operationsByTag(readApi()).map(({ tag, address }) => ({ text: tag, link: `/reference/${address}` })),
  };
  return written.toSpliced(5, 0, reference);
}
