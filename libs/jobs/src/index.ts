export { announce } from './announce.js';
export { catalogue, parseJobData, type EnqueuedJobName, type JobData, type JobName } from './catalogue.js';
export { enqueue } from './outbox.js';
