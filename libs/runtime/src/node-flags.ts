/**
 * What Node.js is started with for every app; the Dockerfile says the same. A small young generation (4 MB for each half) stays
 * in the processor's caches, so that requests take less of its time, and the process holds 30 MB less.
 */
export const nodeFlags = ['--enable-source-maps', '--max-semi-space-size=4'];
