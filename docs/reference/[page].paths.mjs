import { referencePages } from '../../tools/docs/dist/api-reference.js';

export default { paths: referencePages };
