import type { Installation } from '@latchkey/chaos/installation';
import { Customer, tokenRequest } from '../customer.js';
import { processorMicros } from '../machine.js';
import { RawConnection, rawLoad, sendAll, written, type Measured } from '../raw-load.js';
import { median, quantile } from '../statistics.js';
import { startYardstick } from '../yardsticks/yardstick.js';
import { micros, millis, perSecond, ratio, tokenBytes, type Bench, type Line } from './row.js';

const connections = 64;
const coldRepositories = 500;
/** As many as a plan for developers allows, beside the one that a repository has from the start. */
const toolsOfOne = 49;
const warmSeconds = 3;

/** The token endpoint beside a bare server and the plain library, with ever more repositories, and of one that is cold. */
export async function tokenRow({ installation, seeded, rounds, seconds }: Bench): Promise<Line[]> {
  const [node] = installation.of('authority');
  const hot = Math.min(2_000, seeded.length);
  const cold = await measureCold(node!.origin, seeded.slice(hot, hot + coldRepositories).map(tokenBytes));
  const requests = seeded.slice(0, hot).map(tokenBytes);
  const claims = await claimsOf(node!.origin, requests[0]!);
  const bare = await startYardstick('bare-server', JSON.stringify(claims));
  const plain = await startYardstick('plain-provider');
  const plainTool = { slug: '', clientId: 'tool', secret: 'secret', appClientId: '' };
  const plainRequest = written({ ...tokenRequest(plainTool), path: '/token', body: 'grant_type=client_credentials&scope=sensenet' });
  try {
    const ours = (sent: Buffer[]) => ({ origin: node!.origin, pid: () => node!.process.pid, requests: sent });
    const servers = {
      bare: { origin: bare.origin, pid: () => bare.pid, requests },
      plain: { origin: plain.origin, pid: () => plain.pid, requests: [plainRequest] },
      one: ours(await tokensOfOne(installation)),
      some: ours(requests.slice(0, 200)),
      hot: ours(requests),
    };
    const names = Object.keys(servers) as (keyof typeof servers)[];
    const measure = (name: (typeof names)[number], forSeconds = seconds) => {
      const { origin, pid, requests: sent } = servers[name];
      return rawLoad(origin, connections, forSeconds, sent, () => processorMicros(pid()));
    };
    // Every repository has been served, and code is compiled.
    await sendAll(node!.origin, requests);
    for (const name of names) await measure(name, warmSeconds);
    const measured = await rounds.byTurns(names, (name) => measure(name));
    return lines(measured, hot, seeded.length, cold);
  } finally {
    await Promise.all([bare.stop(), plain.stop()]);
  }
}

type Results = Record<'bare' | 'plain' | 'one' | 'some' | 'hot', Measured[]>;

function lines(results: Results, hot: number, total: number, cold: number[]): Line[] {
  const speed = (name: keyof Results) => median(results[name].map((each) => each.perSecond));
  const over = (name: keyof Results, other: keyof Results, of: (one: Measured) => number) =>
    median(results[name].map((each, round) => of(each) / of(results[other][round]!)));
  const p99 = (name: keyof Results) =>
    quantile(
      results[name].flatMap((each) => each.latencies),
      0.99,
    );
  const processor = (name: keyof Results) => {
    const values = results[name].flatMap((each) => each.processorMicros ?? []);
    return values.length > 0 ? median(values) : undefined;
  };
  const versus = (work: string, name: keyof Results, other: keyof Results, least?: number): Line => {
    const value = over(name, other, (each) => each.perSecond);
    const goal = least === undefined ? {} : { reached: value >= least };
    return {
      work,
      ours: perSecond(speed(name)),
      yardstick: `${labels[other]}: ${perSecond(speed(other))}`,
      measured: ratio(value),
      goal: least === undefined ? '' : `≥ ${least}`,
      ...goal,
    };
  };
  const processorLine = (other: keyof Results): Line => {
    const [mine, its] = [processor('hot'), processor(other)];
    return {
      work: 'same, processor time of the server for a request',
      ours: micros(mine),
      yardstick: `${labels[other]}: ${micros(its)}`,
      measured: mine && its ? ratio(its / mine) : '–',
      goal: '',
    };
  };
  return [
    versus(`token endpoint, ${hot} repositories hit evenly, ${total} in the database`, 'hot', 'bare', 0.8),
    processorLine('bare'),
    {
      work: 'same, p99',
      ours: millis(p99('hot')),
      yardstick: `${labels.bare}: ${millis(p99('bare'))}`,
      measured: ratio(p99('hot') / p99('bare')),
      goal: '≤ 2',
      reached: p99('hot') <= 2 * p99('bare'),
    },
    versus('same', 'hot', 'plain', 3),
    processorLine('plain'),
    versus('200 hot repositories', 'some', 'one'),
    versus(`${hot} hot repositories`, 'hot', 'one', 0.85),
    ...(cold.length > 0
      ? [
          {
            work: `first token of a repository, one of ${total}, p99`,
            ours: `p50 ${millis(quantile(cold, 0.5))}`,
            yardstick: '–',
            measured: millis(quantile(cold, 0.99)),
            goal: '≤ 15 ms',
            reached: quantile(cold, 0.99) <= 15,
          },
        ]
      : []),
  ];
}

const labels = {
  bare: 'bare node:http',
  plain: 'plain oidc-provider',
  one: `one hot, ${toolsOfOne} tools`,
  some: '200 hot',
  hot: 'all hot',
};

/**
 * Requests of several tools of one repository: what one tool asks several times at once is looked up once, so with a single one
 * there would be less to ask about, and not only fewer issuers.
 */
async function tokensOfOne(installation: Installation): Promise<Buffer[]> {
  const customer = await Customer.of(installation);
  try {
    const repository = await customer.createRepository('one-hot');
    const tools = await Promise.all(Array.from({ length: toolsOfOne }, (_, index) => customer.createTool(repository, `Tool ${index}`)));
    return tools.map((tool) => written(tokenRequest(tool)));
  } finally {
    await customer.close();
  }
}

/** One after the other, on a server with nothing else to do and warm code. */
async function measureCold(origin: string, requests: Buffer[]): Promise<number[]> {
  const { hostname, port } = new URL(origin);
  const connection = await RawConnection.open(hostname, Number(port));
  const times: number[] = [];
  for (const request of requests) {
    const begun = performance.now();
    await connection.send(request);
    times.push(performance.now() - begun);
  }
  connection.close();
  // The first of all pay for code that is compiled.
  return times.slice(Math.min(50, Math.floor(times.length / 4)));
}

/** What a token of ours says, so that the bare server signs as much. */
async function claimsOf(origin: string, request: Buffer): Promise<Record<string, unknown>> {
  const { hostname, port } = new URL(origin);
  const connection = await RawConnection.open(hostname, Number(port));
  const answer = await connection.send(request);
  connection.close();
  const { access_token: token } = JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4)) as { access_token: string };
  return JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as Record<string, unknown>;
}
