import { z } from 'zod';
import { roles } from './permissions.js';

/**
 * What a tenant says about the credentials of its members, with the values that hold until it says otherwise. The database
 * applies the rules about role, federation and multi-factor authentication at every check, with the same defaults.
 */
export const memberCredentialPolicy = z.strictObject({
  minimumRole: z.enum(roles).describe('The least role whose members may have a credential'),
  onSecond: z
    .enum(['refuse', 'replace'])
    .describe('What becomes of a request for a second credential: refused until the first is revoked, or the first ends at once'),
  validDays: z.int().min(1).max(36_500).describe('Life of a credential'),
  tokenSeconds: z.int().min(60).max(604_800).describe('Life of the tokens that credentials get'),
  revocation: z
    .enum(['own', 'members-write'])
    .describe('Who may revoke a credential: its member alone, or everyone with the permission members:write too'),
  allowFederated: z.boolean().describe('Whether members who sign in by federation may have a credential'),
  allowUnderMfa: z.boolean().describe('Whether credentials work while multi-factor authentication is enforced for their members'),
});
export type MemberCredentialPolicy = z.infer<typeof memberCredentialPolicy>;

export const defaultMemberCredentialPolicy: MemberCredentialPolicy = {
  minimumRole: 'super-admin',
  onSecond: 'refuse',
  validDays: 3650,
  tokenSeconds: 86_400,
  revocation: 'own',
  allowFederated: false,
  allowUnderMfa: false,
};

/** Why a member may have no credential, or why the one they have does not work now. */
export const memberCredentialRefusals = ['role', 'federated', 'mfa-enforced'] as const;
export type MemberCredentialRefusal = (typeof memberCredentialRefusals)[number];
