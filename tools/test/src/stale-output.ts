import { existsSync, globSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './command.ts';

/** Removes compiled files whose source is gone: the compiler leaves them, and a deleted test would still be run. */
export function removeStaleOutput(): void {
  for (const output of globSync('{apps,libs,tools}/*/dist/**/*.{js,d.ts,js.map,d.ts.map}', { cwd: root }).concat(
    globSync('e2e/dist/**/*.{js,d.ts,js.map,d.ts.map}', { cwd: root }),
  )) {
    if (output.startsWith('apps/portal/')) continue; // Built by Vite, which empties its folder.
    const source = output.replace('/dist/', '/src/').replace(/\.(js|d\.ts)(\.map)?$/, '');
    if (!existsSync(join(root, `${source}.ts`)) && !existsSync(join(root, `${source}.tsx`))) rmSync(join(root, output));
  }
}
