import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { Installation } from '@latchkey/chaos/installation';
import type { SeededRepository } from '@latchkey/seed';
import { Notice, runBench, withSeeded } from './bench.js';
import { Comings } from './comings.js';
import { Customer, tokenRequest } from './customer.js';
import { canPin, describeMachine, givenShareMeter, processorOf } from './machine.js';
import { OpenLoad, type Held } from './open-load.js';
import { probe, probeArguments, type Probed } from './probe.js';
import { rawLoad, sendAll, written } from './raw-load.js';
import { table, writeSection } from './report.js';
import { benchRepository, tokenBytes } from './rows/row.js';
import { growthOf, median, quantile } from './statistics.js';

/*
 * `npm run bench:soak`: holds a share of the peak of the token endpoint for long, while repositories come and go, and sees
 * whether anything fails, grows or lags. Everything is on loopback, and it ends by itself.
 */

const usage = `npm run bench:soak -- [options]

  --minutes N        how long (30)
  --repositories N   that are asked for tokens, besides those that come and go (2000)
  --share N          of the peak that is measured first (0.7)
  --no-write         print only; leave docs/benchmarks.md as it is, as with less than 30 minutes
`;

const say = (line: string) => void process.stdout.write(`${line}\n`);
const connections = 128;
const peakConnections = 64;
/** Of twenty seconds each. */
const peakRounds = 9;
/** Of the requests, those that take the way through oidc-provider, and those that are for repositories that come and go. */
const [standardShare, comingShare] = [0.01, 0.05];
const comingEveryMillis = 500;

interface Sample extends Probed {
  seconds: number;
}

interface Soaked {
  peak: number;
  rate: number;
  minutes: number;
  held: Held;
  counts: { made: number; deleted: number };
  samples: Sample[];
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '30' },
      repositories: { type: 'string', default: '2000' },
      share: { type: 'string', default: '0.7' },
      'no-write': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return say(usage);
  const [minutes, repositories, share] = [values.minutes, values.repositories, values.share].map(Number) as [number, number, number];
  if (!(minutes > 0 && minutes <= 24 * 60 && repositories >= 10 && share > 0 && share <= 1))
    throw new Notice('--minutes must be a number up to 1440, --repositories from 10 on, and --share up to 1.');
  const soaked = await withSeeded(
    {
      authorities: 1,
      repositoryApis: 0,
      nodeArguments: (name) => (name.startsWith('authority') ? probeArguments : []),
      ...(canPin ? { processor: processorOf } : {}),
    },
    { repositories },
    (installation, seeded) => soak(installation, seeded, minutes, share),
  );
  const { lines, good } = judge(soaked);
  const date = new Date().toISOString().slice(0, 10);
  const text = [`Measured on ${date} on ${describeMachine()}.`, '', ...lines].join('\n');
  say(`\n${text}`);
  if (!values['no-write'] && minutes >= 30) await writeSection('Load held', `\`npm run bench:soak\`\n\n${text}`);
  if (!good) throw new Notice('The load was not held as it should be.');
}

async function soak(installation: Installation, seeded: SeededRepository[], minutes: number, share: number): Promise<Soaked> {
  const [node] = installation.of('authority');
  const requests = seeded.map(tokenBytes);
  const standard = seeded.map((repository) => {
    const request = tokenRequest(benchRepository(repository));
    return written({ ...request, body: `${request.body}&unknown=parameter` });
  });
  // What is remembered of each is there before it is measured.
  await sendAll(node!.origin, standard);
  for (const seconds of [5, 5]) await rawLoad(node!.origin, peakConnections, seconds, requests, () => undefined);
  // A shared machine is a third faster or slower from one minute to the next. What the host gives to others is counted apart,
  // here and below: the load is a share of the peak of what is left.
  const peaks: number[] = [];
  for (let round = 0; round < peakRounds; round++) {
    const given = givenShareMeter();
    const { perSecond } = await rawLoad(node!.origin, peakConnections, 20, requests, () => undefined);
    peaks.push(perSecond / given());
  }
  const peak = median(peaks);
  const rate = peak * share;
  say(`The peak is ${Math.round(peak)}/s; ${Math.round(rate)}/s for ${minutes} minutes…`);

  const customer = await Customer.of(installation);
  const comings = await Comings.open(customer, node!.origin);
  const one = <T>(of: T[]) => of[Math.floor(Math.random() * of.length)]!;
  const next = () => {
    const which = Math.random();
    if (which < standardShare) return one(standard);
    return (which < standardShare + comingShare ? comings.request() : undefined) ?? one(requests);
  };
  const load = new OpenLoad(node!.origin, next);
  await probe(node!.process.pid!);
  const under = Promise.all([load.run(rate, connections, givenShareMeter()), comings.run(comingEveryMillis)]);
  const samples = watch(node!.process.pid!, minutes, load.held);
  try {
    // Whatever fails ends all.
    const sampled = await Promise.race([samples, under.then(() => samples)]);
    load.stop();
    comings.stop();
    await under;
    return { peak, rate, minutes, held: load.held, counts: comings.counts, samples: sampled };
  } finally {
    load.stop();
    comings.stop();
    samples.catch(() => undefined);
    await customer.close();
  }
}

