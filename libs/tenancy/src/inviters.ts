import { isAtMost, permissionsOfRole, Problem, roles, type Role, type TenantPermission } from '@latchkey/contracts';
import { auditEach, type Actor, type UsedSecret } from '@latchkey/access';
import { Client, Member, type EntityManager, type Invitation } from '@latchkey/database';

/*
 * An open invitation ends with the right of whoever made it: nobody who lost theirs comes back by a link that they sent to
 * themselves. That goes for a member, and for whoever had the secret of a credential.
 */

/** Who makes an invitation, and with which credential, if with one. */
export type Inviter = Pick<Invitation, 'invitedBy' | 'invitedWith'>;

/**
 * Holds the member who invites and the credential that they do it with: whoever takes away the right waits, and then finds the
 * invitation.
 *
 * @param permission what it takes.
 * @throws Problem `forbidden` for somebody who has lost the right since the call began; `unauthenticated` with a secret that has
 * ended since.
 */
export async function holdInviter(
  tx: EntityManager,
  { kind, tenantId, id, secret }: Actor,
  permission: TenantPermission,
): Promise<Inviter> {
  if (kind === 'member') {
    const member = await tx.findOne(Member, { where: { tenantId, id }, lock: { mode: 'pessimistic_read' } });
    if (!member || !permissionsOfRole[member.role].includes(permission))
      throw new Problem('forbidden', 'Your role does not allow this any more.');
  }
  if (secret) await holdSecret(tx, secret);
  return { invitedBy: kind === 'member' ? id : null, invitedWith: secret?.clientId ?? null };
}

async function holdSecret(tx: EntityManager, { repositoryId, clientId, id }: UsedSecret): Promise<void> {
  await tx.findOne(Client, { where: { repositoryId, id: clientId }, lock: { mode: 'pessimistic_read' } });
  // After that, because what is read along with a row that one waits for is as it was before.
  const alive = await tx.query<unknown[]>(
    `SELECT FROM secret_versions v WHERE v.repository_id = $1 AND v.client_id = $2 AND v.id = $3
       AND version_is_alive(v.ended_at, v.expires_at, v.overlap_ends_at)`,
    [repositoryId, clientId, id],
  );
  if (alive.length === 0) throw new Problem('unauthenticated', 'The secret of this credential has ended.');
}

/** Withdraws the open invitations of a member that nobody with their role could make; all if they are no member any more. */
export async function endInvitationsOf(tx: EntityManager, actor: Actor, memberId: string, role?: Role): Promise<void> {
  const may = (permission: TenantPermission) => role !== undefined && permissionsOfRole[role].includes(permission);
  const offered = role && may('members:write') ? roles.filter((each) => isAtMost(each, role)) : [];
  const which = 'invited_by = $2::uuid AND NOT CASE WHEN role IS NULL THEN $3 ELSE role = ANY($4) END';
  await withdraw(tx, actor, which, [memberId, may('users:write'), offered]);
}

/** Withdraws the open invitations that were made with a credential, whose secret somebody else may have had. */
export async function endInvitationsMadeWith(tx: EntityManager, actor: Actor, clientId: string): Promise<void> {
  await withdraw(tx, actor, 'invited_with = $2', [clientId]);
}

async function withdraw(tx: EntityManager, actor: Actor, which: string, [maker, ...values]: [string, ...unknown[]]): Promise<void> {
  const ended = await tx.query<{ id: string; role: Role | null; repositoryId: string; userId: number | null }[]>(
    `WITH ended AS (
       DELETE FROM invitations WHERE tenant_id = $1 AND used_at IS NULL AND expires_at > now() AND ${which}
       RETURNING id, role, repository_id AS "repositoryId", user_id AS "userId")
     SELECT * FROM ended`,
    [actor.tenantId, maker, ...values],
  );
  const deeds = ended.map(({ id, role, repositoryId, userId }) => {
    const deed = { action: 'invitation.withdrawn', targetKind: 'invitation', targetId: id };
    const details = { with: maker, ...(role ? { role } : { userId }) };
    return { ...deed, details, ...(role ? {} : { repositoryId }) };
  });
  await auditEach(tx, actor, deeds);
}
