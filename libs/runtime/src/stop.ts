import type { Logger } from './log.js';

/** How long a stop may take before the process ends anyway. Just under the 10 s that operators are promised. */
const patienceMillis = 9_000;

/**
 * Runs `close` once on SIGTERM, SIGINT or when the parent that started us with an IPC channel is gone, then exits 0.
 * If `close` fails or takes too long the process exits 1, because a node that hangs is worse than one that is gone.
 */
export function stopGracefully(log: Logger, close: () => Promise<void>): void {
  let stopping = false;
  const stop = (reason: string) => {
    if (stopping) return;
    stopping = true;
    log.info({ reason }, 'stopping');
    setTimeout(() => {
      log.error('could not stop in time');
      process.exit(1);
    }, patienceMillis).unref();
    close().then(
      () => process.exit(0),
      (error: unknown) => {
        log.error(error, 'could not stop cleanly');
        process.exit(1);
      },
    );
  };
  // Not once: without a listener a second signal would end the process in the middle of stopping.
  process.on('SIGTERM', () => stop('SIGTERM'));
  process.on('SIGINT', () => stop('SIGINT'));
  process.once('disconnect', () => stop('parent gone'));
  // The parent may have ended while this process was starting, before anyone listened. Without a channel it is undefined.
  const { connected } = process as { connected?: boolean };
  if (connected === false) stop('parent gone');
}
