import { fetchClientKeys } from '@latchkey/credentials';
import { isUnavailable, type Database } from '@latchkey/database';
import type { Handlers } from '@latchkey/jobs/worker';
import type { Logger } from '@latchkey/runtime';

/** How long a key that a client no longer publishes may go on working; the authority looks sooner when a new one is used. */
const everySeconds = 300;

/** Clients whose keys are read at once, of all tenants and of one. */
const atOnce = 32;
const atOncePerTenant = 4;

/** A run ends before the next one begins: what it leaves is older then than what it has read. */
const maxClients = 10_000;
const runMillis = 240_000;

export interface FetchKeysOptions {
  database: Database;
  allowPrivateAddresses: boolean;
  log: Logger;
}

interface Owner {
  tenantId: string;
  repositoryId: string;
  clientId: string;
}

/** Reads the keys that clients publish, by turns of their tenants. What cannot be read stays as it is. */
export function fetchKeys({ database, allowPrivateAddresses, log }: FetchKeysOptions): Handlers['client-keys.fetch'] {
  return async (_, { signal }) => {
    const due = await findDue(database);
    const endsAt = performance.now() + runMillis;
    let left = due.length;
    await byTurns(due, async (owner) => {
      if (signal.aborted || performance.now() > endsAt) return;
      left -= 1;
      await fetchClientKeys(database, owner, { everySeconds: everySeconds - 10, allowPrivateAddresses, signal }).catch((error: unknown) => {
        if (isUnavailable(error)) throw error;
        log.info({ err: error, ...owner }, 'the keys of a client could not be read');
      });
    });
    if (left > 0 && !signal.aborted)
      log.warn({ clients: left }, 'the keys of some clients were not read in time; they are the first of the next run');
  };
}

/** The clients whose keys were not read lately; of each tenant's the one that has waited longest, then each one's next. */
async function findDue(database: Database): Promise<Owner[]> {
  return database.read('system', (tx) =>
    tx.query<Owner[]>(
      `SELECT tenant_id AS "tenantId", repository_id AS "repositoryId", id AS "clientId" FROM clients
       WHERE jwks_uri IS NOT NULL AND deleted_at IS NULL
         AND (jwks_fetched_at IS NULL OR jwks_fetched_at < now() - make_interval(secs => $1))
       ORDER BY row_number() OVER (PARTITION BY tenant_id ORDER BY jwks_fetched_at NULLS FIRST), jwks_fetched_at NULLS FIRST
       LIMIT ${maxClients}`,
      [everySeconds - 10],
    ),
  );
}

/** Tenants stand in line: whoever is free takes the first, works on one of its clients, and sends it to the end of the line. */
async function byTurns(due: Owner[], work: (owner: Owner) => Promise<void>): Promise<void> {
  const tenants = [...Map.groupBy(due, ({ tenantId }) => tenantId).values()].map((owners) => owners.values());
  const line = Array.from({ length: atOncePerTenant }, () => tenants).flat();
  const workOn = async () => {
    for (let tenant = line.shift(); tenant; tenant = line.shift()) {
      const { value: owner, done } = tenant.next();
      if (done) continue;
      await work(owner);
      line.push(tenant);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, workOn));
}
