import type { MigrationInterface, QueryRunner } from 'typeorm';

/** When a user goes for good, the mails and links that were sent to them go too. */
export class ForgetPeopleWhoWereDeleted1763758000250 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('GRANT DELETE ON mails, mailed_links TO latchkey_app');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('REVOKE DELETE ON mails, mailed_links FROM latchkey_app');
  }
}
