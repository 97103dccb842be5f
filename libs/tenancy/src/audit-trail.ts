import { Problem, type AuditEventView, type AuditQuery, type Page } from '@latchkey/contracts';
import { authorize, cursor, pageOf, type Actor } from '@latchkey/access';
import type { RepositoryDirectory } from '@latchkey/credentials';
import { AuditEvent, Repository, type Database, type EntityManager } from '@latchkey/database';
import { findConsole } from './installation.js';
import { namesOf, type Thing } from './names.js';

/** Events that one statement of an export reads. */
const exportBatch = 500;

type Filter = Omit<AuditQuery, 'limit' | 'after'>;

/** What was done in a tenant, by whom and from where. Rows are added by whoever does it, and nobody can change or remove one. */
export class AuditTrail {
  readonly #database: Database;
  readonly #directory: RepositoryDirectory;

  constructor(database: Database, directory: RepositoryDirectory) {
    this.#database = database;
    this.#directory = directory;
  }

  /** The latest events first, with what everything in them is called now. @throws Problem `not-found` for a repository that the tenant never had. */
  async list(actor: Actor, { limit, after, ...filter }: AuditQuery): Promise<Page<AuditEventView>> {
    authorize(actor, 'audit:read');
    const start = after === undefined ? undefined : cursor(after);
    const { id: consoleId } = await findConsole(this.#directory);
    return this.#database.read({ tenantId: actor.tenantId }, async (tx) => {
      const query = await matching(tx, actor.tenantId, filter, start);
      const rows = await query.take(limit + 1).getMany();
      const { page, next } = pageOf(rows, limit);
      return { items: await present(tx, consoleId, page), next };
    });
  }

  /**
   * All that match, the latest first, in batches that are read as they are asked for: however many there are, one batch is in
   * memory, and no transaction stays open between two.
   *
   * @throws Problem `forbidden`, `not-found`, before there is anything.
   */
  async export(actor: Actor, query: AuditQuery): Promise<AsyncIterable<AuditEventView[]>> {
    const all = { ...query, limit: exportBatch };
    return this.#batches(actor, all, await this.list(actor, all));
  }

  async *#batches(actor: Actor, query: AuditQuery, first: Page<AuditEventView>): AsyncIterable<AuditEventView[]> {
    let page = first;
    yield page.items;
    while (page.next !== null) {
      page = await this.list(actor, { ...query, after: page.next });
      yield page.items;
    }
  }
}

async function matching(tx: EntityManager, tenantId: string, filter: Filter, after: string | undefined) {
  const { action, actor, repository, target, from, to } = filter;
  const query = tx.createQueryBuilder(AuditEvent, 'a').where('a.tenantId = :tenantId', { tenantId }).orderBy('a.id', 'DESC');
  const narrow = (condition: string, values: Record<string, unknown>) => void query.andWhere(condition, values);
  if (after !== undefined) narrow('a.id < :after', { after });
  if (action?.endsWith('.*')) narrow('starts_with(a.action, :prefix)', { prefix: action.slice(0, -1) });
  else if (action !== undefined) narrow('a.action = :action', { action });
  if (actor !== undefined) narrow('a.actorId = :actor', { actor });
  if (target !== undefined) narrow('a.targetId = :target', { target });
  if (from !== undefined) narrow('a.at >= :from', { from });
  if (to !== undefined) narrow('a.at < :to', { to });
  if (repository !== undefined) narrow('a.repositoryId = :repositoryId', { repositoryId: await idOfRepository(tx, repository) });
  return query;
}

/** Also of a repository that was deleted: what is known of it outlives it. @throws Problem `not-found`. */
export async function idOfRepository(tx: EntityManager, slug: string): Promise<string> {
  const repository = await tx.findOneBy(Repository, { slug });
  if (!repository) throw new Problem('not-found', `There is no repository ${JSON.stringify(slug)}.`);
  return repository.id;
}

async function present(tx: EntityManager, consoleId: string, rows: AuditEvent[]): Promise<AuditEventView[]> {
  const names = await namesOf(tx, consoleId, rows.flatMap(thingsOf));
  return rows.map((row, index) => {
    const [actor = null, target = null, repository = null] = names.slice(3 * index, 3 * index + 3);
    return {
      id: row.id,
      at: row.at.toISOString(),
      actor: { kind: row.actorKind, id: row.actorId, name: actor },
      action: row.action,
      repositoryId: row.repositoryId,
      repository,
      target: { kind: row.targetKind, id: row.targetId, name: target },
      requestId: row.requestId,
      address: row.address,
      details: row.details,
    };
  });
}

/** What of an event has a name. */
function thingsOf({ actorKind, actorId, targetKind, targetId, repositoryId, details }: AuditEvent): [actor: Thing, target: Thing, Thing] {
  const { clientId } = details as { clientId?: unknown };
  const isOfClient = (targetKind === 'secret' || targetKind === 'client-key') && typeof clientId === 'string';
  return [
    { kind: actorKind, id: actorId, repositoryId: actorKind === 'machine' ? null : repositoryId },
    { repositoryId, ...(isOfClient ? { kind: 'client', id: clientId } : { kind: targetKind, id: targetId }) },
    { kind: 'slug', id: repositoryId, repositoryId },
  ];
}
