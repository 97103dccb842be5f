import type { Database } from '@latchkey/database';
import type { Handlers } from '@latchkey/jobs/worker';
import type { Logger } from '@latchkey/runtime';
import { lookAfterDomains, textRecords } from '@latchkey/tenancy';

/** Looks once a day whether tenants still hold their domains. */
export function lookAfter({
  database,
  dnsServers,
  log,
}: {
  database: Database;
  dnsServers: string[];
  log: Logger;
}): Handlers['domains.look'] {
  return async (_, { signal }) => {
    const said = await lookAfterDomains(database, textRecords(dnsServers), signal);
    if (Object.values(said).some((domains) => domains.length > 0)) log.warn(said, 'looked after domains');
  };
}
