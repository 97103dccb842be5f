export { config as default } from '../../tools/docs/dist/config.js';
