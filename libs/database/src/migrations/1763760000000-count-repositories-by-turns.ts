import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Of two calls that would each be a tenant's last repository, the second waits for the first and then counts it. */
export class CountRepositoriesByTurns1763760000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE FUNCTION reached_repository_quota(tenant uuid) RETURNS integer LANGUAGE plpgsql AS $$
      DECLARE
        quota integer := (SELECT (settings ->> 'maxRepositories')::integer FROM tenants WHERE id = tenant);
        counted integer;
      BEGIN
        -- Most have none, and wait for nobody.
        IF quota IS NULL THEN RETURN NULL; END IF;
        PERFORM FROM tenants WHERE id = tenant FOR NO KEY UPDATE;
        -- A statement of its own, which sees what was committed while the one before it waited. It counts no further than it must.
        SELECT count(*) INTO counted FROM (
          SELECT FROM repositories WHERE tenant_id = tenant AND purge_began_at IS NULL LIMIT quota) most;
        RETURN CASE WHEN counted >= quota THEN quota END;
      END $$;
      COMMENT ON FUNCTION reached_repository_quota IS 'How many repositories a tenant may have, when it has them; null while it may have more.';
      REVOKE ALL ON FUNCTION reached_repository_quota FROM PUBLIC;
      GRANT EXECUTE ON FUNCTION reached_repository_quota TO latchkey_app;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP FUNCTION reached_repository_quota');
  }
}
