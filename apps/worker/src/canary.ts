import { setTimeout as wait } from 'node:timers/promises';
import type { CanaryNodeView } from '@latchkey/contracts';
import type { KeyRing } from '@latchkey/credentials';
import { isUnavailable, type Database } from '@latchkey/database';
import { Counter, Histogram, metrics, type AddressTemplate, type Logger } from '@latchkey/runtime';
import { Canary, consoleSlug, type CanaryClient, type CanaryFlight, type LiveNode } from '@latchkey/tenancy';
import { mint, waysIn, type Held, type Outcome } from './present.js';

const acceptedFor = new Histogram({
  name: 'latchkey_canary_accepted_for_seconds',
  help: 'How long after a cut-off had answered the canary’s old secret or token was still accepted, by a request that began after it',
  buckets: [0, 0.001, 0.01, 0.1, 1, 10],
  registers: [metrics],
});
const violations = new Counter({
  name: 'latchkey_canary_violations_total',
  help: 'Acceptances of what was cut off by requests that began after the cut-off had answered; must stay 0',
  registers: [metrics],
});
const flights = new Counter({
  name: 'latchkey_canary_flights_total',
  help: 'Flights of the canary: completed, or failed because something could not be reached',
  labelNames: ['outcome'],
  registers: [metrics],
});

/** The pause between two presentations of one kind to one node before the call has answered. */
const pauseMillis = 20;

/** How soon it tries again when nothing could be flown. */
const againSeconds = 5;

/** When, after the call has answered, what was cut off is presented: densely at first, for a second in all. */
const afterMillis = [0, 0, 0, 1, 2, 5, 10, 20, 50, 100, 200, 400, 700, 1_000];

export interface CanaryOptions {
  database: Database;
  /** Under which secrets are hashed. */
  peppers: KeyRing;
  authorityUrls: AddressTemplate;
  repositoryUrls: AddressTemplate;
  /** How often it flies; 0 means never. */
  everySeconds: number;
  log: Logger;
}

/** One presentation of what is cut off. */
interface Presentation {
  outcome: Outcome;
  /** How long after the call had answered it began; negative when it began before. */
  beganAfterMillis: number;
}

/**
 * Ends a secret of its own all the time and presents it, and a token that it minted, to every node at once: from before the
 * call until a second after it has answered. Whatever is accepted by a request that began after the answer is a violation
 * of what this product promises. Several workers take turns.
 *
 * @returns how to stop it; a flight that is under way is finished.
 */
export function startCanary(options: CanaryOptions): { close: () => Promise<void> } {
  const flyer = new Flyer(options);
  const stopping = new AbortController();
  const flying = options.everySeconds === 0 ? Promise.resolve() : flyer.run(stopping.signal);
  return {
    close: async () => {
      stopping.abort();
      await flying;
    },
  };
}

class Flyer {
  readonly #options: CanaryOptions;
  readonly #canary: Canary;
  /** The secrets that the latest flights left alive, by repository. They are nowhere else. */
  readonly #secrets = new Map<string, string>();

  constructor(options: CanaryOptions) {
    this.#options = options;
    this.#canary = new Canary(options.database);
  }

  async run(stop: AbortSignal): Promise<void> {
    const { everySeconds } = this.#options;
    while (!stop.aborted) {
      const began = performance.now();
      const flown = await this.#takeTurn();
      const untilNextSeconds = flown ? everySeconds : Math.min(everySeconds, againSeconds);
      await wait(Math.max(0, untilNextSeconds * 1000 - (performance.now() - began)), undefined, { signal: stop }).catch(() => undefined);
    }
  }

  /** @returns whether there was anything to be flown; not when no node is there yet. */
  async #takeTurn(): Promise<boolean> {
    const { everySeconds, log } = this.#options;
    let flown = false;
    try {
      const mine = await this.#canary.takeTurn(everySeconds, async () => {
        const [clients, nodes] = [await this.#canary.clients(), await this.#canary.nodes()];
        const all = await Promise.all(clients.map((client) => this.#fly(client, nodesOf(client, nodes))));
        const landed = all.filter((flight) => flight !== undefined);
        flown = landed.length > 0;
        return landed;
      });
      // Another worker's turn is as good as ours.
      flown ||= !mine;
    } catch (error) {
      flights.inc({ outcome: 'failed' });
      if (isUnavailable(error)) log.warn('the canary could not fly: the database is away');
      else log.error(error, 'the canary could not fly');
    }
    return flown;
  }

