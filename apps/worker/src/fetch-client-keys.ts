import { fetchClientKeys } from '@latchkey/credentials';
import { isUnavailable, type Database } from '@latchkey/database';
import type { Handlers } from '@latchkey/jobs/worker';
import type { Logger } from '@latchkey/runtime';

/** How long a key that a client no longer publishes may go on working; the authority looks sooner when a new one is used. */
const everySeconds = 300;

/** Clients whose keys are read at once, and in one run. */
const atOnce = 8;
const maxClients = 2_000;

export interface FetchKeysOptions {
  database: Database;
  allowPrivateAddresses: boolean;
  log: Logger;
}

/** Reads the keys that clients publish. What cannot be read stays as it is. */
export function fetchKeys({ database, allowPrivateAddresses, log }: FetchKeysOptions): Handlers['client-keys.fetch'] {
  return async (_, { signal }) => {
    const due = await database.read('system', (tx) =>
      tx.query<{ tenantId: string; repositoryId: string; clientId: string }[]>(
        `SELECT tenant_id AS "tenantId", repository_id AS "repositoryId", id AS "clientId" FROM clients
         WHERE jwks_uri IS NOT NULL AND deleted_at IS NULL
           AND (jwks_fetched_at IS NULL OR jwks_fetched_at < now() - make_interval(secs => $1))
         ORDER BY jwks_fetched_at NULLS FIRST LIMIT ${maxClients}`,
        [everySeconds - 10],
      ),
    );
    const next = due.values();
    const work = async () => {
      for (const owner of next) {
        if (signal.aborted) return;
        await fetchClientKeys(database, owner, { everySeconds: everySeconds - 10, allowPrivateAddresses, signal }).catch(
          (error: unknown) => {
            if (isUnavailable(error)) throw error;
            log.info({ err: error, ...owner }, 'the keys of a client could not be read');
          },
        );
      }
    };
    await Promise.all(Array.from({ length: atOnce }, work));
  };
}
