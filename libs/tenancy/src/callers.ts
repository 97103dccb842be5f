import { Problem, roles, type Role } from '@latchkey/contracts';
import { machineActor, memberActor, type Actor, type Call } from '@latchkey/access';
import type { KnownRepository, VerifiedToken } from '@latchkey/credentials';
import type { Database } from '@latchkey/database';

/**
 * Turns a live token of the console into whoever is acting: a machine for a tenant's credential, else the member that the
 * person or their credential is.
 *
 * @param tenantId which of a person's tenants is meant; the one that they joined first if absent.
 * @throws Problem `forbidden` when the person is a member of no tenant, or not of that one.
 */
export async function resolveActor(
  database: Database,
  consoleRepository: KnownRepository,
  token: VerifiedToken,
  call: Call,
  tenantId?: string,
): Promise<Actor> {
  const isPerson = token.clientKind === 'app';
  if (!isPerson && tenantId !== undefined && tenantId !== token.tenantId)
    throw new Problem('forbidden', 'The credential belongs to another tenant.');
  const { clientId, versionId } = token;
  const proof = versionId === undefined ? {} : { secret: { repositoryId: consoleRepository.id, clientId, id: versionId } };
  if (!isPerson && token.clientKind !== 'member') return { ...machineActor(token.tenantId, clientId, token.permissions, call), ...proof };
  const meant = isPerson ? tenantId : token.tenantId;
  // A person's memberships span tenants, so no tenant's scope can hold them all.
  const memberships: Membership[] = await database.read('system', (tx) =>
    tx.query(
      `SELECT m.tenant_id AS "tenantId", m.id, m.role, u.login_name AS "loginName", u.email, u.name
       FROM members m JOIN repository_users u ON u.repository_id = m.repository_id AND u.id = m.user_id
       WHERE m.repository_id = $1 AND m.user_id = $2 ORDER BY m.created_at, m.id`,
      [consoleRepository.id, token.userId],
    ),
  );
  const membership = meant === undefined ? memberships[0] : memberships.find((each) => each.tenantId === meant);
  if (!membership || !roles.includes(membership.role))
    throw new Problem('forbidden', 'You are not a member of such a tenant. Ask its owner to invite you.');
  const { loginName, email, name } = membership;
  const member = { ...membership, person: { loginName, email, name } };
  return { ...memberActor(member, token.permissions, call, isPerson ? undefined : clientId), ...proof };
}

interface Membership {
  tenantId: string;
  id: string;
  role: Role;
  loginName: string;
  email: string | null;
  name: string;
}
