export * from './cutoffs.js';
export * from './events.js';
export * from './permissions.js';
export * from './problems.js';
export * from './slug.js';
export * from './tenant-api.js';
