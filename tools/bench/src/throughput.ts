import type { Installation, TrialNode } from '@latchkey/chaos/installation';
import { tokenRequest, type BenchRepository, type Customer } from './customer.js';
import { processorMicros } from './machine.js';
import { RawLoad, written, type Measured } from './raw-load.js';
import { Rounds } from './rounds.js';
import { median, quantile } from './statistics.js';

/** How credentials are checked. */
export const variants = ['gathered', 'one statement each', 'none'] as const;
export type Variant = (typeof variants)[number];

/** A server is slower for its first seconds under load, and again for some after it has had to do with other things. */
const warmTurns = 3;
const warmSeconds = 8;

export type Endpoint = 'token endpoint' | 'repository API';

/** How a server is loaded. */
export interface Load {
  connections: number;
  /** Different tools that call by turns, each with a credential of its own in a repository of its own. */
  tools: number;
}

/** Medians over the rounds. */
export interface Throughput extends Load {
  endpoint: Endpoint;
  variant: Variant;
  perSecond: number;
  /** Of requests per second, to those without a check; the median of the ratios of each round. */
  ratio: number;
  p50Millis: number;
  p99Millis: number;
  /** Processor time of the server for each request. */
  processorMicros: number | undefined;
  /** The same as a ratio, without a check over this: what the check costs the server itself. */
  processorRatio: number | undefined;
}

export interface ThroughputOptions {
  /** Which variant the first process of each app is, the second and the third. */
  order: readonly Variant[];
  loads: readonly Load[];
  rounds: Rounds;
  /** Of each measurement. */
  seconds: number;
  say: (line: string) => void;
}

/** What the processes of one installation did, loaded in one way. */
export interface Loaded extends Load {
  endpoint: Endpoint;
  /** Round by round. */
  measured: Record<Variant, Measured[]>;
}

/** Measures every variant by turns, so that what else happens on the machine happens to all. */
export async function measureThroughput(
  installation: Installation,
  customer: Customer,
  repositories: BenchRepository[],
  { order, loads, rounds, seconds, say }: ThroughputOptions,
): Promise<Loaded[]> {
  const requests: Record<Endpoint, Buffer[]> = {
    'token endpoint': repositories.map((repository) => written(tokenRequest(repository))),
    'repository API': await Promise.all(
      repositories.map(async (repository) =>
        written({
          method: 'GET',
          path: `/${repository.slug}/odata.svc/('Root')?metadata=no&$select=Id,Name`,
          headers: { authorization: `Bearer ${await customer.token(repository)}` },
        }),
      ),
    ),
  };
  const nodes: Record<Endpoint, TrialNode[]> = {
    'token endpoint': installation.of('authority'),
    'repository API': installation.of('repository-api'),
  };
  const results: Loaded[] = [];
  for (const endpoint of Object.keys(requests) as Endpoint[]) {
    const byTurns = async ({ connections, tools }: Load, turns: Rounds, forSeconds: number) => {
      const opened = new Map<Variant, RawLoad>();
      // They stay open between the turns: a server that has to see them come and go each time never is as fast as it can be.
      const open = async (variant: Variant) => {
        const load = opened.get(variant) ?? (await RawLoad.open(nodes[endpoint][order.indexOf(variant)]!.origin, connections));
        opened.set(variant, load);
        return load;
      };
      const measured = await turns.byTurns(order, async (variant) => {
        const { pid } = nodes[endpoint][order.indexOf(variant)]!.process;
        const load = await open(variant);
        try {
          return await load.run(forSeconds, requests[endpoint].slice(0, tools), () => processorMicros(pid));
        } catch (error) {
          opened.delete(variant);
          load.close();
          throw error;
        }
      });
      for (const load of opened.values()) load.close();
      return measured;
    };
    await byTurns({ connections: 64, tools: repositories.length }, new Rounds(warmTurns), warmSeconds);
    for (const load of loads) {
      results.push({ endpoint, ...load, measured: await byTurns(load, rounds, seconds) });
      say(`${endpoint}, ${load.connections} connections, ${load.tools} tools: measured`);
    }
  }
  return results;
}

/** Of all installations together: each had other processes. */
export function throughputOf(loaded: Loaded[][]): Throughput[] {
  const [first = []] = loaded;
  return first.flatMap((_, index) => {
    const same = loaded.map((one) => one[index]!);
    return variants.map((variant) => summarise(same, variant));
  });
}

function summarise(loaded: Loaded[], variant: Variant): Throughput {
  const { endpoint, connections, tools } = loaded[0]!;
  const inAll = (which: Variant) => loaded.flatMap(({ measured }) => measured[which]);
  const [own, none] = [inAll(variant), inAll('none')];
  const overRounds = (value: (one: Measured, without: Measured) => number | undefined) => {
    const values = own.map((one, round) => value(one, none[round]!)).filter((each) => each !== undefined);
    return values.length === own.length ? median(values) : undefined;
  };
  const latencies = own.flatMap((one) => one.latencies);
  return {
    endpoint,
    connections,
    tools,
    variant,
    perSecond: overRounds((one) => one.perSecond)!,
    ratio: overRounds((one, without) => one.perSecond / without.perSecond)!,
    p50Millis: quantile(latencies, 0.5),
    p99Millis: quantile(latencies, 0.99),
    processorMicros: overRounds((one) => one.processorMicros),
    processorRatio: overRounds((one, without) =>
      one.processorMicros && without.processorMicros ? without.processorMicros / one.processorMicros : undefined,
    ),
  };
}
