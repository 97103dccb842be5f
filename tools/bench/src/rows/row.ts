import type { Installation } from '@latchkey/chaos/installation';
import type { SeededRepository } from '@latchkey/seed';
import { tokenRequest, type BenchRepository } from '../customer.js';
import { written } from '../raw-load.js';

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
  rounds: number;
  /** Of each measurement. */
  seconds: number;
  say: (line: string) => void;
}

export function benchRepository({ slug, toolClientId, secret, appClientId }: SeededRepository): BenchRepository {
  return { slug, clientId: toolClientId, secret, appClientId };
}

/** A request for a token as it goes over the wire. */
export const tokenBytes = (repository: SeededRepository): Buffer => written(tokenRequest(benchRepository(repository)));

/** Each name in each round, beginning with another one each time, so that what else happens on the machine happens to all. */
export async function byTurns<N extends string, T>(
  names: readonly N[],
  rounds: number,
  measure: (name: N) => Promise<T>,
  say: (line: string) => void,
): Promise<Record<N, T[]>> {
  const results = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<N, T[]>;
  for (let round = 0; round < rounds; round++) {
    for (let index = 0; index < names.length; index++) {
      const name = names[(index + round) % names.length]!;
      results[name].push(await measure(name));
    }
    say(`  round ${round + 1} of ${rounds}`);
  }
  return results;
}

export const perSecond = (value: number) => `${Math.round(value)}/s`;
export const millis = (value: number) => `${value.toFixed(1)} ms`;
export const micros = (value: number | undefined) => (value === undefined ? '–' : `${Math.round(value)} µs`);
export const ratio = (value: number) => value.toFixed(2);
