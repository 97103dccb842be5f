import { setTimeout as wait } from 'node:timers/promises';
import { isCompleteProof, Problem, type CutoffNodeView, type CutoffProofView, type Page, type PageQuery } from '@latchkey/contracts';
import { authorize, cursor, enter, pageOf, type Actor } from '@latchkey/access';
import { isId, type Database, type EntityManager } from '@latchkey/database';
import { propagationOf } from './webhook-deliveries.js';

/** A node that has said nothing for so long is not counted on: it says that it is alive every five seconds. */
export const silentSeconds = 15;

/** How long a proof is followed at most, and how many are at once in one process: by all tenants together, and by one. */
const followMillis = 30_000;
const followers = 100;
const followersOfTenant = 10;

/** The pause before the next look: short while a node may report at any moment. */
const eagerMillis = 3_000;
const pauseMillis = { eager: 100, patient: 1_000 };

/** Which cut-offs: those of one repository, or all of the tenant with those of its own credentials. */
export interface CutoffsOf {
  slug?: string;
}

interface CutoffRow {
  id: string;
  kind: string;
  clientId: string | null;
  userId: number | null;
  effectiveAt: Date | null;
  withdrawnAt: Date | null;
  nodes: CutoffNodeView[];
}

/** The proofs of what was cut off: what every node saw, and to whom it was announced. */
export class Cutoffs {
  readonly #database: Database;
  /** The places of those who follow a proof, with the tenant of each. Who came first is first; aborting one ends it. */
  readonly #following = new Map<AbortController, string>();

  constructor(database: Database) {
    this.#database = database;
  }

  /** The latest first. */
  async list(actor: Actor, of: CutoffsOf, { limit, after }: PageQuery): Promise<Page<CutoffProofView>> {
    return this.#read(actor, of, async (tx, repositoryId) => {
      const rows = await tx.query<CutoffRow[]>(
        `${proof} WHERE ${inScope} AND ($3::uuid IS NULL OR c.id < $3) ORDER BY c.id DESC LIMIT $4`,
        [actor.tenantId, repositoryId, after === undefined ? null : cursor(after), limit + 1],
      );
      const { page, next } = pageOf(rows, limit);
      return { items: await present(tx, page), next };
    });
  }

  /** @throws Problem `not-found`. */
  async get(actor: Actor, of: CutoffsOf, id: string): Promise<CutoffProofView> {
    return this.#read(actor, of, async (tx, repositoryId) => {
      const rows = isId(id)
        ? await tx.query<CutoffRow[]>(`${proof} WHERE ${inScope} AND c.id = $3`, [actor.tenantId, repositoryId, id])
        : [];
      const [view] = await present(tx, rows);
      if (!view) throw new Problem('not-found', 'There is no such cut-off.');
      return view;
    });
  }

  /** Those proofs of the tenant, once every node has reported to each, or the time is over. */
  async settle(actor: Actor, ids: string[], millis: number): Promise<CutoffProofView[]> {
    const began = performance.now();
    for (;;) {
      const views = await this.#read(actor, {}, async (tx) =>
        present(tx, await tx.query<CutoffRow[]>(`${proof} WHERE c.tenant_id = $1 AND c.id = ANY($2) ORDER BY c.id`, [actor.tenantId, ids])),
      );
      const done = views.every(({ nodes }) => nodes.every(({ refusedAfterMillis }) => refusedAfterMillis !== null));
      if (done || performance.now() - began > millis) return views;
      await wait(pauseMillis.eager);
    }
  }

  /**
   * A proof as it fills up: its whole state, again whenever it has changed, until every node has reported and every target
   * has its answer, or half a minute is over, or a tenant with fewer followers needs the place. Whoever comes again loses nothing.
   *
   * @param stop ends it before; whoever does not read to the end must use it.
   * @throws Problem `not-found`; `too-many-requests` when the tenant follows as many as it may, or its part of what this process can.
   */
  async follow(actor: Actor, of: CutoffsOf, id: string, stop: AbortSignal): Promise<AsyncGenerator<CutoffProofView>> {
    const first = await this.get(actor, of, id);
    this.#makeRoom(actor.tenantId);
    // Counted from now on and not when the first state is read: of many who ask at once none is left out.
    const place = new AbortController();
    const end = AbortSignal.any([stop, place.signal]);
    const leave = () => void this.#following.delete(place);
    this.#following.set(place, actor.tenantId);
    end.addEventListener('abort', leave, { once: true });
    if (end.aborted) leave();
    return follow(() => this.get(actor, of, id), first, end, leave);
  }

  /** When all places are taken, the oldest of the tenant that has most is ended for one that will still have fewer. */
  #makeRoom(tenantId: string): void {
    const held = new Map<string, number>();
    for (const each of this.#following.values()) held.set(each, (held.get(each) ?? 0) + 1);
    const own = held.get(tenantId) ?? 0;
    const most = Math.max(...held.values());
    const isFull = this.#following.size >= followers;
    if (own >= followersOfTenant || (isFull && own + 1 >= most)) {
      throw new Problem('too-many-requests', 'Too many proofs are being followed. Read this one again in a moment.', {
        retryAfterSeconds: 5,
      });
    }
    if (isFull) [...this.#following].find(([, each]) => held.get(each) === most)?.[0].abort();
  }

  async #read<T>(actor: Actor, { slug }: CutoffsOf, work: (tx: EntityManager, repositoryId: string | null) => Promise<T>): Promise<T> {
    authorize(actor, 'repositories:read');
    return this.#database.read({ tenantId: actor.tenantId }, async (tx) =>
      // The proof of its deletion outlives a repository.
      work(tx, slug === undefined ? null : (await enter(tx, slug, { deleted: true })).id),
    );
  }
}

