import type { MigrationInterface, QueryRunner } from 'typeorm';

/** A plan says how many clients a repository may have. Whoever has more already keeps them. */
export class LimitClients1763768000500 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const [before, after] of plans) await runner.query(replace(before, after));
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const [before, after] of plans) await runner.query(replace(after, before));
  }
}

const plans = Object.entries({ '6000': '50', null: 'null', '300000': '1000' }).map(([calls, clients]): [string, string] => [
  `"requestsPerMinute": ${calls}}`,
  `"requestsPerMinute": ${calls}, "clients": ${clients}}`,
]);

const replace = (before: string, after: string) => `
  DO $do$
  DECLARE
    one text := pg_get_functiondef('repository_limits'::regproc);
    other text := replace(one, '${before}', '${after}');
  BEGIN
    IF other = one THEN RAISE 'repository_limits is another than expected'; END IF;
    EXECUTE other;
  END $do$`;
