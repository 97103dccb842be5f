import type { CanaryNodeView, CanaryView, NodeKind, RegeneratedSecretView } from '@latchkey/contracts';
import { enter, systemActor, type Actor } from '@latchkey/access';
import { wellKnown } from '@latchkey/content';
import { confirmCutoff, insertClient, regenerateSecret, type KeyRing } from '@latchkey/credentials';
import { CanaryRun, Client, newId, Node, Repository, type Database, type EntityManager } from '@latchkey/database';
import { silentSeconds } from './cutoffs.js';
import { provision } from './repositories.js';

/** The slug of the built-in repository whose secret the canary ends all the time. No customer can take it. */
const canarySlug = 'canary';

/** The canary's client, in its own repository and in the console. Nobody else's is removed from the records. */
const canaryClientId = 'tool_canary';

/** One turn of many workers at a time. */
const turnLock = 7_160_522_704;

/** Slugs of the repositories that have a client of the canary. */
const canaryPlaces = [canarySlug, 'console'];

/** Runs that a report shows. */
const runsShown = 20;

/**
 * Makes what the canary works on, if it is not there: a repository of its own with a tool client that may read, and in the
 * console one that may do nothing, because the tenant API takes only the console's tokens.
 */
export async function installCanary(
  tx: EntityManager,
  keys: { peppers: KeyRing; encryption: KeyRing },
  consoleRepository: Pick<Repository, 'id' | 'tenantId'>,
): Promise<void> {
  const { tenantId } = consoleRepository;
  if (await tx.existsBy(Repository, { slug: canarySlug })) return;
  const blueprint = { tenantId, slug: canarySlug, name: 'Canary', environment: 'production', plan: 'enterprise' } as const;
  const { repository } = await provision(tx, keys, blueprint);
  const client = { id: canaryClientId, tenantId, kind: 'tool' as const, name: 'Canary', userId: wellKnown.publicAdmin };
  await insertClient(tx, { ...client, repositoryId: repository.id, permissions: ['content:read'] });
  await insertClient(tx, { ...client, repositoryId: consoleRepository.id, permissions: [] });
}

/** A client of the canary: whose secret is ended, and which nodes take it or a token that it minted. */
export interface CanaryClient {
  tenantId: string;
  repositoryId: string;
  slug: string;
  clientId: string;
}

/** A process that accepts credentials, and where it is reached. */
export interface LiveNode {
  id: string;
  name: string;
  kind: NodeKind;
  url: string;
}

/** What one flight came to. */
export interface CanaryFlight {
  repository: string;
  /** By the clock of whoever flew. */
  beganAt: Date;
  acceptedForMillis: number;
  nodes: CanaryNodeView[];
}

/** What the canary needs to know and to remember. Only the worker flies it. */
export class Canary {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /**
   * Lets one worker fly, if the last turn was long enough ago.
   *
   * @returns whether it was this one's turn.
   */
  async takeTurn(everySeconds: number, fly: () => Promise<CanaryFlight[]>): Promise<boolean> {
    return this.#database.transaction('system', async (tx) => {
      const [turn] = await tx.query<{ mine: boolean }[]>(
        `SELECT pg_try_advisory_xact_lock($1) AND NOT EXISTS (
           SELECT FROM canary_runs WHERE began_at > now() - make_interval(secs => $2)) AS mine`,
        [turnLock, everySeconds * 0.9],
      );
      if (!turn?.mine) return false;
      for (const flight of await fly()) await tx.insert(CanaryRun, { id: newId(), ...flight, ...totals(flight.nodes) });
      return true;
    });
  }

  /** The clients whose secrets may be ended at any time. */
  async clients(): Promise<CanaryClient[]> {
    return this.#database.read('system', (tx) =>
      tx.query<CanaryClient[]>(
        `SELECT c.tenant_id AS "tenantId", c.repository_id AS "repositoryId", r.slug, c.id AS "clientId"
         FROM repositories r JOIN clients c ON c.repository_id = r.id AND c.id = $1
         WHERE r.slug = ANY ($2) ORDER BY r.slug`,
        [canaryClientId, canaryPlaces],
      ),
    );
  }

  /** Ends the secret of one of the canary's clients as a tenant would, and gives the new one. */
  async regenerate(peppers: KeyRing, { tenantId, repositoryId, slug, clientId }: CanaryClient): Promise<RegeneratedSecretView> {
    const { secret, cutoff } = await this.#database.transaction({ tenantId }, async (tx) => {
      const { environment } = await enter(tx, slug);
      await tx.findOne(Client, { where: { repositoryId, id: clientId }, lock: { mode: 'pessimistic_write' } });
      const owner = { tenantId, repositoryId, clientId, environment };
      return regenerateSecret(tx, peppers, systemActor(tenantId, canarySlug), owner, { overlapSeconds: 0, end: null });
    });
    return { secret, cutoff: await confirmCutoff(this.#database, { tenantId, repositoryId }, cutoff) };
  }

  /** The processes that accept credentials now. */
  async nodes(): Promise<LiveNode[]> {
    return this.#database.read('system', (tx) => liveNodes(tx).select(['n.id', 'n.name', 'n.kind', 'n.url']).getMany());
  }

  /** What the canary saw. It concerns everybody, so there is nothing to authorise. */
  async report(actor: Actor): Promise<CanaryView> {
    return this.#database.read({ tenantId: actor.tenantId }, async (tx) => {
      const [total] = await tx.query<{ violations: number }[]>(
        'SELECT coalesce(sum(violations), 0)::integer AS violations FROM canary_runs WHERE violations > 0',
      );
      const nodes = await liveNodes(tx).select(['n.id', 'n.name', 'n.kind', 'n.startedAt', 'n.seenAt']).getMany();
      const runs = await tx.find(CanaryRun, { order: { beganAt: 'DESC' }, take: runsShown });
      return {
        violations: total?.violations ?? 0,
        nodes: nodes.map(({ id, name, kind, startedAt, seenAt }) => ({
          id,
          node: name,
          kind,
          startedAt: startedAt.toISOString(),
          seenAt: seenAt.toISOString(),
        })),
        runs: runs.map(({ beganAt, ...run }) => ({ ...run, beganAt: beganAt.toISOString() })),
      };
    });
  }
}

function liveNodes(tx: EntityManager) {
  return tx
    .createQueryBuilder(Node, 'n')
    .where(`n.stoppedAt IS NULL AND n.seenAt > now() - interval '${silentSeconds} seconds'`)
    .orderBy('n.kind')
    .addOrderBy('n.name')
    .addOrderBy('n.id');
}

function totals(nodes: CanaryNodeView[]): { requests: number; violations: number } {
  const violations = nodes.reduce((sum, { accepted }) => sum + accepted, 0);
  return { violations, requests: nodes.reduce((sum, { refused, unanswered }) => sum + refused + unanswered, violations) };
}
