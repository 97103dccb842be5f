import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * A deleted tenant's row stays, since slugs, the audit trail and what can still be restored name it. Nobody is a member of it any
 * more and no credential of it works, so nothing needs to ask for the column but whoever restores it.
 */
export class LetTenantsBeDeleted1763752000500 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE tenants ADD COLUMN deleted_at timestamptz');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE tenants DROP COLUMN deleted_at');
  }
}
