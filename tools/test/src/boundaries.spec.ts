import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { findBoundaryFaults } from './boundaries.ts';
import { root } from './command.ts';

/*
 * A small repository with the same rules, in which every rule is broken once, each in a file of its own. A checker that sees
 * nothing, for want of a parser or because of a wrong path, would otherwise pass everything.
 */

const projects = {
  'apps/worker': { tags: ['type:app'], dependencies: ['@latchkey/jobs'] },
  'apps/portal': { tags: ['type:app', 'platform:browser'], dependencies: ['@latchkey/contracts', '@latchkey/domain'] },
  'apps/tenant-api': { tags: ['type:app'], dependencies: ['@latchkey/jobs', '@latchkey/worker', '@latchkey/domain', 'bullmq', 'declared'] },
  'libs/contracts': { tags: ['type:contract'], dependencies: ['zod', 'declared'] },
  'libs/jobs': { tags: ['type:infra'], dependencies: ['bullmq', '@latchkey/domain', '@latchkey/contracts'] },
  'libs/domain': { tags: ['type:domain'], dependencies: ['@nestjs/common', '@latchkey/jobs', '@latchkey/contracts', '@latchkey/worker'] },
};
const installed = ['zod', 'bullmq', '@nestjs/common', 'declared', 'undeclared', 'for-development'];

/** What is right: without a plant nothing may be reported. */
const sound = {
  'libs/contracts/src/index.ts': `import { z } from 'zod'; export const body = z;`,
  'libs/contracts/src/index.spec.ts': `import { readFileSync } from 'node:fs'; import './index.js'; void readFileSync;`,
  'libs/jobs/src/index.ts': `export const jobs = 1;`,
  'libs/jobs/src/worker.ts': `import { Worker } from 'bullmq'; import '@latchkey/contracts'; export { Worker };`,
  'libs/domain/src/index.ts': `import '@latchkey/jobs'; import '@latchkey/contracts'; export * from './rule.js';`,
  'libs/domain/src/rule.ts': `import { createHash } from 'node:crypto'; export const rule = createHash;`,
  'libs/domain/src/testing/helper.ts': `import 'for-development'; export const helper = 1;`,
  'libs/domain/src/rule.spec.ts': `import './testing/helper.js'; import './rule.js';`,
  'apps/worker/src/index.ts': `import { Worker } from '@latchkey/jobs/worker'; export { Worker };`,
  'apps/portal/src/main.tsx': `import '@latchkey/contracts'; export const page = <p />;`,
  'apps/tenant-api/src/main.ts': `import '@latchkey/domain'; import 'declared'; import type { T } from 'for-development'; export type { T };`,
};

