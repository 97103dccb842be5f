import { Problem } from '@latchkey/contracts';
import { Client, IsNull, prepared, type EntityManager } from '@latchkey/database';

/** @param options.lock holds the client's row until the transaction ends. @throws Problem `not-found`. */
export async function findClient(tx: EntityManager, repository: { id: string }, clientId: string, { lock = false } = {}): Promise<Client> {
  const client = await find(tx, { repositoryId: repository.id, id: clientId }, lock);
  if (!client) throw new Problem('not-found', `The repository has no client ${JSON.stringify(clientId)}.`);
  return client;
}

/** Like `findClient`, of a tool client. */
export async function findTool(tx: EntityManager, repository: { id: string }, clientId: string, { lock = false } = {}): Promise<Client> {
  const client = await find(tx, { repositoryId: repository.id, id: clientId, kind: 'tool' }, lock);
  if (!client) throw noTool(clientId);
  return client;
}

/** Holds a tool client's row until the transaction ends: changes of its secrets take turns. @throws Problem `not-found`. */
export async function lockTool(tx: EntityManager, { repositoryId, clientId }: { repositoryId: string; clientId: string }): Promise<void> {
  const rows = await prepared(
    tx,
    `SELECT FROM clients WHERE repository_id = $1 AND id = $2 AND kind = 'tool' AND deleted_at IS NULL FOR UPDATE`,
    [repositoryId, clientId],
  );
  if (rows.length === 0) throw noTool(clientId);
}

async function find(tx: EntityManager, which: { repositoryId: string; id: string; kind?: 'tool' }, lock: boolean): Promise<Client | null> {
  const where = { ...which, deletedAt: IsNull() };
  return tx.findOne(Client, { where, ...(lock ? { lock: { mode: 'pessimistic_write' as const } } : {}) });
}

const noTool = (clientId: string) => new Problem('not-found', `The repository has no tool client ${JSON.stringify(clientId)}.`);
