import type { en } from './en.js';

/** What every language has. */
export type Texts = typeof en;
