import type { MigrationInterface, QueryRunner } from 'typeorm';

/** An open invitation ends with the right of whoever made it. Who made those that are open is in the audit trail. */
export class KnowWhoInvited1763765000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE invitations ADD COLUMN invited_by uuid;
      COMMENT ON COLUMN invitations.invited_by IS 'The member who made it; null for one that a machine made.';
      UPDATE invitations i SET invited_by = a.actor_id::uuid FROM audit_events a
        WHERE i.used_at IS NULL AND a.tenant_id = i.tenant_id AND a.at = i.created_at AND a.actor_kind = 'member'
          AND a.action IN ('member.invited', 'user.invited') AND a.target_id IN (i.id::text, i.user_id::text);
      CREATE INDEX invitations_inviter ON invitations (tenant_id, invited_by) WHERE used_at IS NULL;`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP INDEX invitations_inviter; ALTER TABLE invitations DROP COLUMN invited_by');
  }
}
