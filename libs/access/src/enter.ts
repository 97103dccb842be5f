import { Problem } from '@latchkey/contracts';
import { enterRepository, Repository, type EntityManager } from '@latchkey/database';

/**
 * Finds a repository of the transaction's tenant and narrows the transaction to it.
 *
 * @param options.lock holds the row until the transaction ends, so that nothing about the repository changes meanwhile.
 * @throws Problem `not-found` when the tenant has no such repository, be it another tenant's or nobody's.
 */
export async function enter(tx: EntityManager, slug: string, { lock = false, deleted = false } = {}): Promise<Repository> {
  const repository = await tx.findOne(Repository, { where: { slug }, ...(lock ? { lock: { mode: 'pessimistic_write' as const } } : {}) });
  if (!repository || (repository.deletedAt && !deleted)) throw new Problem('not-found', `There is no repository ${JSON.stringify(slug)}.`);
  await enterRepository(tx, repository.id);
  return repository;
}
