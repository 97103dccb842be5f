import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The check says of a client that may not be used whose it was and why: it was deleted, its member is gone, or the policy of
 * the tenant suspends it. So whoever presents a dead credential is found in the audit trail of the tenant that it belongs to,
 * and whoever proves to have the secret of a suspended one can be told. What decides is still `client`, which is null for each
 * of them; of a suspended client the secrets are given too, to compare a presented one with.
 *
 * The plan is kept and every look-up is one of an index, as the migration that keeps the plan says.
 */
export class TellOfRefusedClients1763714001500 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('DROP FUNCTION check_credentials');
    await runner.query(
      checkCredentials({
        column: 'refused_client jsonb, ',
        value: `CASE WHEN c.refusal IS NOT NULL THEN
        jsonb_build_object('id', c.id, 'tenantId', c.tenant_id, 'kind', c.kind, 'because', c.refusal) END,`,
      }),
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP FUNCTION check_credentials');
    await runner.query(checkCredentials({ column: '', value: '' }));
  }
}

/** The check of the migration before, with what this one adds to it. */
const checkCredentials = ({ column, value }: { column: string; value: string }) => `
  CREATE FUNCTION check_credentials(
    repository_ids uuid[], client_ids text[], user_ids integer[], version_ids uuid[], grant_ids text[], token_ids text[],
    key_hashes bytea[], with_secrets boolean[]
  ) RETURNS TABLE (
    ordinal bigint,
    repository jsonb, client jsonb, ${column}subject jsonb, secrets jsonb, api_key jsonb,
    version_alive boolean, grant_alive boolean, token_revoked boolean
  ) LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = latchkey, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
  AS $$
    SELECT
      asked.ordinal,
      jsonb_build_object('tenantId', r.tenant_id, 'id', r.id, 'alive', r.suspended_at IS NULL AND r.deleted_at IS NULL,
        'generation', r.generation, 'settingsVersion', r.settings_version, 'environment', r.environment),
      CASE WHEN c.refusal IS NULL AND c.id IS NOT NULL THEN jsonb_build_object('id', c.id, 'tenantId', c.tenant_id, 'kind', c.kind,
        'name', c.name, 'generation', c.generation, 'permissions', c.permissions, 'userId', c.user_id,
        'redirectUris', c.redirect_uris, 'postLogoutRedirectUris', c.post_logout_redirect_uris,
        'backchannelLogoutUri', c.backchannel_logout_uri, 'jwksUri', c.jwks_uri,
        'keys', CASE WHEN asked.with_secrets AND c.kind = 'tool' THEN (
          SELECT coalesce(jsonb_agg(jsonb_build_object('id', y.id, 'jwk', y.public_jwk) ORDER BY y.id), '[]') FROM client_keys y
          WHERE y.repository_id = asked.repository_id AND y.client_id = c.id AND y.ended_at IS NULL) END,
        'tokenSeconds', CASE c.kind WHEN 'member' THEN
          (SELECT member_token_seconds(t.settings) FROM tenants t WHERE t.id = c.tenant_id LIMIT 1) END) END,
      ${value}
      CASE WHEN u.id IS NOT NULL THEN jsonb_build_object('id', u.id,
        'loginName', CASE WHEN u.technical THEN 'builtin\\' ELSE 'public\\' END || u.login_name,
        'enabled', u.enabled, 'generation', u.generation) END,
      CASE WHEN asked.with_secrets AND c.id IS NOT NULL AND c.refusal IS DISTINCT FROM 'deleted' THEN (
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
        WHERE v.repository_id = asked.repository_id AND v.client_id = asked.client_id AND v.id = asked.version_id LIMIT 1), (
        SELECT y.ended_at IS NULL FROM client_keys y
        WHERE y.repository_id = asked.repository_id AND y.client_id = asked.client_id AND y.id = asked.version_id LIMIT 1), false) END,
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
      SELECT *,
        -- A member's credential whose member is gone has nobody to act as, and nobody whom a policy could suspend.
        CASE WHEN deleted_at IS NOT NULL THEN 'deleted' WHEN kind = 'member' THEN nullif(coalesce((
          SELECT coalesce(member_credential_refusal(m.role, m.federated, t.settings), 'none')
          FROM members m JOIN tenants t ON t.id = m.tenant_id
          WHERE m.tenant_id = clients.tenant_id AND m.repository_id = clients.repository_id AND m.user_id = clients.user_id
          LIMIT 1), 'deleted'), 'none') END AS refusal
      FROM clients WHERE repository_id = asked.repository_id AND id = asked.client_id LIMIT 1) c ON true
    LEFT JOIN LATERAL (
      SELECT * FROM api_keys WHERE repository_id = asked.repository_id AND hash = asked.key_hash LIMIT 1) k ON true
    LEFT JOIN LATERAL (
      SELECT * FROM repository_users
      WHERE repository_id = asked.repository_id
        AND id = coalesce(asked.user_id, CASE WHEN c.refusal IS NULL THEN c.user_id END, k.user_id) LIMIT 1) u ON true
  $$;

  REVOKE ALL ON FUNCTION check_credentials FROM PUBLIC;
  GRANT EXECUTE ON FUNCTION check_credentials TO latchkey_check;
`;
