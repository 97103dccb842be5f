import { setTimeout as wait } from 'node:timers/promises';
import type { Entry } from './history.js';
import type { App, Installation, TrialNode } from './installation.js';
import type { Random } from './random.js';

/** Something bad, done to one process or to PostgreSQL, and undone. Resolves when it is. */
interface FaultKind {
  kind: string;
  weight: number;
  apps: App[];
  inflict: (node: TrialNode, random: Random, longestMillis: number) => Promise<void>;
}

const everyone: App[] = ['authority', 'repository-api', 'worker', 'tenant-api'];

const kinds: FaultKind[] = [
  { kind: 'kill', weight: 6, apps: everyone, inflict: ({ process }) => process.kill() },
  {
    kind: 'pause',
    weight: 6,
    apps: everyone,
    inflict: ({ process }, random, longest) => process.pause(random.between(200, longest)),
  },
  { kind: 'cut', weight: 5, apps: everyone, inflict: ({ link }, random) => disturb(link?.cut.bind(link), link, random.between(0, 1_500)) },
  {
    kind: 'stall',
    weight: 6,
    apps: everyone,
    inflict: ({ link }, random, longest) => disturb(link?.stall.bind(link), link, random.between(100, longest / 2)),
  },
  {
    kind: 'hold answers',
    weight: 6,
    apps: everyone,
    inflict: ({ link }, random, longest) => disturb(link?.holdAnswers.bind(link), link, random.between(100, longest / 4)),
  },
  {
    kind: 'delay',
    weight: 8,
    apps: everyone,
    inflict: ({ link }, random) => {
      const millis = random.between(5, 250);
      return disturb(link && (() => link.delay(millis)), link, random.between(500, 4_000));
    },
  },
];

async function disturb(how: (() => void) | undefined, link: TrialNode['link'], millis: number): Promise<void> {
  how?.();
  await wait(millis);
  link?.mend();
}

/** The tenant API is what we drive with: it suffers too, but less often. */
const likelihood: Record<App, number> = { authority: 6, 'repository-api': 4, worker: 1, 'tenant-api': 0.4 };
/** How many processes are in trouble at once, so that something goes on being accepted. */
const atOnce = 2;
const pauseMillis = { least: 100, most: 900 };
/** Between two restarts of PostgreSQL. */
const databaseMillis = { least: 12_000, most: 30_000 };

/** Inflicts faults until stopped: first each kind once, then as chance has it. */
export class Faults {
  readonly #troubled = new Set<TrialNode>();
  readonly #underWay = new Set<Promise<void>>();

  constructor(
    readonly installation: Installation,
    readonly random: Random,
    /** The longest that a process is paused. */
    readonly longestMillis: number,
    readonly record: (entry: Entry) => void,
    readonly stop: AbortSignal,
  ) {}

  /** Resolves when it was stopped and everything is undone. */
  async run(): Promise<void> {
    await Promise.all([this.#disturbNodes(), this.#disturbDatabase()]);
    await Promise.all(this.#underWay);
  }

  async #disturbNodes(): Promise<void> {
    const first = this.random.shuffled(kinds);
    while (!this.stop.aborted) {
      const kind = first[0] ?? this.random.weighted(kinds.map((each) => [each.weight, each] as const));
      if (this.#troubled.size < atOnce && this.#inflict(kind)) first.shift();
      await this.#pause(this.random.between(pauseMillis.least, pauseMillis.most));
    }
  }

  /** @returns whether a process was found for it. */
  #inflict({ kind, apps, inflict }: FaultKind): boolean {
    const app = this.random.weighted(apps.map((each) => [likelihood[each], each] as const));
    const node = this.random.pick(this.installation.of(app));
    if (this.#troubled.has(node)) return false;
    this.#troubled.add(node);
    const underWay = this.#recorded(kind, node.name, () => inflict(node, this.random, this.longestMillis)).finally(() => {
      this.#troubled.delete(node);
      this.#underWay.delete(underWay);
    });
    this.#underWay.add(underWay);
    return true;
  }

  async #disturbDatabase(): Promise<void> {
    const { postgres } = this.installation;
    const acts = [
      ['restart', () => postgres.restart()],
      ['crash', () => postgres.crash()],
    ] as const;
    for (let turn = 0; ; turn++) {
      await this.#pause(this.random.between(databaseMillis.least, databaseMillis.most));
      if (this.stop.aborted) return;
      const [kind, act] = acts[turn % acts.length]!;
      const begin = performance.now();
      await this.#recorded(`${kind} of PostgreSQL`, 'postgres', act);
      this.record({ type: 'outage', begin, end: performance.now() });
    }
  }

  async #recorded(kind: string, target: string, act: () => Promise<void>): Promise<void> {
    const begin = performance.now();
    await act();
    this.record({ type: 'fault', kind, target, begin, end: performance.now() });
  }

  async #pause(millis: number): Promise<void> {
    await wait(millis, undefined, { signal: this.stop }).catch(() => undefined);
  }
}
