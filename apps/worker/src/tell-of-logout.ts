import { sendLogoutToken } from '@latchkey/credentials';
import type { Handlers } from '@latchkey/jobs/worker';

/** Tells one app that a session has ended. What asked for it is forgotten when the app was told or given up, so that it is not recovered. */
export function tellOfLogout(options: Parameters<typeof sendLogoutToken>[0]): Handlers['logout.tell'] {
  return async (job, run) => {
    const fault = await sendLogoutToken(options, job, run.signal).then(
      () => undefined,
      (error: unknown) => error,
    );
    if (!fault || run.lastAttempt)
      await options.database.transaction('system', (tx) => tx.query('DELETE FROM outbox WHERE id = $1', [run.id]));
    if (fault) throw fault;
  };
}
