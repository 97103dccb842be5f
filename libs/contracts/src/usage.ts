import { z } from 'zod';

/* How much the credentials of a tenant were used. */

const usageKinds = ['token', 'call', 'failed-call', 'ended-secret', 'sign-in', 'refusal'] as const;

export const usageQuery = z.strictObject({
  days: z.coerce.number().int().min(1).max(90).default(30).describe('How many days, today with them'),
  repository: z.string().min(1).max(100).optional().describe('A slug; all repositories if absent'),
});
export type UsageQuery = z.infer<typeof usageQuery>;

export const usageView = z.object({
  from: z.iso.date().describe('The first day, in UTC'),
  to: z.iso.date().describe('The last day, which is today'),
  items: z.array(
    z.object({
      day: z.iso.date(),
      kind: z
        .enum(usageKinds)
        .describe(
          'token: a tool got one with its secret or key; call: of the repository API; failed-call: one of them that was answered 4xx or 5xx; ended-secret: somebody presented one; sign-in: of a person; refusal: of a credential, token or sign-in',
        ),
      repository: z.string().nullable().describe('Slug; null for the tenant API itself'),
      credentialId: z.string().nullable().describe('A client ID or the id of an API key, where it is one'),
      credential: z.string().nullable().describe('What it is called now'),
      reason: z.string().nullable().describe('Of a refusal'),
      count: z.int(),
    }),
  ),
});
export type UsageView = z.infer<typeof usageView>;
