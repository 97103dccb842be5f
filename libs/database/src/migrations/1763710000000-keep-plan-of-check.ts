import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The check of credentials keeps its plan, and every look-up in it is one of an index, whatever the statistics say.
 *
 * Without the settings PostgreSQL plans the function anew at every call once its tables are analysed, which costs several
 * times what running it does. A plan that is kept must not depend on how large the tables were when it was made: so every
 * look-up is a subquery of its own with `LIMIT 1`, which the planner can neither turn into a hash of a whole table nor join
 * in another order, and reading a table whole is ruled out.
 */
export class KeepPlanOfCheck1763710000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE OR REPLACE FUNCTION check_credentials(
        repository_ids uuid[], client_ids text[], user_ids integer[], version_ids uuid[], grant_ids text[], token_ids text[],
        key_hashes bytea[], with_secrets boolean[]
      ) RETURNS TABLE (
        ordinal bigint,
        repository jsonb, client jsonb, subject jsonb, secrets jsonb, api_key jsonb,
        version_alive boolean, grant_alive boolean, token_revoked boolean
      ) LANGUAGE sql STABLE SECURITY DEFINER
        SET search_path = latchkey, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
      AS $$
        SELECT
          asked.ordinal,
          jsonb_build_object('tenantId', r.tenant_id, 'id', r.id, 'alive', r.suspended_at IS NULL AND r.deleted_at IS NULL,
            'generation', r.generation, 'settingsVersion', r.settings_version, 'environment', r.environment),
          CASE WHEN c.id IS NOT NULL THEN jsonb_build_object('id', c.id, 'tenantId', c.tenant_id, 'kind', c.kind, 'name', c.name,
            'generation', c.generation, 'permissions', c.permissions, 'userId', c.user_id,
            'redirectUris', c.redirect_uris, 'postLogoutRedirectUris', c.post_logout_redirect_uris,
            'tokenSeconds', CASE c.kind WHEN 'member' THEN
              (SELECT member_token_seconds(t.settings) FROM tenants t WHERE t.id = c.tenant_id LIMIT 1) END) END,
          CASE WHEN u.id IS NOT NULL THEN jsonb_build_object('id', u.id,
            'loginName', CASE WHEN u.technical THEN 'builtin\\' ELSE 'public\\' END || u.login_name,
            'enabled', u.enabled, 'generation', u.generation) END,
          CASE WHEN asked.with_secrets AND c.id IS NOT NULL THEN (
            SELECT coalesce(jsonb_agg(jsonb_build_object('id', s.id, 'hash', encode(s.hash, 'hex'), 'pepperId', s.pepper_id,
              'alive', s.ended_at IS NULL AND (s.expires_at IS NULL OR s.expires_at > now())
                AND (s.overlap_ends_at IS NULL OR s.overlap_ends_at > now()),
              'createdAt', s.created_at, 'expiresAt', s.expires_at,
              'endedAt', coalesce(s.ended_at, least(s.overlap_ends_at, s.expires_at)),
              'replaced', s.ended_at IS NOT NULL OR s.overlap_ends_at IS NOT NULL)), '[]')
            FROM (SELECT * FROM secret_versions v WHERE v.repository_id = asked.repository_id AND v.client_id = c.id
                  ORDER BY v.created_at DESC LIMIT 20) s) END,
          CASE WHEN k.id IS NOT NULL THEN jsonb_build_object('id', k.id, 'permissions', k.permissions,
            'alive', k.ended_at IS NULL AND k.expires_at > now()) END,
          CASE WHEN asked.version_id IS NOT NULL THEN coalesce((
            SELECT v.ended_at IS NULL AND (v.expires_at IS NULL OR v.expires_at > now())
              AND (v.overlap_ends_at IS NULL OR v.overlap_ends_at > now())
            FROM secret_versions v
            WHERE v.repository_id = asked.repository_id AND v.client_id = asked.client_id AND v.id = asked.version_id LIMIT 1), false) END,
          CASE WHEN asked.grant_id IS NOT NULL THEN coalesce((
            SELECT (o.expires_at IS NULL OR o.expires_at > now()) AND o.user_generation = u.generation
            FROM oidc_records o
            WHERE o.repository_id = asked.repository_id AND o.kind = 'Grant' AND o.id = asked.grant_id LIMIT 1), false) END,
          CASE WHEN asked.token_id IS NOT NULL THEN coalesce((
            SELECT true FROM revoked_tokens t WHERE t.repository_id = asked.repository_id AND t.id = asked.token_id LIMIT 1), false) END
        FROM unnest(repository_ids, client_ids, user_ids, version_ids, grant_ids, token_ids, key_hashes, with_secrets) WITH ORDINALITY
          AS asked (repository_id, client_id, user_id, version_id, grant_id, token_id, key_hash, with_secrets, ordinal)
        JOIN LATERAL (SELECT * FROM repositories WHERE id = asked.repository_id LIMIT 1) r ON true
        LEFT JOIN LATERAL (
          SELECT * FROM clients
          WHERE repository_id = asked.repository_id AND id = asked.client_id AND deleted_at IS NULL
            AND CASE kind WHEN 'member' THEN (
              SELECT member_credential_refusal(m.role, m.federated, t.settings) IS NULL
              FROM members m JOIN tenants t ON t.id = m.tenant_id
              WHERE m.tenant_id = clients.tenant_id AND m.repository_id = clients.repository_id AND m.user_id = clients.user_id
              LIMIT 1) ELSE true END
          LIMIT 1) c ON true
        LEFT JOIN LATERAL (
          SELECT * FROM api_keys WHERE repository_id = asked.repository_id AND hash = asked.key_hash LIMIT 1) k ON true
        LEFT JOIN LATERAL (
          SELECT * FROM repository_users
          WHERE repository_id = asked.repository_id AND id = coalesce(asked.user_id, c.user_id, k.user_id) LIMIT 1) u ON true
      $$;
    `);
  }

  async down(): Promise<void> {
    // It answers as the one before it, so there is nothing to undo.
  }
}
