import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Every process that ever ran is known for 90 days, and each cut-off of a page of proofs read them all to name those that were
 * there when it took effect.
 */
export class FindNodesOfATime1763764000750 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('CREATE INDEX nodes_seen ON nodes (seen_at)');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP INDEX nodes_seen');
  }
}
