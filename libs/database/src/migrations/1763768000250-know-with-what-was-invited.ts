import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * An open invitation that was made with a credential ends with the secret, which somebody else may have had. With which those that
 * are open were made is in the audit trail.
 */
export class KnowWithWhatWasInvited1763768000250 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE invitations ADD COLUMN invited_with text;
      COMMENT ON COLUMN invitations.invited_with IS 'The client ID of the credential with which it was made; null for a person who had signed in.';
      UPDATE invitations i SET invited_with = CASE a.actor_kind WHEN 'machine' THEN a.actor_id ELSE a.details->>'credentialId' END
        FROM audit_events a
        WHERE i.used_at IS NULL AND a.tenant_id = i.tenant_id AND a.at = i.created_at AND a.actor_kind IN ('machine', 'member')
          AND a.action IN ('member.invited', 'user.invited') AND a.target_id IN (i.id::text, i.user_id::text);
      CREATE INDEX invitations_credential ON invitations (tenant_id, invited_with) WHERE used_at IS NULL AND invited_with IS NOT NULL;`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP INDEX invitations_credential; ALTER TABLE invitations DROP COLUMN invited_with');
  }
}
