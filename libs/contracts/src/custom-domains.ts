import { z } from 'zod';
import { time } from './tenant-api.js';

/* Bodies of the routes under `/v1/repositories/{slug}/domain`. */

/** Names that are not of the public DNS (RFC 6761, RFC 6762, RFC 8375, RFC 9476), or lead inside. */
const insideNames = /(?:^|\.)(?:localhost|local|internal|intranet|lan|corp|home|invalid|test|example|onion|alt|arpa)$/;

const customDomain = z
  .string()
  .toLowerCase()
  .max(200)
  .regex(
    /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?:[a-z]{2,63}|xn--[a-z0-9-]{1,59})$/,
    'must be a domain such as login.example.com, without port or dot at the end',
  )
  .refine((domain) => !insideNames.test(domain), 'must be a name of the public DNS');

export const setDomainBody = z.strictObject({ domain: customDomain });
export type SetDomainBody = z.infer<typeof setDomainBody>;

export const domainView = z.object({
  domain: z.string(),
  status: z.enum(['pending', 'verified', 'lost']).describe('lost: the record is not there any more; after 14 days the domain is given up'),
  record: z.object({ type: z.literal('TXT'), name: z.string(), value: z.string() }).describe('To be published in the DNS, and kept'),
  authorityUrl: z.url().nullable().describe('The issuer at the domain, beside the one that the repository always has; null until verified'),
  verifiedAt: time.nullable(),
  seenAt: time.nullable(),
  lostSince: time.nullable(),
});
export type DomainView = z.infer<typeof domainView>;
