import type { Installation } from '@latchkey/chaos/installation';
import type { SeededRepository } from '@latchkey/seed';
import { tokenRequest, type BenchRepository } from '../customer.js';
import { written } from '../raw-load.js';
import type { Rounds } from '../rounds.js';

/** One line of the table. */
export interface Line {
  work: string;
  ours: string;
  yardstick: string;
  /** What the goal is about: a ratio, or a value. */
  measured: string;
  goal: string;
  /** Undefined where there is no goal. */
  reached?: boolean;
}

/** What a row is measured with. */
export interface Bench {
  installation: Installation;
  /** As many as are in the database besides the product's own. */
  seeded: SeededRepository[];
  rounds: Rounds;
  /** Of each measurement. */
  seconds: number;
  say: (line: string) => void;
}

export function benchRepository({ slug, toolClientId, secret, appClientId }: SeededRepository): BenchRepository {
  return { slug, clientId: toolClientId, secret, appClientId };
}

/** A request for a token as it goes over the wire. */
export const tokenBytes = (repository: SeededRepository): Buffer => written(tokenRequest(benchRepository(repository)));

export const perSecond = (value: number) => `${Math.round(value)}/s`;
export const millis = (value: number) => `${value.toFixed(1)} ms`;
export const micros = (value: number | undefined) => (value === undefined ? '–' : `${Math.round(value)} µs`);
export const ratio = (value: number) => value.toFixed(2);
