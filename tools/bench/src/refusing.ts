import { Pool } from 'undici';
import type { TrialNode } from '@latchkey/chaos/installation';
import { tokenRequest, type BenchRepository, type Customer } from './customer.js';
import type { Rounds } from './rounds.js';
import { quantile } from './statistics.js';

const turnsOfARound = 30;

/** Times in milliseconds, from the answer of the regeneration until so many nodes had refused the old secret. */
export interface Refusing {
  nodes: number;
  p50: number;
  p99: number;
  /** Times that a node accepted the old secret after the answer, in rounds that do not count too. It must be 0. */
  accepted: number;
}

/**
 * Presents the old secret to all authorities that run, at once, the moment the regeneration has answered, until all refuse.
 */
export async function measureRefusing(
  authorities: TrialNode[],
  customer: Customer,
  repositories: BenchRepository[],
  rounds: Rounds,
): Promise<Refusing> {
  const nodes = authorities.map(({ origin }) => new Pool(origin, { connections: 1 }));
  let [turn, accepted] = [0, 0];
  try {
    // Every node has built every issuer before its time is taken.
    for (const node of nodes) for (const repository of repositories) await refused(node, repository);
    const refuse = async () => {
      const repository = repositories[turn++ % repositories.length]!;
      const old = { ...repository };
      await customer.regenerate(repository);
      const begun = performance.now();
      const tries = await Promise.all(nodes.map((node) => untilRefused(node, old)));
      const time = performance.now() - begun;
      accepted += tries.reduce((sum, more) => sum + more, 0);
      return time;
    };
    const { times } = await rounds.alternately({ times: refuse }, turnsOfARound);
    return { nodes: nodes.length, p50: quantile(times, 0.5), p99: quantile(times, 0.99), accepted };
  } finally {
    await Promise.all(nodes.map((node) => node.destroy()));
  }
}

/** @returns how often it was accepted before. */
async function untilRefused(node: Pool, repository: BenchRepository): Promise<number> {
  for (let accepted = 0; ; accepted++) if (await refused(node, repository)) return accepted;
}

async function refused(node: Pool, repository: BenchRepository): Promise<boolean> {
  const { path, headers, body } = tokenRequest(repository);
  const response = await node.request({ method: 'POST', path, headers, body: body ?? null });
  const text = await response.body.text();
  if (response.statusCode === 401) return true;
  if (response.statusCode === 200) return false;
  throw new Error(`the token endpoint answered ${response.statusCode}: ${text}`);
}
