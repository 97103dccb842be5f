import { sendLogoutToken, type LogoutOptions } from '@latchkey/credentials';
import type { Handlers } from '@latchkey/jobs/worker';
import { describeFault } from '@latchkey/runtime';

/** Tells apps that somebody's session has ended, again and again until they say that they have understood. */
export function tellOfLogout(options: LogoutOptions): Handlers['logout.tell'] {
  return async (job, { signal }) => {
    await sendLogoutToken(options, job, signal).catch((error: unknown) => {
      throw error instanceof Error && error.message.startsWith('the app answered') ? error : new Error(describeFault(error));
    });
  };
}
