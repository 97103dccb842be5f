import type { QueryRunner } from 'typeorm';

/**
 * Has a function of the database say something else; all else of it, its settings and rights too, stays. For migrations.
 *
 * @throws when it does not say what it is known to say.
 */
export async function changeFunction(runner: QueryRunner, name: string, before: string, after: string): Promise<void> {
  await runner.query(`
    DO $do$
    DECLARE
      one text := pg_get_functiondef('${name}'::regproc);
      other text := replace(one, $before$${before}$before$, $after$${after}$after$);
    BEGIN
      IF other = one THEN RAISE '${name} is another than expected'; END IF;
      EXECUTE other;
    END $do$`);
}
