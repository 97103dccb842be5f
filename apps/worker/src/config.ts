import { z } from 'zod';
import { bucketAddress } from '@latchkey/content';
import { keyRingConfig } from '@latchkey/credentials';
import { addressTemplate, appConfig, baseUrl, dnsServers, flag } from '@latchkey/runtime';

export const configSchema = z
  .object({
    ...appConfig,
    DATABASE_URL: z.url({ protocol: /^postgres(?:ql)?$/ }),
    /** The bucket that the repository API puts files into, so that those which nothing has can be removed. */
    FILES_URL: bucketAddress.optional(),
    /** Where the queue is: Redis or PostgreSQL. The PostgreSQL of DATABASE_URL if absent. */
    QUEUE_URL: z.url({ protocol: /^(?:rediss?|postgres(?:ql)?)$/ }).optional(),
    /** What the queue's keys begin with on Redis, for installations that share one. */
    QUEUE_PREFIX: z
      .string()
      .regex(/^[\w-]{1,40}$/, 'must be letters, digits, hyphens and underscores')
      .default('latchkey'),
    KEY_ENCRYPTION_KEYS: keyRingConfig,
    /** How often the canary ends a secret of its own and presents it to every node; 0 leaves it at home. */
    CANARY_SECONDS: z.coerce.number().min(0).max(86_400).default(60),
    /** After how many days a repository gets another signing key; 0 leaves that to its tenant. */
    SIGNING_KEY_DAYS: z.coerce.number().min(0).max(3_650).default(90),
    /** How long a new signing key is published before it signs. */
    SIGNING_KEY_PUBLISH_SECONDS: z.coerce
      .number()
      .min(0)
      .max(30 * 86_400)
      .default(3_600),
    /** How many days a key that signs no longer is published: as long as ID tokens are sent back as hints. */
    SIGNING_KEY_KEEP_DAYS: z.coerce.number().min(1).max(400).default(30),
    /** RSA keys that lie ready for whoever asks for RS256: each takes a quarter of a second of a core to make. */
    PREPARED_KEYS: z.coerce.number().int().min(0).max(1_000).default(5),
    SECRET_PEPPERS: keyRingConfig,
    AUTHORITY_URL_TEMPLATE: addressTemplate,
    REPOSITORY_URL_TEMPLATE: addressTemplate,
    /** Lets the addresses that clients register be inside: for trying on one machine, never where tenants are strangers. */
    CLIENT_ALLOW_PRIVATE_ADDRESSES: flag.default(false),
    /** Lets webhooks reach loopback and private addresses: for trying on one machine, never where tenants are strangers. */
    WEBHOOK_ALLOW_PRIVATE_ADDRESSES: flag.default(false),
    /** After how many days the audit trail ends; 0 keeps it for good. */
    AUDIT_DAYS: z.coerce
      .number()
      .int()
      .refine((days) => days === 0 || (days >= 90 && days <= 36_500), 'must be 0, or 90 to 36500')
      .default(0),
    /** After how many days of nothing but failures a webhook is disabled. */
    WEBHOOK_DISABLE_AFTER_DAYS: z.coerce.number().positive().max(365).default(5),
    /** Where mail is handed on: smtp:// or smtps://, with user and password if it takes them. */
    SMTP_URL: z.url({ protocol: /^smtps?$/ }).optional(),
    /** Without SMTP_URL: a folder in which mail is put as .eml files. */
    MAIL_DIR: z.string().optional(),
    /** The sender of mail, as `Latchkey <latchkey@example.com>`. */
    MAIL_FROM: z
      .string()
      .regex(/^(?:[^<>@\r\n]*<[^<>@\s]+@[^<>@\s]+>|[^<>@\s]+@[^<>@\s]+)$/, 'must be an address, or a name and an address in <>')
      .optional(),
    /** Where the portal is, for the links in mails. */
    PORTAL_URL: baseUrl.optional(),
    /** Asked for the records that prove domains. */
    DNS_SERVERS: dnsServers,
  })
  .refine((config) => !config.SMTP_URL || config.MAIL_FROM, { path: ['MAIL_FROM'], message: 'is required with SMTP_URL' });
export type Config = z.infer<typeof configSchema>;
