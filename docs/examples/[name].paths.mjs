import { examplePages } from '../../tools/docs/dist/config.js';

export default { paths: examplePages };
