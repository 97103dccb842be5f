import { z } from 'zod';
import { bucketAddress } from '@latchkey/content';
import { keyRingConfig } from '@latchkey/credentials';
import {
  addressTemplate,
  appConfig,
  baseUrl,
  domainTemplate,
  drainSeconds,
  flag,
  limitsUrl,
  poolSize,
  port,
  trustedProxies,
} from '@latchkey/runtime';

/** What the app reads from the environment. */
export const configSchema = z.object({
  ...appConfig,
  /** Share PORT with other processes of this app on the same machine. */
  REUSE_PORT: flag.default(false),
  /** A port of this process alone, beside the shared one. */
  NODE_PORT: port.optional(),
  /** Where this process and no other is reached from within the installation; by default the address that it listens on. */
  NODE_URL: baseUrl.optional(),
  /** How long it serves on after SIGTERM, while a load balancer notices that it is not ready. */
  DRAIN_SECONDS: drainSeconds,
  DATABASE_URL: z.url({ protocol: /^postgres(?:ql)?$/ }),
  /** Connections that transactions may hold at most, of each of the two roles that they take. */
  DATABASE_POOL_SIZE: poolSize,
  /** The bucket of an S3-compatible store that new files go to: https://KEY:SECRET@host/bucket?region=…. PostgreSQL if absent. */
  FILES_URL: bucketAddress.optional(),
  LIMITS_URL: limitsUrl,
  /** Under which API keys are hashed. */
  SECRET_PEPPERS: keyRingConfig,
  /** Whose X-Forwarded-For is believed. */
  TRUSTED_PROXIES: trustedProxies,
  REPOSITORY_URL_TEMPLATE: addressTemplate,
  AUTHORITY_URL_TEMPLATE: addressTemplate,
  CUSTOM_DOMAIN_URL_TEMPLATE: domainTemplate,
});
export type Config = z.infer<typeof configSchema>;
