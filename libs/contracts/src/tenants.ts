import { z } from 'zod';
import { roles } from './permissions.js';
import { displayName, time } from './tenant-api.js';

/* Bodies of the routes about the tenants of one person. */

export const createTenantBody = z.strictObject({ name: displayName });
export type CreateTenantBody = z.infer<typeof createTenantBody>;

export const ownTenantView = z.object({
  id: z.uuid().describe('Send it as Latchkey-Tenant to call for this one'),
  name: z.string(),
  role: z.enum(roles).describe('What the person is there'),
  memberId: z.uuid(),
  joinedAt: time,
});
export type OwnTenantView = z.infer<typeof ownTenantView>;
