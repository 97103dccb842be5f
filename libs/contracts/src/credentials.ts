import { z } from 'zod';
import { memberCredentialRefusals } from './member-policy.js';
import { roles, tenantPermissions } from './permissions.js';
import { cutoffView, displayName, newSecretView, secretView, time } from './tenant-api.js';

/* Bodies of the routes about credentials for the tenant API itself: a tenant's and a member's. */

export const createTenantCredentialBody = z.strictObject({
  name: displayName,
  permissions: z
    .array(z.enum(tenantPermissions))
    .min(1, 'must name at least one permission')
    .max(tenantPermissions.length)
    .refine((permissions) => new Set(permissions).size === permissions.length, 'must not name a permission twice')
    .describe('What it may do at the tenant API; nothing that whoever makes it may not do'),
  expiresAt: z.iso.datetime().optional().describe('When its secret ends by itself; never if absent'),
});
export type CreateTenantCredentialBody = z.infer<typeof createTenantCredentialBody>;

export const tenantCredentialView = z.object({
  clientId: z.string(),
  name: z.string(),
  permissions: z.array(z.string()),
  createdAt: time,
  secrets: z.array(secretView).describe('The secrets that work, the latest first, without their values'),
});
export type TenantCredentialView = z.infer<typeof tenantCredentialView>;

export const createdTenantCredentialView = tenantCredentialView.extend({ secret: newSecretView });
export type CreatedTenantCredentialView = z.infer<typeof createdTenantCredentialView>;

export const memberCredentialView = z.object({
  clientId: z.string(),
  hint: z.string().describe('Prefix and last four characters of the secret'),
  createdAt: time,
  expiresAt: time,
  lastUsedAt: time.nullable(),
  status: z.enum(['active', 'suspended']).describe('suspended: the policy of the tenant does not let it work now'),
  refusal: z.enum(memberCredentialRefusals).nullable().describe('Why it is suspended'),
});
export type MemberCredentialView = z.infer<typeof memberCredentialView>;

export const createdMemberCredentialView = memberCredentialView.extend({
  secret: newSecretView,
  cutoff: cutoffView.optional().describe('When it replaced an earlier credential: the end of that one'),
});
export type CreatedMemberCredentialView = z.infer<typeof createdMemberCredentialView>;

export const meView = z.object({
  kind: z.enum(['member', 'machine', 'user', 'system']),
  id: z.string().describe("The member's id, or the client ID of the tenant's credential"),
  tenantId: z.uuid(),
  permissions: z.array(z.string()).describe('What this very token may do'),
  member: z
    .object({ role: z.enum(roles), loginName: z.string(), name: z.string(), email: z.string().nullable() })
    .nullable()
    .describe('Null for a machine'),
  credentialRefusal: z
    .enum(memberCredentialRefusals)
    .nullable()
    .describe('Why the member may have no credential; null if they may, and for a machine'),
});
export type MeView = z.infer<typeof meView>;
