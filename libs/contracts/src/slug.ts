import { z } from 'zod';

/**
 * Names that would be mistaken for a part of the product, of a URL path or of a host name.
 * `console` is the built-in repository in which members sign in; `canary` is the one the canary works on.
 */
const reserved = new Set([
  'admin',
  'api',
  'app',
  'apps',
  'assets',
  'auth',
  'authority',
  'billing',
  'blog',
  'canary',
  'cdn',
  'console',
  'docs',
  'healthz',
  'help',
  'latchkey',
  'localhost',
  'login',
  'logout',
  'mail',
  'metrics',
  'odata',
  'portal',
  'readyz',
  'root',
  'signin',
  'signup',
  'static',
  'status',
  'support',
  'system',
  'test',
  'tls-allowed',
  'webhooks',
  'www',
]);

/**
 * The part of a repository's addresses that names it: 3 to 40 characters, lower-case letters, digits and single
 * hyphens, beginning with a letter. It is a DNS label (RFC 1035 §2.3.1), so it can stand in a host name as well.
 */
export const slugSchema = z
  .string()
  .regex(/^[a-z][a-z0-9-]{2,39}$/, 'must be 3 to 40 characters: a–z, 0–9 and hyphens, beginning with a letter')
  .refine((slug) => !slug.includes('--') && !slug.endsWith('-'), 'must not end in a hyphen or hold two in a row')
  .refine((slug) => !reserved.has(slug), 'is reserved');
