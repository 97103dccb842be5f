import { z } from 'zod';
import { roles } from './permissions.js';
import { cutoffView, pageQuery, searchedFor, time } from './tenant-api.js';

/* Bodies of the routes about the people of a tenant. */

export const memberView = z.object({
  id: z.uuid(),
  role: z.enum(roles),
  loginName: z.string(),
  name: z.string(),
  email: z.string().nullable(),
  enabled: z.boolean().describe('False for someone who cannot sign in'),
  federated: z.boolean().describe('Signs in by federation'),
  hasCredential: z.boolean().describe('Has a member credential that has not ended'),
  createdAt: time,
});
export type MemberView = z.infer<typeof memberView>;

export const membersQuery = pageQuery.extend({
  search: searchedFor.describe('Only those whose name, user name or e-mail address has this in it, in capitals or not'),
});
export type MembersQuery = z.infer<typeof membersQuery>;

export const updateMemberBody = z.strictObject({ role: z.enum(roles) });
export type UpdateMemberBody = z.infer<typeof updateMemberBody>;

export const updatedMemberView = memberView.extend({
  cutoff: cutoffView.optional().describe("The end of the member's credential, if the new role may have none"),
});

export const transferOwnershipBody = z.strictObject({ memberId: z.uuid().describe('Who is the owner from then on') });
export type TransferOwnershipBody = z.infer<typeof transferOwnershipBody>;

export const createInvitationBody = z.strictObject({
  role: z.enum(roles),
  email: z.email().max(254).optional().describe('Whom it is for, as a reminder to those who look at the list'),
});
export type CreateInvitationBody = z.infer<typeof createInvitationBody>;

export const invitationView = z.object({
  id: z.uuid(),
  role: z.enum(roles),
  email: z.string().nullable(),
  createdAt: time,
  expiresAt: time,
});
export type InvitationView = z.infer<typeof invitationView>;

export const createdInvitationView = invitationView.extend({
  link: z.url().describe('Whoever opens it first becomes a member. Shown in this one answer only'),
});
export type CreatedInvitationView = z.infer<typeof createdInvitationView>;
