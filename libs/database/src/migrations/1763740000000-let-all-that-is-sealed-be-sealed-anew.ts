import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The worker reads what lies under an earlier key-encryption key in every table that holds such a thing, and writes it anew. */
export class LetAllThatIsSealedBeSealedAnew1763740000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE POLICY everything ON totp_secrets TO latchkey_system USING (true);
      GRANT SELECT, UPDATE (secret, encryption_key_id) ON totp_secrets TO latchkey_system;
      GRANT SELECT, UPDATE (client_secret, encryption_key_id) ON identity_providers TO latchkey_system;
      CREATE INDEX totp_secrets_key ON totp_secrets (encryption_key_id);
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP INDEX totp_secrets_key;
      REVOKE SELECT, UPDATE (client_secret, encryption_key_id) ON identity_providers FROM latchkey_system;
      REVOKE SELECT, UPDATE (secret, encryption_key_id) ON totp_secrets FROM latchkey_system;
      DROP POLICY everything ON totp_secrets;
    `);
  }
}
