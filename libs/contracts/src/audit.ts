import { z } from 'zod';
import { pageQuery, time } from './tenant-api.js';

/* Bodies of the route about what was done in a tenant, and by whom. */

const text = z.string().min(1).max(200);

/** As PostgreSQL can tell it: the year 0 is none, and a fraction of a second is not endless. */
const moment = z.iso
  .datetime()
  .max(40)
  .regex(/^(?!0000)/, 'must be in the year 1 or later');

/** Which events are asked for; those that match everything that is named. `from` is included, `to` is not. */
export const auditQuery = pageQuery.extend({
  action: text.optional().describe('Such as secret.regenerated; secret.* for everything about secrets'),
  actor: text.optional().describe("A member's id, a client ID or a user's id"),
  repository: text.optional().describe('A slug'),
  target: text.optional().describe('The id of what it was done to'),
  from: moment.optional().describe('RFC 3339, UTC; included'),
  to: moment.optional().describe('RFC 3339, UTC; not included'),
});
export type AuditQuery = z.infer<typeof auditQuery>;

const name = z.string().nullable().describe('What it is called now; null for what is gone or has no name');

export const auditEventView = z.object({
  id: z.uuid(),
  at: time,
  actor: z.object({ kind: z.string(), id: z.string().nullable(), name }),
  action: z.string(),
  repositoryId: z.string().nullable(),
  repository: z.string().nullable().describe('Its slug'),
  target: z
    .object({ kind: z.string(), id: z.string(), name })
    .describe("What it was done to; a secret or key of a client has the client's name"),
  requestId: z.string().nullable(),
  address: z.string().nullable(),
  details: z.record(z.string(), z.unknown()),
});
export type AuditEventView = z.infer<typeof auditEventView>;
