import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './command.ts';

interface Package {
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
}

const read = (file: string) =>
  JSON.parse(readFileSync(join(root, file), 'utf8')) as Package & { packages: Record<string, { version?: string }> };

describe('an example', () => {
  it.each(globSync('examples/*/package.json', { cwd: root }))('%s names the versions with which it is tested', (file) => {
    const { packages } = read('package-lock.json');
    const { dependencies, devDependencies } = read(file);
    for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies }))
      expect(`${name} ${packages[`node_modules/${name}`]?.version}`).toBe(`${name} ${version}`);
  });
});
