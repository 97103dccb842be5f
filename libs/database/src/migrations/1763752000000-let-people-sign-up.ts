import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Links with which somebody who has no account yet makes one, and a tenant with it. Like an invitation's, such a link is nobody's
 * until it is opened. How many an address got within the hour is counted, so that nobody can have us flood it.
 */
export class LetPeopleSignUp1763752000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ${purposes(`'invitation', 'verify-email', 'new-password', 'sign-up'`, `'invitation', 'sign-up'`)}
      CREATE INDEX mailed_links_sign_up ON mailed_links (repository_id, address, created_at) WHERE purpose = 'sign-up';
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP INDEX mailed_links_sign_up;
      DELETE FROM mailed_links WHERE purpose = 'sign-up';
      ${purposes(`'invitation', 'verify-email', 'new-password'`, `'invitation'`)}
    `);
  }
}

const purposes = (all: string, ofNobody: string) => `
  ALTER TABLE mailed_links
    DROP CONSTRAINT mailed_links_purpose_check, ADD CONSTRAINT mailed_links_purpose_check CHECK (purpose IN (${all})),
    DROP CONSTRAINT mailed_links_check1, ADD CONSTRAINT mailed_links_check1 CHECK (purpose IN (${ofNobody}) OR user_id IS NOT NULL);`;
