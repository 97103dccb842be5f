import { z } from 'zod';
import { roles } from './permissions.js';
import { cutoffProofView } from './cutoffs.js';
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

export const deleteTenantQuery = z.strictObject({
  confirm: z.string().max(300).describe('The name of the tenant, so that nobody ends the wrong one'),
});
export type DeleteTenantQuery = z.infer<typeof deleteTenantQuery>;

export const deletedTenantView = z.object({
  id: z.uuid(),
  deletedAt: time,
  repositories: z.int().describe('How many ended with it'),
  credentials: z.int().describe('How many of the tenant and of its members ended with it'),
  cutoffs: z.array(cutoffProofView).describe('One for each, with what every node had reported by then; nobody can ask for them later'),
});
export type DeletedTenantView = z.infer<typeof deletedTenantView>;
