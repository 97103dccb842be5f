import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What nodes ask when they report of a cut-off: each time for a handful of rows that they name. */
const functions = ['beat_node(uuid, text, text, text)', 'ended_by(uuid[], uuid[])', 'report_refusals(uuid, uuid[], uuid[])'];

/**
 * A connection that has planned these statements while there were few cut-offs kept a plan that reads the table whole, until
 * PostgreSQL next analysed it: the more cut-offs came meanwhile, the longer every node took to report of each.
 */
const settings = {
  plan_cache_mode: 'force_generic_plan',
  enable_seqscan: 'off',
  // Either would read the whole of an index.
  enable_hashjoin: 'off',
  enable_mergejoin: 'off',
};

export class FindCutoffsByIndex1763769000250 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const name of functions)
      for (const [setting, value] of Object.entries(settings)) await runner.query(`ALTER FUNCTION ${name} SET ${setting} = ${value}`);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const name of functions)
      for (const setting of Object.keys(settings)) await runner.query(`ALTER FUNCTION ${name} RESET ${setting}`);
  }
}