async function* follow(
  look: () => Promise<CutoffProofView>,
  first: CutoffProofView,
  stop: AbortSignal,
  leave: () => void,
): AsyncGenerator<CutoffProofView> {
  const began = performance.now();
  const age = () => performance.now() - began;
  try {
    yield first;
    let latest = first;
    while (!isCompleteProof(latest) && age() < followMillis) {
      await wait(age() < eagerMillis ? pauseMillis.eager : pauseMillis.patient, undefined, { signal: stop }).catch(() => undefined);
      if (stop.aborted) return;
      const next = await look();
      if (JSON.stringify(next) !== JSON.stringify(latest)) yield next;
      latest = next;
    }
  } finally {
    leave();
  }
}

const inScope = 'c.tenant_id = $1 AND ($2::uuid IS NULL OR c.repository_id = $2)';

/**
 * A node counts that was running at the time and was heard of shortly before it or at any time after. One that stopped of
 * its own accord before then accepted nothing any more.
 */
const proof = `
  SELECT c.id, c.kind, c.client_id AS "clientId", c.user_id AS "userId", c.effective_at AS "effectiveAt", c.withdrawn_at AS "withdrawnAt",
    CASE WHEN c.withdrawn_at IS NOT NULL THEN '[]' ELSE (SELECT coalesce(jsonb_agg(to_jsonb(n) ORDER BY n.kind, n.node, n.id), '[]') FROM (
      SELECT r.node_id AS id, r.node_name AS node, r.node_kind AS kind,
        greatest(0, round(extract(epoch FROM r.refused_at - coalesce(c.effective_at, c.recorded_at)) * 1000, 1)) AS "refusedAfterMillis"
      FROM cutoff_reports r WHERE r.repository_id = c.repository_id AND r.cutoff_id = c.id
      UNION ALL
      SELECT n.id, n.name, n.kind, NULL FROM nodes n
      WHERE n.started_at <= time.at AND n.seen_at >= time.at - interval '${silentSeconds} seconds'
        AND (n.stopped_at IS NULL OR n.stopped_at > time.at)
        AND NOT EXISTS (
          SELECT FROM cutoff_reports r WHERE r.repository_id = c.repository_id AND r.cutoff_id = c.id AND r.node_id = n.id)) n) END AS nodes
  FROM cutoffs c
  CROSS JOIN LATERAL (SELECT least(coalesce(c.effective_at, c.recorded_at), clock_timestamp()) AS at) AS time`;

async function present(tx: EntityManager, rows: CutoffRow[]): Promise<CutoffProofView[]> {
  const propagation = await propagationOf(
    tx,
    rows.map(({ id }) => id),
  );
  return rows.map(({ effectiveAt, withdrawnAt, ...row }) => ({
    ...row,
    effectiveAt: effectiveAt?.toISOString() ?? null,
    withdrawnAt: withdrawnAt?.toISOString() ?? null,
    propagation: propagation.get(row.id) ?? [],
  }));
}
