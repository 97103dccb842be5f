/** What a tool client or API key of a repository may do there; also the OAuth scopes of its tokens. */
export const repositoryPermissions = [
  'content:read',
  'content:write',
  'users:read',
  'users:write',
  'clients:manage',
  'api-keys:manage',
] as const;
export type RepositoryPermission = (typeof repositoryPermissions)[number];

/** What a member or a tenant credential may do at the tenant API; also the OAuth scopes of their tokens. */
export const tenantPermissions = [
  'tenant:read',
  'tenant:write',
  'members:read',
  'members:write',
  'repositories:read',
  'repositories:write',
  'clients:write',
  'users:write',
  'webhooks:write',
  'credentials:write',
  'audit:read',
] as const;
export type TenantPermission = (typeof tenantPermissions)[number];

/** The roles a member can have in a tenant, from most to least able. */
export const roles = ['owner', 'super-admin', 'admin', 'developer', 'viewer'] as const;
export type Role = (typeof roles)[number];

/** Whether a role may do no more than the other. */
export const isAtMost = (role: Role, limit: Role): boolean => roles.indexOf(role) >= roles.indexOf(limit);

const read: TenantPermission[] = ['tenant:read', 'members:read', 'repositories:read'];
const develop: TenantPermission[] = [...read, 'clients:write', 'users:write', 'webhooks:write'];
const administer: TenantPermission[] = [...develop, 'repositories:write', 'audit:read'];

/** What each role allows. The API enforces this table; the portal only shows it. */
export const permissionsOfRole: Record<Role, readonly TenantPermission[]> = {
  owner: tenantPermissions,
  'super-admin': tenantPermissions,
  admin: administer,
  developer: develop,
  viewer: read,
};

/** The scope that existing clients ask for; it stands for everything the client may do. */
export const everythingScope = 'sensenet';
