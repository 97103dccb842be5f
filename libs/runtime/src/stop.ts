import type { Server } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import type { Logger } from './log.js';

/** How long a stop may take before the process ends anyway. Just under the 10 s that operators are promised. */
const patienceMillis = 9_000;

/** How often a server that takes no more requests looks which of its connections have become idle. */
const lookMillis = 50;

/** How a process that clients hold connections to hands them over to the others, before it stops. */
export interface Handover {
  servers: () => Server[];
  /** How long it goes on serving while whoever distributes requests notices that it is about to leave. */
  drainSeconds: number;
}

let leaving = false;

/** Whether this process is about to stop. It still serves, and wants no new clients. */
export const isLeaving = () => leaving;

/**
 * Runs `close` once on SIGTERM, SIGINT or when the parent that started us with an IPC channel is gone, then exits 0.
 * If `close` fails or takes too long the process exits 1, because a node that hangs is worse than one that is gone.
 *
 * On SIGTERM somebody is there to take over: for the time of the handover the process serves on, says that it is not ready, and
 * has every client end its connection with the answer that it gets. So none has one left on which a request could be lost.
 */
export function stopGracefully(log: Logger, close: () => Promise<void>, handover?: Handover): void {
  const stop = async (reason: string) => {
    if (leaving) return;
    leaving = true;
    log.info({ reason }, 'stopping');
    if (reason === 'SIGTERM' && handover) await drain(handover);
    setTimeout(() => {
      log.error('could not stop in time');
      process.exit(1);
    }, patienceMillis).unref();
    if (handover) endIdleConnections(handover);
    close().then(
      () => process.exit(0),
      (error: unknown) => {
        log.error(error, 'could not stop cleanly');
        process.exit(1);
      },
    );
  };
  // Not once: without a listener a second signal would end the process in the middle of stopping.
  process.on('SIGTERM', () => void stop('SIGTERM'));
  process.on('SIGINT', () => void stop('SIGINT'));
  process.once('disconnect', () => void stop('parent gone'));
  // The parent may have ended while this process was starting, before anyone listened. Without a channel it is undefined.
  const { connected } = process as { connected?: boolean };
  if (connected === false) void stop('parent gone');
}

/**
 * Has the servers, once they listen no more, end each connection with the answer that is under way on it. They wait for it to
 * end, and its client might keep it for longer than the process has.
 */
function endIdleConnections({ servers }: Handover): void {
  setInterval(() => {
    for (const server of servers()) if (!server.listening) server.closeIdleConnections();
  }, lookMillis).unref();
}

async function drain({ servers, drainSeconds }: Handover): Promise<void> {
  if (drainSeconds === 0) return;
  for (const server of servers()) server.prependListener('request', (_request, response) => response.setHeader('connection', 'close'));
  await wait(drainSeconds * 1_000);
}
