import { z } from 'zod';
import { keyRingConfig } from '@latchkey/credentials';
import {
  addressTemplate,
  appConfig,
  baseUrl,
  dnsServers,
  domainTemplate,
  drainSeconds,
  limitsUrl,
  newTenants,
  poolSize,
  trustedProxies,
} from '@latchkey/runtime';

/** What both the app and the setup program read from the environment. */
const common = {
  /** How long it serves on after SIGTERM, while a load balancer notices that it is not ready. */
  DRAIN_SECONDS: drainSeconds,
  DATABASE_URL: z.url({ protocol: /^postgres(?:ql)?$/ }),
  /** Connections that transactions may hold at most, of each of the two roles that they take. */
  DATABASE_POOL_SIZE: poolSize,
  SECRET_PEPPERS: keyRingConfig,
  KEY_ENCRYPTION_KEYS: keyRingConfig,
  AUTHORITY_URL_TEMPLATE: addressTemplate,
  REPOSITORY_URL_TEMPLATE: addressTemplate,
  TENANT_API_URL: baseUrl,
  PORTAL_URL: baseUrl,
};

export const configSchema = z.object({
  ...appConfig,
  ...common,
  /** Where this process and no other is reached from within the installation; by default the address that it listens on. */
  NODE_URL: baseUrl.optional(),
  /** Whose X-Forwarded-For is believed. */
  TRUSTED_PROXIES: trustedProxies,
  CUSTOM_DOMAIN_URL_TEMPLATE: domainTemplate,
  /** Asked for the records that prove domains. */
  DNS_SERVERS: dnsServers,
  LIMITS_URL: limitsUrl,
  NEW_TENANTS: newTenants,
  /** Where the built portal is; without it only the API is served. */
  PORTAL_DIR: z.string().optional(),
});
export type Config = z.infer<typeof configSchema>;

export const setupConfigSchema = z.object({
  ...common,
  LOG_LEVEL: appConfig.LOG_LEVEL,
  /** The login that owns the tables; DATABASE_URL's if absent. */
  DATABASE_OWNER_URL: z.url({ protocol: /^postgres(?:ql)?$/ }).optional(),
  /** Whether every member of every tenant must prove a second factor; tenants may demand it of their own in any case. */
  CONSOLE_SECOND_FACTOR: z.enum(['optional', 'forced']).default('optional'),
});
export type SetupConfig = z.infer<typeof setupConfigSchema>;
