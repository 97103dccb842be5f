import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Line } from './row.js';

const folder = fileURLToPath(new URL('../../../../apps/portal/dist', import.meta.url));

/** The JavaScript that a browser loads before the page of a repository is there, as it is sent (Brotli). */
export async function portalRow(): Promise<Line[]> {
  const page = join(folder, 'index.html');
  if (!existsSync(page)) throw new Error('the portal is not built: npm run build');
  const entries = [...readFileSync(page, 'utf8').matchAll(/(?:src|href)="\/?([^"]+\.js)"/g)].map(([, file]) => file!);
  const chunk = readdirSync(join(folder, 'assets')).find((name) => /^repository-page-.*\.js$/.test(name));
  if (!chunk) throw new Error('the portal has no chunk for the page of a repository');
  const files = new Set<string>();
  for (const file of [...entries, `assets/${chunk}`]) collect(file, files);
  const bytes = (ending: string) => [...files].reduce((sum, file) => sum + statSync(join(folder, `${file}${ending}`)).size, 0);
  const kilobytes = bytes('.br') / 1024;
  return [
    {
      work: `portal, first load of the repository page: compressed JavaScript, ${files.size} files`,
      ours: `gzip ${Math.round(bytes('.gz') / 1024)} KB`,
      yardstick: '–',
      measured: `${Math.round(kilobytes)} KB`,
      goal: '≤ 200 KB',
      reached: kilobytes <= 200,
    },
  ];
}

/** A file with all that it imports at once. */
function collect(file: string, files: Set<string>): void {
  if (files.has(file)) return;
  files.add(file);
  const text = readFileSync(join(folder, file), 'utf8');
  for (const [, from] of text.matchAll(/(?:^|[;}\s])(?:import|export)[^;"'()]*["'](\.\/[^"']+\.js)["']/g))
    collect(normalize(join(dirname(file), from!)), files);
}
