import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What the queue may have lost of the sign-outs that apps are told of: its row is all that there is of one. */
export class FindSignOutsToTellOf1763766000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`CREATE INDEX outbox_logout ON outbox (id) WHERE name = 'logout.tell'`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP INDEX outbox_logout');
  }
}
