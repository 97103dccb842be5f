import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * A repository that was asked for while its tenant was being deleted could outlive it. Whoever makes one now waits for the end
 * of the deletion, or the deletion for them, and a tenant that is deleted may have none.
 */
export class MakeNothingInADeletedTenant1763762000500 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE OR REPLACE FUNCTION reached_repository_quota(tenant uuid) RETURNS integer LANGUAGE plpgsql AS $$
      DECLARE
        quota integer := (SELECT (settings ->> 'maxRepositories')::integer FROM tenants WHERE id = tenant);
        counted integer;
      BEGIN
        -- Most have none, and wait for nobody but who changes the tenant as a whole.
        IF quota IS NULL THEN
          PERFORM FROM tenants WHERE id = tenant AND deleted_at IS NULL FOR SHARE;
          RETURN CASE WHEN NOT FOUND THEN 0 END;
        END IF;
        PERFORM FROM tenants WHERE id = tenant AND deleted_at IS NULL FOR NO KEY UPDATE;
        IF NOT FOUND THEN RETURN 0; END IF;
        -- A statement of its own, which sees what was committed while the one before it waited. It counts no further than it must.
        SELECT count(*) INTO counted FROM (
          SELECT FROM repositories WHERE tenant_id = tenant AND purge_began_at IS NULL LIMIT quota) most;
        RETURN CASE WHEN counted >= quota THEN quota END;
      END $$;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE OR REPLACE FUNCTION reached_repository_quota(tenant uuid) RETURNS integer LANGUAGE plpgsql AS $$
      DECLARE
        quota integer := (SELECT (settings ->> 'maxRepositories')::integer FROM tenants WHERE id = tenant);
        counted integer;
      BEGIN
        IF quota IS NULL THEN RETURN NULL; END IF;
        PERFORM FROM tenants WHERE id = tenant FOR NO KEY UPDATE;
        SELECT count(*) INTO counted FROM (
          SELECT FROM repositories WHERE tenant_id = tenant AND purge_began_at IS NULL LIMIT quota) most;
        RETURN CASE WHEN counted >= quota THEN quota END;
      END $$;
    `);
  }
}
