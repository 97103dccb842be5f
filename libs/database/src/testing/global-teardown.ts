/** What Jest runs after the integration tests. */
export { tearDown as default } from './global-setup.js';
