/** What Jest runs after the files of e2e. */
export { tearDown as default } from './global-setup.js';
