import { readFile } from 'node:fs/promises';
import { nodeFlags } from './node-flags.js';

it.each(['Dockerfile', 'docs/guides/operate.md'])('%s starts apps with the same options as npm start', async (file) => {
  expect(await readFile(new URL(`../../../${file}`, import.meta.url), 'utf8')).toContain(`NODE_OPTIONS="${nodeFlags.join(' ')}"`);
});
