import { Problem } from '@latchkey/contracts';
import { columnsOf, prepared, Repository, type EntityManager } from '@latchkey/database';

/**
 * Finds a repository of the transaction's tenant and narrows the transaction to it. One statement.
 *
 * @param options.lock holds the row until the transaction ends, so that nothing about the repository changes meanwhile.
 * @param options.deleted finds it also when it was deleted.
 * @throws Problem `not-found` when the tenant has no such repository, be it another tenant's or nobody's.
 */
export async function enter(tx: EntityManager, slug: string, { lock = false, deleted = false } = {}): Promise<Repository> {
  const [found] = await prepared<Repository & { entered: string }>(
    tx,
    `SELECT ${columnsOf(tx, Repository, 'r')}, set_config('app.repository_id', r.id::text, true) AS entered
     FROM repositories r WHERE r.slug = $1${lock ? ' FOR UPDATE' : ''}`,
    [slug],
  );
  if (!found || (found.deletedAt && !deleted)) throw new Problem('not-found', `There is no repository ${JSON.stringify(slug)}.`);
  const { entered: _, ...repository } = found;
  return repository;
}
