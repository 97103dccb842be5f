import type { Role } from '@latchkey/contracts';

/** What a role is called, and what it allows in a few words; the API enforces it. */
export const roleWords: Record<Role, { name: string; may: string }> = {
  owner: { name: 'Owner', may: 'everything, and the tenant itself' },
  'super-admin': { name: 'Super admin', may: 'everything but the owners' },
  admin: { name: 'Admin', may: 'repositories and the audit trail' },
  developer: { name: 'Developer', may: 'clients, users and webhooks' },
  viewer: { name: 'Viewer', may: 'look, and change nothing' },
};
