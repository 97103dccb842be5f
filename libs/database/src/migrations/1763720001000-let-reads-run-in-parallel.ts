import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The functions of the policies only read settings, which PostgreSQL gives to its parallel workers. Left at the default they
 * kept every statement under row-level security to one processor, however many rows it had to look at.
 */
export class LetReadsRunInParallel1763720001000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER FUNCTION current_tenant() PARALLEL SAFE;
      ALTER FUNCTION current_repository() PARALLEL SAFE;
      ALTER FUNCTION in_scope(uuid, uuid) PARALLEL SAFE;`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER FUNCTION current_tenant() PARALLEL UNSAFE;
      ALTER FUNCTION current_repository() PARALLEL UNSAFE;
      ALTER FUNCTION in_scope(uuid, uuid) PARALLEL UNSAFE;`);
  }
}
