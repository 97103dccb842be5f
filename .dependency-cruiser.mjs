/*
 * Which door opens which way (docs/map.md): the import rules of the whole repository. What a project is, its package.json
 * says in `nx.tags`; the rules speak of tags. `tools/test` plants a violation of every rule and expects it to be caught.
 *
 * TypeScript is parsed by swc, because dependency-cruiser cannot use TypeScript 7 yet.
 */
import { globSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';

const projects = globSync(['{apps,libs,tools}/*/package.json', 'e2e/package.json']).map((file) => ({
  folder: dirname(file),
  tags: JSON.parse(readFileSync(file, 'utf8')).nx?.tags ?? [],
}));

/** A pattern for the files of all projects with this tag; one that matches nothing if there are none. */
const tagged = (tag) => `^(${projects.flatMap(({ folder, tags }) => (tags.includes(tag) ? folder : [])).join('|') || '(?!)'})/`;

/** A pattern for packages from outside, wherever they are installed, and also if they are not. */
const packages = (...names) => `(^|node_modules/)(${names.join('|')})(/|$)`;

const ours = '^(apps|libs|tools|e2e)/';
const tests = '\\.spec\\.tsx?$|/src/testing/';
const types = ['type:app', 'type:domain', 'type:infra', 'type:contract', 'type:tool', 'type:e2e'];
const untagged = projects.filter(({ tags }) => !types.some((type) => tags.includes(type))).map(({ folder }) => folder);

const forbid = (name, from, to) => ({ name, severity: 'error', from, to });

export default {
  forbidden: [
    forbid('every-project-has-a-type-tag', { path: `^(${untagged.join('|') || '(?!)'})/` }, {}),
    forbid('no-cycles', {}, { circular: true }),
    forbid(
      'another-project-is-entered-by-its-name',
      { path: '^((?:apps|libs|tools)/[^/]+|e2e)/' },
      { path: ours, pathNot: '^$1/', dependencyTypes: ['local'], dependencyTypesNot: ['aliased-workspace'] },
    ),
    forbid('an-app-never-imports-another-app', { path: '^(apps/[^/]+)/' }, { path: '^apps/', pathNot: '^$1/' }),
    forbid('libs-know-no-app-and-no-tool', { path: '^libs/' }, { path: '^(apps|tools|e2e)/' }),
    forbid('infra-knows-no-domain', { path: tagged('type:infra') }, { path: tagged('type:domain') }),
    forbid(
      'domain-is-plain-typescript',
      { path: tagged('type:domain') },
      { path: packages('@nestjs/[^/]+', 'oidc-provider', 'bullmq', 'express', 'fastify', '@fastify/[^/]+', 'koa') },
    ),
    forbid(
      'contracts-use-only-zod',
      { path: tagged('type:contract'), pathNot: tests },
      { pathNot: [tagged('type:contract'), packages('zod')] },
    ),
    forbid(
      'the-portal-knows-only-contracts-of-ours',
      { path: tagged('platform:browser') },
      { path: ours, pathNot: [tagged('platform:browser'), tagged('type:contract')] },
    ),
    forbid(
      'browser-code-uses-nothing-of-node',
      { path: [`${tagged('platform:browser')}src/`, tagged('type:contract')], pathNot: tests },
      { dependencyTypes: ['core'] },
    ),
    forbid('only-jobs-knows-bullmq', { path: ours, pathNot: '^libs/jobs/' }, { path: packages('bullmq') }),
    forbid(
      'only-the-worker-runs-jobs',
      { path: ours, pathNot: ['^apps/worker/', '^libs/jobs/src/worker\\.', tests] },
      { path: '^libs/jobs/src/worker\\.ts$' },
    ),
    forbid('test-helpers-are-for-tests', { path: '^(apps|libs)/', pathNot: tests }, { path: tests }),
    forbid(
      'a-dependency-is-declared',
      { path: ours },
      { pathNot: '^\\.', dependencyTypes: ['npm-no-pkg', 'npm-unknown', 'unknown', 'undetermined'] },
    ),
    forbid(
      'what-runs-needs-no-development-dependency',
      { path: '^(apps|libs)/[^/]+/src/', pathNot: [tests, tagged('platform:browser')] },
      { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    ),
  ],
  options: {
    parser: 'swc',
    tsPreCompilationDeps: true,
    combinedDependencies: true,
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^((apps|libs|tools)/[^/]+|e2e)/dist/' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      // Our own packages lead to their sources.
      conditionNames: ['source', 'import', 'node', 'default'],
      mainFields: ['module', 'main', 'types'],
      extensions: ['.ts', '.tsx', '.d.ts', '.js', '.mjs', '.json'],
    },
  },
};
