import { setTimeout as wait } from 'node:timers/promises';
import { Connections, type Reply } from './connections.js';
import type { Entry } from './history.js';
import type { Credential, Holdings } from './holdings.js';
import type { TrialNode } from './installation.js';
import type { Random } from './random.js';
import { presentation, ways, type Way } from './ways.js';

/** Loops per process, each with one request under way, and the pause after each, so that acts and faults get their turn. */
const loopsPerNode = 3;
/** Whoever presents dead secrets too often from one address is slowed down, so each loop has several. */
const addressesPerLoop = 6;
const pauseMillis = { answered: 4, unanswered: 100 };
/** Connections per process for what is presented the moment a cut-off has answered, in pools of which chance picks one. */
const bursts = { pools: 8, connections: 6 };
/** Tokens that are kept of one secret: some, and more while the secret is about to end. */
const tokensKept = { cold: 2, hot: 5 };
/** What a hot secret mints is presented more for so long. */
const hotMillis = 1_000;

/** Presents credentials to processes and writes down what came of it. */
export class Presenting {
  readonly #nodes: { node: TrialNode; steady: Connections[]; burst: Connections[] }[];
  #stopped = false;
  #loops: Promise<void>[] = [];

  constructor(
    nodes: TrialNode[],
    readonly holdings: Holdings,
    readonly random: Random,
    readonly record: (entry: Entry) => void,
  ) {
    this.#nodes = nodes
      .filter(({ app }) => app !== 'worker')
      .map((node) => ({
        node,
        steady: Array.from({ length: loopsPerNode * addressesPerLoop }, () => new Connections(node.origin, 1)),
        burst: Array.from({ length: bursts.pools }, () => new Connections(node.origin, bursts.connections)),
      }));
  }

  /** Presents without pause until told to stop. */
  start(): void {
    this.#loops = this.#nodes.flatMap(({ node, steady }) =>
      Array.from({ length: loopsPerNode }, (_, index) =>
        this.#loop(node, steady.slice(index * addressesPerLoop, (index + 1) * addressesPerLoop)),
      ),
    );
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#loops);
  }

  async close(): Promise<void> {
    await Promise.all(this.#nodes.flatMap(({ steady, burst }) => [...steady, ...burst].map((connections) => connections.close())));
  }

  /**
   * Presents each credential at every process that takes it, at once and in every way; refresh tokens only when they are
   * dead for good. Resolves when all have answered.
   */
  async everywhere(credentials: Credential[]): Promise<void> {
    const presented = credentials.filter(({ kind, ended }) => kind !== 'refresh-token' || ended);
    const attempts = this.#nodes.flatMap(({ node, burst }) =>
      presented.flatMap((credential) =>
        waysFor(node, credential).map((way) => this.#present(credential, node, way, this.random.pick(burst))),
      ),
    );
    await Promise.all(attempts);
  }

  async #loop(node: TrialNode, connections: Connections[]): Promise<void> {
    while (!this.#stopped) {
      const credential = this.holdings.choose((each) => waysFor(node, each).length > 0);
      const way = credential && this.random.pick(waysFor(node, credential));
      const answered = way && (await this.#present(credential, node, way, this.random.pick(connections)));
      await wait(answered ? this.random.between(0, 2 * pauseMillis.answered) : pauseMillis.unanswered);
    }
  }

  /** @returns whether the answer said yes or no. */
  async #present(credential: Credential, node: TrialNode, way: Way, connections: Connections): Promise<boolean> {
    const wasLive = this.holdings.live.has(credential);
    credential.spent = true;
    if (credential.kind === 'refresh-token') this.holdings.bury([credential]);
    const reply = await connections.call(way.call(credential));
    const entry = presentation(credential.id, node.name, way, reply);
    this.record(entry);
    if (way.name === 'introspection') this.#recordInspector(credential, node, reply);
    if (entry.outcome === 'accepted') this.#keep(credential, way, reply, wasLive);
    // A person may have been cut off while they signed in; what that gave is dead, and the next sign-in brings more.
    if (entry.outcome === 'refused' && (credential.kind === 'user-token' || credential.kind === 'session'))
      this.holdings.bury([credential]);
    return entry.outcome !== 'unanswered';
  }

  /** Introspection proves who asks as well. */
  #recordInspector({ repository }: Credential, node: TrialNode, reply: Reply): void {
    const asks: Way = {
      ...(ways[0] as Way),
      name: 'introspection’s caller',
      judge: ({ status }) => (status === 200 ? 'accepted' : status === 401 || status === 404 ? 'refused' : undefined),
    };
    if (repository.inspector) this.record(presentation(repository.inspector.id, node.name, asks, reply));
  }

  /** Takes into our hands what an accepted credential was answered with. */
  #keep(credential: Credential, way: Way, reply: Reply, wasLive: boolean): void {
    if (credential.kind === 'secret') this.#keepToken(credential, reply);
    if (way.name === 'refresh' && wasLive) {
      const { refresh_token: value } = JSON.parse(reply.text) as { refresh_token?: string };
      const { kind, repository, person, needs, boundTo } = credential;
      if (value) this.#takeWith(credential, { kind, value, repository, person: person!, needs, boundTo }, reply);
    }
  }

  #keepToken(secret: Credential, reply: Reply): void {
    const { repository, tool } = secret;
    const kept = this.holdings.hangingOn(secret.needs[0]!).filter(({ kind }) => kind !== 'secret').length;
    const limit = this.holdings.isHot(secret) ? tokensKept.hot : tokensKept.cold;
    if (!tool || kept >= limit) return;
    const { access_token: value, expires_in: seconds } = JSON.parse(reply.text) as { access_token: string; expires_in: number };
    const [version, ...others] = secret.needs as [string, ...string[]];
    const expires = reply.begin + seconds * 1_000;
    const token = {
      kind: repository.isConsole ? ('tenant-token' as const) : ('tool-token' as const),
      value,
      repository,
      tool,
      needs: [version, this.holdings.name('token')],
      boundTo: others,
      expires,
    };
    this.#takeWith(secret, token, reply);
  }

  /** What was issued by something that has ended meanwhile is as dead as that. */
  #takeWith(parent: Credential, credential: Omit<Credential, 'id'>, reply: Reply): void {
    const taken = this.holdings.take(credential, reply);
    if (this.holdings.isHot(parent)) this.holdings.heat([taken], hotMillis);
    if (parent.kind === 'secret' && !this.holdings.live.has(parent)) this.holdings.bury([taken]);
    if (parent.person?.busy || parent.repository.busy) this.holdings.bury([taken]);
  }
}

function waysFor(node: TrialNode, { kind }: Credential): Way[] {
  return ways.filter((way) => way.app === node.app && way.kinds.includes(kind));
}