async function watch(pid: number, minutes: number, held: Held): Promise<Sample[]> {
  const samples: Sample[] = [];
  const begun = performance.now();
  const seconds = () => (performance.now() - begun) / 1_000;
  // Sixty of them, but none sooner than after two seconds.
  const every = Math.max(2, minutes);
  while (seconds() < minutes * 60) {
    await wait(Math.max(0, Math.min(every, minutes * 60 - seconds())) * 1_000);
    samples.push({ seconds: seconds(), ...(await probe(pid)) });
    const { rss, heapUsed } = samples.at(-1)!;
    if (samples.length % 10 === 0)
      say(`${Math.round(seconds())} s: ${held.sent} sent, ${held.failed} failed, heap ${megabytes(heapUsed)}, resident ${megabytes(rss)}`);
  }
  return samples;
}

const megabytes = (bytes: number) => `${(bytes / 1024 / 1024).toFixed(1)} MB`;

function judge({ peak, rate, minutes, held, counts, samples }: Soaked): { lines: string[]; good: boolean } {
  // The first fifth fills what is remembered for good.
  const later = samples.slice(Math.floor(samples.length / 5));
  const growth = (of: 'heapUsed' | 'rss') =>
    growthOf(
      later.map(({ seconds }) => seconds),
      later.map((sample) => sample[of]),
    );
  const flat = (of: 'heapUsed' | 'rss') => Math.abs(growth(of).share) <= 0.1 || growth(of).share < 0;
  const grown = (of: 'heapUsed' | 'rss') =>
    `${megabytes(later[0]?.[of] ?? 0)} → ${megabytes(later.at(-1)?.[of] ?? 0)}, ${(growth(of).share * 100).toFixed(1)} % by its slope`;
  const delay = (of: 'delay' | 'ownDelay') => {
    const millis = samples.flatMap((sample) => sample[of].millis);
    return { p99: quantile(millis, 0.99), most: Math.max(...samples.map((sample) => sample[of].mostMillis)) };
  };
  const delayed = (of: 'delay' | 'ownDelay') => `p99 ${delay(of).p99.toFixed(1)} ms, most ${delay(of).most.toFixed(0)} ms`;
  const latency = (percent: number) => (held.latencies.percentile(percent) / 1_000).toFixed(1);
  const rows: [string, string, string, boolean | undefined][] = [
    [
      'requests',
      `${held.sent}, ${Math.round(held.sent / minutes / 60)}/s (peak ${Math.round(peak)}/s, planned ${Math.round(rate)}/s of the whole machine)`,
      '',
      undefined,
    ],
    [
      'planned less, because the host gave processor time to others',
      `${Math.max(0, Math.round((1 - held.planned / (rate * minutes * 60)) * 100))} %`,
      '',
      undefined,
    ],
    ['failed', `${held.failed}${held.faults.length > 0 ? `: ${held.faults[0]!.split('\r\n')[0]}` : ''}`, '0', held.failed === 0],
    ['latency from when it was due', `p50 ${latency(50)} ms, p99 ${latency(99)} ms`, '', undefined],
    ['repositories that came and went', `${counts.made} made, ${counts.deleted} deleted`, '', undefined],
    ['heap after collection', grown('heapUsed'), 'flat: within 10 %', flat('heapUsed')],
    ['resident', grown('rss'), 'flat: within 10 %', flat('rss')],
    ['event-loop delay on the wall clock, with what the host took', delayed('delay'), '', undefined],
    ['event-loop delay of its own work', delayed('ownDelay'), 'p99 < 20 ms', delay('ownDelay').p99 < 20],
  ];
  const word = (reached: boolean | undefined) => (reached === undefined ? '' : reached ? 'reached' : '**not reached**');
  return {
    lines: [
      `**${minutes} minutes at ${Math.round((rate / peak) * 100)} % of the peak** of one authority's token endpoint, while repositories come, get other secrets and go.`,
      '',
      table(
        ['', 'measured', 'goal', ''],
        rows.map(([what, measured, goal, reached]) => [what, measured, goal, word(reached)]),
      ),
    ],
    good: rows.every(([, , , reached]) => reached !== false),
  };
}

await runBench(main);
