import type { Logger } from './log.js';

/** A log as NestJS takes one, for its own messages: what it does as it starts is of interest to nobody who does not ask for `debug`. */
export function nestLogger(log: Logger) {
  return {
    log: (message: unknown) => log.debug(String(message)),
    warn: (message: unknown) => log.warn(String(message)),
    error: (message: unknown) => log.error(String(message)),
    debug: (message: unknown) => log.trace(String(message)),
    verbose: (message: unknown) => log.trace(String(message)),
    fatal: (message: unknown) => log.fatal(String(message)),
  };
}
