import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The one question that every use of a credential asks the primary. It spans repositories, because checks of many
 * requests go out together, so it cannot run under one repository's row-level security. Instead it is a function that
 * only `latchkey_check` may call and that returns no more than a check needs.
 *
 * The arrays are parallel: element i of each describes check i, and a null leaves that part out. Every check gets
 * exactly one row back, in no promised order, told apart by its ordinal.
 */
export class CreateCheck1763690000001 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE FUNCTION check_credentials(
        repository_ids uuid[], client_ids text[], user_ids integer[],
        version_ids uuid[], grant_ids text[], token_ids text[], with_secrets boolean[]
      ) RETURNS TABLE (
        ordinal bigint,
        repository jsonb, client jsonb, subject jsonb, secrets jsonb,
        version_alive boolean, grant_alive boolean, token_revoked boolean
      ) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = latchkey, pg_temp AS $$
        SELECT
          asked.ordinal,
          jsonb_build_object('tenantId', r.tenant_id, 'id', r.id, 'alive', r.suspended_at IS NULL AND r.deleted_at IS NULL,
            'generation', r.generation, 'settingsVersion', r.settings_version, 'environment', r.environment),
          CASE WHEN c.id IS NOT NULL THEN jsonb_build_object('id', c.id, 'tenantId', c.tenant_id, 'kind', c.kind, 'name', c.name,
            'generation', c.generation, 'permissions', c.permissions, 'userId', c.user_id,
            'redirectUris', c.redirect_uris, 'postLogoutRedirectUris', c.post_logout_redirect_uris) END,
          CASE WHEN u.id IS NOT NULL THEN jsonb_build_object('id', u.id, 'loginName', CASE WHEN u.technical THEN 'builtin\\' ELSE 'public\\' END || u.login_name, 'enabled', u.enabled,
            'generation', u.generation) END,
          CASE WHEN asked.with_secrets AND c.id IS NOT NULL THEN (
            SELECT coalesce(jsonb_agg(jsonb_build_object('id', s.id, 'hash', encode(s.hash, 'hex'), 'pepperId', s.pepper_id,
              'alive', s.ended_at IS NULL AND (s.expires_at IS NULL OR s.expires_at > now())
                AND (s.overlap_ends_at IS NULL OR s.overlap_ends_at > now()),
              'endedAt', coalesce(s.ended_at, least(s.overlap_ends_at, s.expires_at)),
              'replaced', s.ended_at IS NOT NULL OR s.overlap_ends_at IS NOT NULL)), '[]')
            FROM (SELECT * FROM secret_versions v WHERE v.repository_id = asked.repository_id AND v.client_id = c.id
                  ORDER BY v.created_at DESC LIMIT 20) s) END,
          CASE WHEN asked.version_id IS NOT NULL THEN EXISTS (
            SELECT FROM secret_versions v
            WHERE v.repository_id = asked.repository_id AND v.client_id = asked.client_id AND v.id = asked.version_id
              AND v.ended_at IS NULL AND (v.expires_at IS NULL OR v.expires_at > now())
              AND (v.overlap_ends_at IS NULL OR v.overlap_ends_at > now())) END,
          CASE WHEN asked.grant_id IS NOT NULL THEN EXISTS (
            SELECT FROM oidc_records o
            WHERE o.repository_id = asked.repository_id AND o.kind = 'Grant' AND o.id = asked.grant_id
              AND (o.expires_at IS NULL OR o.expires_at > now()) AND o.user_generation = u.generation) END,
          CASE WHEN asked.token_id IS NOT NULL THEN EXISTS (
            SELECT FROM revoked_tokens t WHERE t.repository_id = asked.repository_id AND t.id = asked.token_id) END
        FROM unnest(repository_ids, client_ids, user_ids, version_ids, grant_ids, token_ids, with_secrets) WITH ORDINALITY
          AS asked (repository_id, client_id, user_id, version_id, grant_id, token_id, with_secrets, ordinal)
        JOIN repositories r ON r.id = asked.repository_id
        LEFT JOIN clients c ON c.repository_id = asked.repository_id AND c.id = asked.client_id AND c.deleted_at IS NULL
        LEFT JOIN repository_users u ON u.repository_id = asked.repository_id AND u.id = coalesce(asked.user_id, c.user_id)
      $$;
      REVOKE ALL ON FUNCTION check_credentials FROM PUBLIC;
      GRANT EXECUTE ON FUNCTION check_credentials TO latchkey_check;

      -- Finds an issuer by its slug: what an app needs to know of a repository before it can check anything. It never
      -- changes, so an app may remember it.
      CREATE FUNCTION find_repository(slug text) RETURNS TABLE (tenant_id uuid, id uuid)
        LANGUAGE sql STABLE SECURITY DEFINER SET search_path = latchkey, pg_temp AS $$
        SELECT r.tenant_id, r.id FROM repositories r WHERE r.slug = find_repository.slug
      $$;
      REVOKE ALL ON FUNCTION find_repository FROM PUBLIC;
      GRANT EXECUTE ON FUNCTION find_repository TO latchkey_check;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP FUNCTION check_credentials; DROP FUNCTION find_repository;');
  }
}
