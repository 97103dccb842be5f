import { tendSigningKeys } from '@latchkey/credentials';
import type { Database } from '@latchkey/database';
import type { Handlers } from '@latchkey/jobs/worker';
import type { Logger } from '@latchkey/runtime';
import type { Config } from './config.js';

const day = 86_400;

export interface TendOptions {
  database: Database;
  config: Pick<
    Config,
    'KEY_ENCRYPTION_KEYS' | 'SIGNING_KEY_DAYS' | 'SIGNING_KEY_PUBLISH_SECONDS' | 'SIGNING_KEY_KEEP_DAYS' | 'PREPARED_KEYS'
  >;
  log: Logger;
}

/** Looks after the signing keys of all repositories, as the configuration says. */
export function tendKeys({ database, config, log }: TendOptions): Handlers['signing-keys.tend'] {
  const policy = {
    rotateAfterSeconds: config.SIGNING_KEY_DAYS * day,
    publishSeconds: config.SIGNING_KEY_PUBLISH_SECONDS,
    keepSeconds: config.SIGNING_KEY_KEEP_DAYS * day,
    prepared: config.PREPARED_KEYS,
  };
  return async (_, { signal }) => {
    const tended = await tendSigningKeys(database, config.KEY_ENCRYPTION_KEYS, policy, signal);
    if (Object.values(tended).some((count) => count > 0)) log.info(tended, 'tended signing keys');
  };
}
