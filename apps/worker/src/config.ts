import { z } from 'zod';
import { keyRingConfig } from '@latchkey/credentials';
import { appConfig, flag } from '@latchkey/runtime';

export const configSchema = z.object({
  ...appConfig,
  DATABASE_URL: z.url({ protocol: /^postgres(?:ql)?$/ }),
  /** Where the queue is: Redis or PostgreSQL. The PostgreSQL of DATABASE_URL if absent. */
  QUEUE_URL: z.url({ protocol: /^(?:rediss?|postgres(?:ql)?)$/ }).optional(),
  /** What the queue's keys begin with on Redis, for installations that share one. */
  QUEUE_PREFIX: z
    .string()
    .regex(/^[\w-]{1,40}$/, 'must be letters, digits, hyphens and underscores')
    .default('latchkey'),
  KEY_ENCRYPTION_KEYS: keyRingConfig,
  /** Lets webhooks reach loopback and private addresses: for trying on one machine, never where tenants are strangers. */
  WEBHOOK_ALLOW_PRIVATE_ADDRESSES: flag.default(false),
});
export type Config = z.infer<typeof configSchema>;
