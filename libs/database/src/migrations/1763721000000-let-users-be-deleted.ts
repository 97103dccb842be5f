import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * A deleted user's row stays, without anything about the person: API keys, clients, grants and the audit trail name its id,
 * and a check that finds it disabled, with a higher generation, refuses whatever it had. Its login name becomes one that
 * nobody can have, so the old one is free again.
 */
export class LetUsersBeDeleted1763721000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE repository_users ADD COLUMN deleted_at timestamptz,
        ADD CONSTRAINT repository_users_deleted CHECK (deleted_at IS NULL OR NOT enabled AND email IS NULL AND password_hash IS NULL);
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE repository_users DROP COLUMN deleted_at');
  }
}
