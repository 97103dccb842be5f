import { permissionsOfRole, Problem, tenantPermissions, type Role, type TenantPermission } from '@latchkey/contracts';

/** What the transport knows of the call that an actor makes. */
export interface Call {
  /** Names the call in answers, logs and the audit trail. */
  requestId: string;
  /** The address that the call came from. */
  address?: string;
  /** The caller's `Idempotency-Key`, and the SHA-256 of method, address and body that it was sent with. */
  idempotency?: { key: string; fingerprint: Buffer };
}

/** Who a member is as a person. */
export interface Person {
  loginName: string;
  email: string | null;
  name: string;
}

/** Whoever performs a call in a tenant: a member, a machine (a tenant or member credential), or the system itself. */
export interface Actor {
  kind: 'member' | 'machine' | 'system';
  tenantId: string;
  /** The member's id or the credential's client ID. */
  id: string;
  permissions: ReadonlySet<TenantPermission>;
  /** Who the member is; a machine is nobody. */
  person?: Person;
  call: Call;
}

/** A member may do what the role allows, as far as the token's own permissions go. */
export function memberActor(
  member: { tenantId: string; id: string; role: Role; person: Person },
  tokenPermissions: readonly string[],
  call: Call,
): Actor {
  const permissions = permissionsOfRole[member.role].filter((permission) => tokenPermissions.includes(permission));
  return { kind: 'member', tenantId: member.tenantId, id: member.id, person: member.person, permissions: new Set(permissions), call };
}

/** A tenant credential may do what its token's permissions say. */
export function machineActor(tenantId: string, clientId: string, tokenPermissions: readonly string[], call: Call): Actor {
  const permissions = tenantPermissions.filter((permission) => tokenPermissions.includes(permission));
  return { kind: 'machine', tenantId, id: clientId, permissions: new Set(permissions), call };
}

/** @throws Problem `forbidden` when the actor's role or credential does not hold the permission. */
export function authorize(actor: Actor, permission: TenantPermission): void {
  if (!actor.permissions.has(permission)) {
    throw new Problem('forbidden', `This takes the permission ${permission}, which your role or credential does not have.`);
  }
}
