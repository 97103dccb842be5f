/**
 * Tests run compiled, in bare Node, by jest-light-runner: no transforms, no module mocks, no sandbox. `npm test` builds
 * first and calls the projects one after the other; a person may call `npx jest --selectProjects unit`.
 */
const project = (displayName, testMatch, more = {}) => ({
  displayName,
  rootDir: import.meta.dirname,
  roots: ['libs', 'apps', 'tools', 'e2e'].map((folder) => `<rootDir>/${folder}`),
  testMatch: testMatch.map((glob) => (glob.startsWith('!') ? glob : `<rootDir>/${glob}`)),
  testPathIgnorePatterns: ['/node_modules/'],
  runner: 'jest-light-runner',
  transform: {},
  ...more,
});

export default {
  watchman: false,
  testSequencer: '<rootDir>/tools/test/dist/longest-first.js',
  projects: [
    // The portal's are not compiled one by one: Node strips their types.
    project('unit', ['{libs,apps,tools}/*/dist/**/*.spec.js', 'apps/portal/src/**/*.spec.ts', '!**/*.integration.spec.js']),
    project('integration', ['{libs,apps,tools}/*/dist/**/*.integration.spec.js'], {
      globalSetup: '<rootDir>/libs/database/dist/testing/global-setup.js',
      globalTeardown: '<rootDir>/libs/database/dist/testing/global-teardown.js',
    }),
    project('e2e', ['e2e/dist/**/*.spec.js'], {
      globalSetup: '<rootDir>/e2e/dist/testing/global-setup.js',
      globalTeardown: '<rootDir>/e2e/dist/testing/global-teardown.js',
    }),
  ],
};
