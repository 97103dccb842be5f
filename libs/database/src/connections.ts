import { checksPoolSize, type Database } from './database.js';

/** Connections that one process may hold whose pools have this size: for two roles, for checks, and the one that listens. */
export const connectionsOf = (poolSize: number) => 2 * poolSize + checksPoolSize + 1;

/** Those of a worker with its queue on PostgreSQL. */
const workerConnections = 16;

/** Whoever has not been heard of for longer is gone. */
const silentSeconds = 20;

/**
 * Logs a warning if the processes that live now, this one among them, may come to hold more connections than the server allows:
 * some of them would then be refused just when there is most to do. Taken for granted is that all have pools of the same size,
 * and one worker.
 */
export async function warnOfConnections(
  database: Database,
  poolSize: number,
  log: { warn: (about: object, words: string) => void },
): Promise<void> {
  const [server] = await database.call<{ allowed: number; others: number }>(
    `SELECT (SELECT sum(setting::int * CASE name WHEN 'max_connections' THEN 1 ELSE -1 END)::int FROM pg_settings
             WHERE name IN ('max_connections', 'superuser_reserved_connections', 'reserved_connections')) AS allowed,
       (SELECT count(*)::int FROM nodes WHERE stopped_at IS NULL AND seen_at > now() - $1 * interval '1 second') AS others`,
    [silentSeconds],
  );
  if (!server) return;
  const [processes, each] = [server.others + 1, connectionsOf(poolSize)];
  const wanted = processes * each + workerConnections;
  if (wanted <= server.allowed) return;
  log.warn(
    { allowed: server.allowed, wanted, processes, each },
    'PostgreSQL allows fewer connections than the processes of this installation may hold: lower DATABASE_POOL_SIZE or raise max_connections',
  );
}
