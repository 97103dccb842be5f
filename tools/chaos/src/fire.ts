import { setTimeout as wait } from 'node:timers/promises';
import { Acts } from './acts.js';
import { checkHistory, type Verdict } from './checker.js';
import type { DatabaseLink } from './database-link.js';
import { Faults } from './faults.js';
import { Holdings } from './holdings.js';
import type { Installation } from './installation.js';
import { Presenting } from './presenting.js';
import { Random } from './random.js';
import { readHistory, Recorder } from './recorder.js';
import { Supplies } from './supplies.js';
import { TenantCalls } from './tenant-calls.js';

export interface FireOptions {
  seed: number;
  seconds: number;
  historyFile: string;
  /** `all`; or held answers alone, which are enough to find a faulty check. */
  faults: 'all' | 'held answers';
  say: (line: string) => void;
  /** Raised when the run is to end early. */
  stop: AbortSignal;
  /** Asked of what has happened so far, every few seconds, whether that will do: then it ends there. */
  enough?: (verdict: Verdict) => boolean;
}

/** What came of a run. */
export interface FireResult {
  verdict: Verdict;
  /** What was done, and how often: faults, calls by act and outcome, presentations by process, way and outcome. */
  counts: Record<string, number>;
}

const repositories = 3;
const drivers = 4;
const longestPauseMillis = 10_000;
const sayEverySeconds = 10;
const askEverySeconds = 3;
/** After a run the slowest process is ready again within this. */
const settleMillis = 60_000;
/** Of all that have died, so many are presented everywhere at the end. */
const presentedAtLast = 300;

/** Sets an installation on fire for so long and judges its history. */
export async function runFire(installation: Installation, options: FireOptions): Promise<FireResult> {
  const { seed, seconds, historyFile } = options;
  const random = new Random(seed);
  const recorder = new Recorder(historyFile);
  const record = (entry: Parameters<Recorder['write']>[0]) => {
    recorder.write(entry);
    if (entry.type === 'cut-off') recorder.count(`act ${entry.act}: ${entry.outcome}`);
    if (entry.type === 'presentation') {
      recorder.count(`node ${entry.node}: ${entry.outcome}`);
      recorder.count(`way ${entry.way}: ${entry.outcome}`);
      if (entry.outcome === 'unanswered') recorder.count(`unanswered: ${entry.answer}`);
    }
  };
  const holdings = new Holdings(new Random(seed + 1), record);
  const tenant = new TenantCalls(installation, random, record);
  const presenting = new Presenting(installation.nodes, holdings, new Random(seed + 2), record);
  const stop = new AbortController();
  options.stop.addEventListener('abort', () => stop.abort());
  const authorities = installation.of('authority');
  const supplies = new Supplies({ holdings, tenant, random, authorities, stop: stop.signal });
  const acts = new Acts({ holdings, supplies, tenant, presenting, random, authorities, record, stop: stop.signal });
  try {
    await supplies.enterConsole();
    for (let i = 0; i < repositories; i++) await supplies.provision();
    presenting.start();
    const underWay = [
      ...Array.from({ length: drivers }, () => acts.perform()),
      options.faults === 'all'
        ? new Faults(installation, new Random(seed + 3), Math.min(longestPauseMillis, seconds * 150), record, stop.signal).run()
        : holdAnswersUp(installation, new Random(seed + 3), stop.signal),
    ];
    await burn(options, recorder, stop.signal);
    stop.abort();
    await Promise.all(underWay);
    await presenting.stop();
    if (!options.enough) await presentAtLast(installation, presenting, holdings, random);
  } finally {
    stop.abort();
    await Promise.all([tenant, presenting, acts, supplies].map((each) => each.close()));
    await recorder.close();
  }
  const verdict = checkHistory(await readHistory(historyFile));
  return { verdict, counts: Object.fromEntries([...recorder.counts].sort(([one], [other]) => one.localeCompare(other))) };
}

async function burn({ seconds, historyFile, say, enough }: FireOptions, recorder: Recorder, stop: AbortSignal): Promise<void> {
  const count = (name: string) => recorder.counts.get(name) ?? 0;
  const every = enough ? askEverySeconds : sayEverySeconds;
  for (const deadline = performance.now() + seconds * 1_000; performance.now() < deadline && !stop.aborted;) {
    await wait(Math.ceil(Math.min(every * 1_000, deadline - performance.now())) + 1, undefined, { signal: stop }).catch(() => undefined);
    const left = Math.max(0, Math.round((deadline - performance.now()) / 1_000));
    say(`${left} s left: ${count('presentation')} presentations, ${count('cut-off')} cut-offs, ${count('fault')} faults`);
    if (enough?.(checkHistory(await readHistory(historyFile)))) return;
  }
}

/** Answers of the database take their time, so that there are always some on their way. */
async function holdAnswersUp(installation: Installation, random: Random, stop: AbortSignal): Promise<void> {
  const links = installation.nodes.flatMap(({ app, link }) => (link && (app === 'authority' || app === 'repository-api') ? [link] : []));
  const hold = async (link: DatabaseLink) => {
    while (!stop.aborted) {
      link.holdAnswers();
      await wait(random.between(50, 400));
      link.mend();
      await wait(random.between(50, 200));
    }
  };
  await Promise.all(links.map(hold));
}

/** Presents what lives, and much of what has died, everywhere, once all processes are ready again. */
async function presentAtLast(installation: Installation, presenting: Presenting, holdings: Holdings, random: Random): Promise<void> {
  await Promise.all(installation.nodes.map(({ process }) => process.ready(settleMillis)));
  await presenting.everywhere([...holdings.live]);
  for (const some of chunks(random.shuffled(holdings.graveyard).slice(0, presentedAtLast), 20)) await presenting.everywhere(some);
}

function chunks<T>(all: T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, index) => all.slice(index * size, (index + 1) * size));
}
