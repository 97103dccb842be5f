import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { root } from './sidebar.js';

/** Every page that people read: the docs, the README, and those of the examples. */
export function pageFiles(folder = root): string[] {
  return globSync(['README.md', 'docs/**/*.md', 'examples/*/README.md'], { cwd: folder }).filter((file) => !file.includes('['));
}

/** One line for every link of these pages, relative to a folder, that leads to no file or to no heading of one. */
export function findDeadLinks(files: string[], folder = root): string[] {
  return files.flatMap((file) => {
    const text = withoutCode(readFileSync(join(folder, file), 'utf8'));
    const hrefs = [...text.matchAll(/\]\(([^)\s]+)\)|^\s*link: (\S+)$/gm)].map(([, inline, front]) => inline ?? front ?? '');
    return hrefs.flatMap((href) => faultOf(href, join(folder, file), folder).map((fault) => `${file}: ${href} ${fault}`));
  });
}

function faultOf(href: string, file: string, folder: string): string[] {
  if (/^[a-z]+:/.test(href)) return [];
  const [path = '', anchor] = href.split('#');
  const target = path === '' ? file : path.startsWith('/') ? join(folder, 'docs', `${path}.md`) : join(dirname(file), path);
  if (!existsSync(target)) return [`leads to ${relative(folder, target)}, which is not there`];
  if (anchor === undefined || anchorsOf(target).has(anchor)) return [];
  return [`names a heading that ${relative(folder, target)} has not`];
}

/** The anchors that a page's headings get, here as there where the repository is browsed. */
function anchorsOf(file: string): Set<string> {
  const headings = withoutBlocks(readFileSync(file, 'utf8')).matchAll(/^#+ (.*)$/gm);
  return new Set([...headings].map(([, heading = '']) => slug(heading)));
}

function slug(heading: string): string {
  const plain = heading.toLowerCase().replaceAll(/[^\p{L}\p{N}\s_-]/gu, '');
  return plain.trim().replaceAll(/\s/g, '-');
}

/** One line for every tag or pair of braces outside code, which the site would take for a component of its own and fail to build. */
export function findMarkup(files: string[], folder = root): string[] {
  return files.flatMap((file) => {
    const found = withoutCode(readFileSync(join(folder, file), 'utf8')).match(/<(?!https?:)[a-z/!][^\n]{0,20}|\{\{[^\n]{0,20}/gi) ?? [];
    return found.map((markup) => `${file}: ${markup}`);
  });
}

/** What stands in a block of code leads nowhere, and is no heading. */
const withoutBlocks = (markdown: string) => markdown.replaceAll(/^( *)```[\s\S]*?^\1```|^ {4}.*$/gm, '');

/** Nor does what stands in code within a sentence. */
const withoutCode = (markdown: string) => withoutBlocks(markdown).replaceAll(/(`+)[^`]+?\1/g, '');
