import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * A tenant that makes a repository for each run of its tests, and deletes it, has thousands that wait to be purged. Those that
 * live are listed and counted without reading them.
 */
export class FindLiveRepositories1763764000500 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('CREATE INDEX repositories_live ON repositories (tenant_id, id) WHERE deleted_at IS NULL');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP INDEX repositories_live');
  }
}