  /** @returns nothing when no authority is there that could give it a token. */
  async #fly(client: CanaryClient, nodes: LiveNode[]): Promise<CanaryFlight | undefined> {
    const held = await this.#prepare(client, nodes);
    if (!held) return undefined;
    const beganAt = new Date();
    const answered = Promise.withResolvers<number>();
    const watched = Promise.all(nodes.map((node) => this.#watch(node, client, held, answered.promise)));
    try {
      // So that every way in has been tried once before.
      await wait(5 * pauseMillis);
      const { secret } = await this.#canary.regenerate(this.#options.peppers, client);
      held.workingSecret = secret.value;
      this.#secrets.set(client.slug, secret.value);
    } finally {
      answered.resolve(performance.now());
    }
    const seen = await watched;
    return this.#conclude(client, beganAt, nodes, seen);
  }

  /** Gets a secret and a token that work. */
  async #prepare(client: CanaryClient, nodes: LiveNode[]): Promise<Held | undefined> {
    const known = this.#secrets.get(client.slug);
    const knownToken = known === undefined ? undefined : await this.#mint(client, nodes, known);
    if (known !== undefined && knownToken !== undefined) return { secret: known, token: knownToken, workingSecret: known };
    // The first flight of this process, or another worker has flown since.
    const { secret } = await this.#canary.regenerate(this.#options.peppers, client);
    const token = await this.#mint(client, nodes, secret.value);
    this.#secrets.set(client.slug, secret.value);
    return token === undefined ? undefined : { secret: secret.value, token, workingSecret: secret.value };
  }

  async #mint(client: CanaryClient, nodes: LiveNode[], secret: string): Promise<string | undefined> {
    const authorities = nodes.filter(({ kind }) => kind === 'authority');
    const tokens = await Promise.all(authorities.map((node) => mint({ ...client, ...this.#options, node }, secret)));
    return tokens.find((token) => token !== undefined);
  }

  async #watch(node: LiveNode, client: CanaryClient, held: Held, answered: Promise<number>): Promise<Presentation[]> {
    const ways = waysIn({ ...client, ...this.#options, node }, held);
    return (await Promise.all(ways.map((present) => presentThroughout(present, answered)))).flat();
  }

  #conclude(client: CanaryClient, beganAt: Date, nodes: LiveNode[], seen: Presentation[][]): CanaryFlight {
    const { log } = this.#options;
    const accepted = seen.flat().filter(({ outcome, beganAfterMillis }) => outcome === 'accepted' && beganAfterMillis >= 0);
    const acceptedForMillis = Math.max(0, ...accepted.map(({ beganAfterMillis }) => beganAfterMillis));
    acceptedFor.observe(acceptedForMillis / 1000);
    violations.inc(accepted.length);
    flights.inc({ outcome: 'completed' });
    const flight = {
      repository: client.slug,
      beganAt,
      acceptedForMillis: Math.round(acceptedForMillis * 10) / 10,
      nodes: nodes.map((node, index) => summary(node, seen[index] ?? [])),
    };
    if (accepted.length > 0) log.error({ flight }, 'a node accepted what had been cut off');
    else log.debug({ flight }, 'every node refused what had been cut off');
    return flight;
  }
}

/** Presents it again and again until the call has answered, and then on the schedule. */
async function presentThroughout(present: () => Promise<Outcome>, answered: Promise<number>): Promise<Presentation[]> {
  const seen: Promise<{ outcome: Outcome; beganAt: number }>[] = [];
  const presentNow = () => {
    const beganAt = performance.now();
    const presented = present().then((outcome) => ({ outcome, beganAt }));
    seen.push(presented);
    return presented;
  };
  let answeredAt: number | undefined;
  do answeredAt = await Promise.race([answered, presentNow().then(() => wait(pauseMillis, undefined))]);
  while (answeredAt === undefined);
  for (const after of afterMillis) {
    await wait(Math.max(0, answeredAt + after - performance.now()));
    void presentNow();
  }
  const base = answeredAt;
  return (await Promise.all(seen)).map(({ outcome, beganAt }) => ({ outcome, beganAfterMillis: beganAt - base }));
}

/** The nodes that take this client's tokens. Authorities serve every repository. */
function nodesOf({ slug }: CanaryClient, nodes: LiveNode[]): LiveNode[] {
  const other = slug === consoleSlug ? 'tenant-api' : 'repository-api';
  return nodes.filter(({ kind }) => kind === 'authority' || kind === other);
}

function summary({ name, kind }: LiveNode, seen: Presentation[]): CanaryNodeView {
  const count = (outcome: Outcome, after: boolean) =>
    seen.filter((each) => each.outcome === outcome && each.beganAfterMillis >= 0 === after).length;
  return {
    node: name,
    kind,
    acceptedBefore: count('accepted', false),
    refused: count('refused', true),
    accepted: count('accepted', true),
    unanswered: count('unanswered', true),
  };
}
