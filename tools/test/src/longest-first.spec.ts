import { globSync } from 'node:fs';
import { basename, join } from 'node:path';
import { root } from './command.ts';
import LongestFirst, { long } from './longest-first.ts';

describe('the order of files', () => {
  const files = globSync('{apps,libs,tools,e2e}/{dist,*/dist}/**/*.spec.js', { cwd: root }).map((path) => ({ path: join(root, path) }));
  const sorted = new LongestFirst().sort(files).map(({ path }) => basename(path, '.spec.js'));

  it('begins with those that take long, all of which there are', () => {
    expect(sorted.slice(0, long.length)).toEqual(long);
  });

  it('leaves none out', () => {
    expect(files.length).toBeGreaterThan(150);
    expect(sorted.toSorted()).toEqual(files.map(({ path }) => basename(path, '.spec.js')).toSorted());
  });
});
