import { z } from 'zod';
import { keyRingConfig } from '@latchkey/credentials';
import {
  addressTemplate,
  appConfig,
  baseUrl,
  domainTemplate,
  drainSeconds,
  flag,
  newTenants,
  poolSize,
  port,
  trustedProxies,
} from '@latchkey/runtime';

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
  /** Whose X-Forwarded-For is believed. */
  TRUSTED_PROXIES: trustedProxies,
  /** Lets the addresses that clients register be inside: for trying on one machine, never where tenants are strangers. */
  CLIENT_ALLOW_PRIVATE_ADDRESSES: flag.default(false),
  SECRET_PEPPERS: keyRingConfig,
  KEY_ENCRYPTION_KEYS: keyRingConfig,
  AUTHORITY_URL_TEMPLATE: addressTemplate,
  REPOSITORY_URL_TEMPLATE: addressTemplate,
  TENANT_API_URL: baseUrl,
  PORTAL_URL: baseUrl,
  CUSTOM_DOMAIN_URL_TEMPLATE: domainTemplate,
  NEW_TENANTS: newTenants,
  /** Lets identity providers be at loopback and private addresses and without TLS: never where tenants are strangers. */
  FEDERATION_ALLOW_PRIVATE_ADDRESSES: flag.default(false),
});
export type Config = z.infer<typeof configSchema>;