/** Each breaks one rule, in a different form of import where the form might matter. */
const plants: [rule: string, file: string, text: string][] = [
  ['every-project-has-a-type-tag', 'libs/untagged/src/index.ts', `import { x } from './x.js'; export { x };`],
  ['no-cycles', 'libs/domain/src/one.ts', `import type { Two } from './two.js'; export interface One { two: Two }`],
  [
    'another-project-is-entered-by-its-name',
    'libs/domain/src/climbs.ts',
    `import { jobs } from '../../jobs/src/index.js'; export { jobs };`,
  ],
  ['an-app-never-imports-another-app', 'apps/tenant-api/src/app.ts', `export * from '@latchkey/worker';`],
  [
    'libs-know-no-app-and-no-tool',
    'libs/domain/src/knows-an-app.ts',
    `import type { Worker } from '@latchkey/worker'; export type { Worker };`,
  ],
  ['infra-knows-no-domain', 'libs/jobs/src/plant.ts', `export const later = () => import('@latchkey/domain');`],
  [
    'domain-is-plain-typescript',
    'libs/domain/src/framework.ts',
    `import type { Injectable } from '@nestjs/common'; export type { Injectable };`,
  ],
  ['domain-is-plain-typescript', 'libs/domain/src/library.ts', `import 'oidc-provider/lib/helpers/errors.js';`],
  ['contracts-use-only-zod', 'libs/contracts/src/plant.ts', `import 'declared';`],
  [
    'the-portal-knows-only-contracts-of-ours',
    'apps/portal/src/plant.tsx',
    `import { rule } from '@latchkey/domain'; export const page = <p>{rule}</p>;`,
  ],
  ['browser-code-uses-nothing-of-node', 'apps/portal/src/plant.ts', `import { join } from 'node:path'; export { join };`],
  ['only-jobs-knows-bullmq', 'apps/tenant-api/src/queue.ts', `export const later = async () => (await import('bullmq')).Worker;`],
  ['only-the-worker-runs-jobs', 'apps/tenant-api/src/works.ts', `import { Worker } from '@latchkey/jobs/worker'; export { Worker };`],
  ['test-helpers-are-for-tests', 'libs/domain/src/helped.ts', `import { helper } from './testing/helper.js'; export { helper };`],
  ['a-dependency-is-declared', 'apps/tenant-api/src/undeclared.ts', `import 'undeclared';`],
  ['a-dependency-is-declared', 'apps/tenant-api/src/missing.ts', `import 'not-even-installed';`],
  ['what-runs-needs-no-development-dependency', 'apps/tenant-api/src/for-development.ts', `import 'for-development';`],
];

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'latchkey-boundaries-'));
  write(
    'package.json',
    JSON.stringify({ name: 'planted', type: 'module', workspaces: ['apps/*', 'libs/*'], devDependencies: { 'for-development': '1' } }),
  );
  write('tools/start/package.json', '{"name":"@latchkey/start","nx":{"tags":["type:tool"]}}');
  write('e2e/package.json', '{"name":"@latchkey/e2e","nx":{"tags":["type:e2e"]}}');
  for (const name of installed) {
    write(`node_modules/${name}/package.json`, JSON.stringify({ name, version: '1.0.0', main: 'index.js' }));
    write(`node_modules/${name}/index.js`, '');
  }
  mkdirSync(join(folder, 'node_modules/@latchkey'));
  for (const [path, { tags, dependencies }] of Object.entries(projects)) {
    const name = `@latchkey/${path.split('/')[1]}`;
    const exports = {
      '.': { source: './src/index.ts', default: './dist/index.js' },
      './worker': { source: './src/worker.ts', default: './dist/worker.js' },
    };
    const declared = Object.fromEntries(dependencies.map((each) => [each, '1']));
    write(`${path}/package.json`, JSON.stringify({ name, version: '1.0.0', exports, dependencies: declared, nx: { tags } }));
    symlinkSync(join(folder, path), join(folder, 'node_modules', name));
  }
  for (const [file, text] of Object.entries(sound)) write(file, text);
});
afterAll(() => rmSync(folder, { recursive: true }));

function write(file: string, text: string): void {
  mkdirSync(dirname(join(folder, file)), { recursive: true });
  writeFileSync(join(folder, file), text);
}

describe('the boundaries', () => {
  let found: { untouched: string[]; planted: string[] };
  beforeAll(async () => {
    const untouched = await findBoundaryFaults(folder);
    for (const [, file, text] of plants) write(file, text);
    write('libs/domain/src/two.ts', `import type { One } from './one.js'; export interface Two { one: One }`);
    write('libs/untagged/package.json', '{"name":"@latchkey/untagged"}');
    write('libs/untagged/src/x.ts', `export const x = 1;`);
    found = { untouched, planted: await findBoundaryFaults(folder) };
  });

  it('leave what is right alone', () => {
    expect(found.untouched).toEqual([]);
  });

  it.each(plants)('catch a planted violation: %s in %s', (rule, file) => {
    expect(found.planted.filter((line) => line.startsWith(`${rule}: ${file} →`))).toHaveLength(1);
  });

  it('find nothing else among the plants than what was planted', () => {
    const files = new Set(plants.map(([, file]) => file));
    expect(files.size).toBe(plants.length);
    expect(found.planted.filter((line) => ![...files].some((file) => line.includes(file)))).toEqual([]);
  });

  it('have a plant for every rule', async () => {
    const { default: config } = (await import(join(root, '.dependency-cruiser.mjs'))) as { default: { forbidden: { name: string }[] } };
    expect([...new Set(plants.map(([rule]) => rule))].sort()).toEqual(config.forbidden.map(({ name }) => name).sort());
  });
});

describe('the environment', () => {
  it('is read in one place: the lint rule catches process.env anywhere else', () => {
    copyFileSync(join(root, '.oxlintrc.json'), join(folder, '.oxlintrc.json'));
    write('libs/runtime/src/config.ts', 'export const environment = process.env;\n');
    write('libs/domain/src/environment.ts', 'export const url = process.env.DATABASE_URL;\n');
    let report = '';
    try {
      execFileSync(process.execPath, [join(root, 'node_modules/oxlint/bin/oxlint'), '--format', 'json', 'libs'], {
        cwd: folder,
        encoding: 'utf8',
      });
    } catch (error) {
      report = (error as { stdout: string }).stdout;
    }
    const { diagnostics } = JSON.parse(report) as { diagnostics: { code: string; filename: string }[] };
    const found = diagnostics.filter(({ code }) => code.includes('no-process-env'));
    expect(found.map(({ filename }) => filename)).toEqual(['libs/domain/src/environment.ts']);
  });
});
