import { Problem } from '@latchkey/contracts';
import { Repository, type EntityManager } from '@latchkey/database';

/**
 * Finds a repository of the transaction's tenant and narrows the transaction to it. One statement.
 *
 * @param options.lock holds the row until the transaction ends, so that nothing about the repository changes meanwhile.
 * @throws Problem `not-found` when the tenant has no such repository, be it another tenant's or nobody's.
 */
export async function enter(tx: EntityManager, slug: string, { lock = false, deleted = false } = {}): Promise<Repository> {
  const found = tx
    .createQueryBuilder(Repository, 'repository')
    .addSelect(`set_config('app.repository_id', repository.id::text, true)`)
    .where('repository.slug = :slug', { slug });
  const repository = await (lock ? found.setLock('pessimistic_write') : found).getOne();
  if (!repository || (repository.deletedAt && !deleted)) throw new Problem('not-found', `There is no repository ${JSON.stringify(slug)}.`);
  return repository;
}
