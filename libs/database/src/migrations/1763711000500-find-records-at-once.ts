import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * A record of the authority is found, and marked as used, in one round trip, under the same row-level security as before: the
 * functions have the rights of whoever calls them, and narrow their own transaction to one repository first. In PL/pgSQL,
 * because there a statement begins only when the one before it, which enters the scope, has ended.
 *
 * Each way to find one is a statement of its own, so that each is served by its index, whatever the statistics say; so a plan
 * is made once for each connection.
 */
export class FindRecordsAtOnce1763711000500 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE FUNCTION find_oidc_record(repository uuid, wanted text, by text, value text) RETURNS SETOF oidc_records
      LANGUAGE plpgsql SET search_path = latchkey, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
      DECLARE
        found oidc_records;
      BEGIN
        PERFORM set_config('app.tenant_id', '', true), set_config('app.repository_id', repository::text, true);
        CASE by
          WHEN 'id' THEN
            SELECT * INTO found FROM oidc_records o WHERE o.repository_id = repository AND o.kind = wanted AND o.id = value;
          WHEN 'uid' THEN
            SELECT * INTO found FROM oidc_records o WHERE o.repository_id = repository AND o.kind = wanted AND o.uid = value LIMIT 1;
          WHEN 'userCode' THEN
            SELECT * INTO found FROM oidc_records o WHERE o.repository_id = repository AND o.kind = wanted AND o.user_code = value LIMIT 1;
        END CASE;
        IF found.id IS NULL OR found.expires_at <= now() THEN RETURN; END IF;
        -- What belongs to somebody ends with them.
        IF found.user_id IS NOT NULL AND NOT EXISTS (
          SELECT FROM repository_users u
          WHERE u.repository_id = repository AND u.id = found.user_id AND u.enabled
            AND (found.user_generation IS NULL OR u.generation = found.user_generation)) THEN RETURN; END IF;
        RETURN NEXT found;
      END $$;

      -- Marks a code or refresh token as used. When another request has done so since it was read, it is being replayed, and
      -- everything that came of its grant ends. Returns whether it was marked.
      CREATE FUNCTION consume_oidc_record(repository uuid, wanted text, value text) RETURNS boolean
      LANGUAGE plpgsql SET search_path = latchkey, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
      DECLARE
        replayed text;
      BEGIN
        PERFORM set_config('app.tenant_id', '', true), set_config('app.repository_id', repository::text, true);
        UPDATE oidc_records o SET consumed_at = now()
          WHERE o.repository_id = repository AND o.kind = wanted AND o.id = value AND o.consumed_at IS NULL;
        IF FOUND THEN RETURN true; END IF;
        SELECT o.grant_id INTO replayed FROM oidc_records o WHERE o.repository_id = repository AND o.kind = wanted AND o.id = value;
        IF replayed IS NOT NULL THEN
          DELETE FROM oidc_records o WHERE o.repository_id = repository AND o.grant_id = replayed;
          DELETE FROM oidc_records o WHERE o.repository_id = repository AND o.kind = 'Grant' AND o.id = replayed;
        END IF;
        RETURN false;
      END $$;
      REVOKE ALL ON FUNCTION find_oidc_record, consume_oidc_record FROM PUBLIC;
      GRANT EXECUTE ON FUNCTION find_oidc_record, consume_oidc_record TO latchkey_app;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP FUNCTION find_oidc_record, consume_oidc_record');
  }
}
