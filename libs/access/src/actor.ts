import { permissionsOfRole, Problem, tenantPermissions, type Role, type TenantPermission } from '@latchkey/contracts';

/** What the transport knows of the call that an actor makes. */
export interface Call {
  /** Names the call in answers, logs and the audit trail. */
  requestId: string;
  /** The address that the call came from. */
  address?: string;
  /**
   * The caller's `Idempotency-Key`, and the MACs of method, address and body that it was sent with: under the current pepper, then
   * under earlier ones. The body may hold a password, which a plain hash would let guess fast.
   */
  idempotency?: { key: string; fingerprints: [Buffer, ...Buffer[]] };
}

/** Who a member is as a person. */
export interface Person {
  loginName: string;
  email: string | null;
  name: string;
}

/** Whoever performs a call in a tenant: a member, a machine (a tenant credential), a repository user, or the system itself. */
export interface Actor {
  kind: 'member' | 'machine' | 'user' | 'system';
  tenantId: string;
  /** The member's id, the credential's client ID, or the user's id. */
  id: string;
  permissions: ReadonlySet<TenantPermission>;
  /** Who the member is; a machine is nobody. */
  person?: Person;
  /** The client ID of the member's own credential, when it and not the person is calling. */
  credentialId?: string;
  /** The secret of the tenant's or member's credential that the call was made with; a person who has signed in has none. */
  secret?: UsedSecret;
  call: Call;
}

/** A secret of a credential, which is a client of the console. */
export interface UsedSecret {
  repositoryId: string;
  clientId: string;
  id: string;
}

/**
 * A member may do what the role allows, as far as the token's own permissions go.
 *
 * @param credentialId the member's credential, if the token is one of it.
 */
export function memberActor(
  member: { tenantId: string; id: string; role: Role; person: Person },
  tokenPermissions: readonly string[],
  call: Call,
  credentialId?: string,
): Actor {
  const { tenantId, id, person } = member;
  const permissions = new Set(permissionsOfRole[member.role].filter((permission) => tokenPermissions.includes(permission)));
  return { kind: 'member', tenantId, id, person, permissions, call, ...(credentialId === undefined ? {} : { credentialId }) };
}

/** A repository user who acts in the repository; nothing at the tenant API is permitted to it. */
export function userActor(tenantId: string, userId: number, call: Call): Actor {
  return { kind: 'user', tenantId, id: String(userId), permissions: new Set(), call };
}

/** A tenant credential may do what its token's permissions say. */
export function machineActor(tenantId: string, clientId: string, tokenPermissions: readonly string[], call: Call): Actor {
  const permissions = tenantPermissions.filter((permission) => tokenPermissions.includes(permission));
  return { kind: 'machine', tenantId, id: clientId, permissions: new Set(permissions), call };
}

/** The system itself, for the audit trail: it authorises nothing. @param id which part of it. */
export function systemActor(tenantId: string, id: string): Actor {
  return { kind: 'system', tenantId, id, permissions: new Set(), call: { requestId: id } };
}

/** @throws Problem `forbidden` when the actor's role or credential does not hold the permission. */
export function authorize(actor: Actor, permission: TenantPermission): void {
  if (!actor.permissions.has(permission)) {
    throw new Problem('forbidden', `This takes the permission ${permission}, which your role or credential does not have.`);
  }
}
