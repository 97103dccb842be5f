import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * An open invitation ends with the right of its maker, at the time when the right does. So those are open still whose maker had
 * lost it before it was known who had made them: a member who is gone or has a lower role by now, and a credential of which a
 * secret was ended since. They have run out now.
 */
export class EndInvitationsOfLostRights1763768000750 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      UPDATE invitations i SET expires_at = now()
      WHERE i.used_at IS NULL AND i.expires_at > now() AND (
        i.invited_by IS NOT NULL AND NOT EXISTS (
          SELECT FROM members m WHERE m.tenant_id = i.tenant_id AND m.id = i.invited_by
            AND CASE WHEN i.role IS NULL THEN m.role <> 'viewer' ELSE m.role = 'owner' OR (m.role = 'super-admin' AND i.role <> 'owner') END)
        OR EXISTS (
          SELECT FROM clients c JOIN secret_versions v ON v.repository_id = c.repository_id AND v.client_id = c.id
          WHERE c.kind IN ('tenant', 'member') AND c.tenant_id = i.tenant_id AND c.id = i.invited_with AND v.ended_at > i.created_at))`);
  }

  /** They stay what they are. */
  async down(): Promise<void> {}
}
