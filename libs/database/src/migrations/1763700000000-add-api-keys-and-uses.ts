import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * API keys, and who uses which credential.
 *
 * A key is found by the keyed hash of its whole value, so the check takes one more parallel array and the function gets a
 * new signature; the earlier one goes, since no release has called it. Uses are written in batches by the nodes, through a
 * function that the check role may call: no app role can write them, and the request's path never waits for them. When a
 * secret was last used is the latest of its uses, so the column that would have held it goes too.
 */
export class AddApiKeysAndUses1763700000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE api_keys (
        repository_id uuid NOT NULL,
        id uuid NOT NULL,
        tenant_id uuid NOT NULL,
        user_id integer NOT NULL,
        name text NOT NULL,
        hash bytea NOT NULL CHECK (octet_length(hash) = 32),
        pepper_id text NOT NULL,
        hint text NOT NULL,
        permissions text[] NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        expires_at timestamptz NOT NULL,
        ended_at timestamptz,
        PRIMARY KEY (repository_id, id),
        FOREIGN KEY (repository_id, user_id) REFERENCES repository_users
      );
      CREATE UNIQUE INDEX api_keys_hash ON api_keys (repository_id, hash);
      CREATE INDEX api_keys_user ON api_keys (repository_id, user_id) WHERE ended_at IS NULL;
      ALTER TABLE api_keys ENABLE ROW LEVEL SECURITY;
      CREATE POLICY in_scope ON api_keys TO latchkey_app USING (in_scope(tenant_id, repository_id));
      CREATE POLICY everything ON api_keys TO latchkey_system USING (true);
      GRANT SELECT, INSERT, UPDATE ON api_keys TO latchkey_app, latchkey_system;

      -- One row per place from which a credential is used. credential_id is a client ID or an API key's id; version_id is
      -- the secret version, and of an API key its id again.
      CREATE TABLE credential_uses (
        repository_id uuid NOT NULL,
        credential_id text NOT NULL,
        version_id uuid NOT NULL,
        outcome text NOT NULL CHECK (outcome IN ('accepted', 'replaced')),
        consumer text NOT NULL,
        address text NOT NULL,
        tenant_id uuid NOT NULL,
        uses bigint NOT NULL,
        first_used_at timestamptz NOT NULL,
        last_used_at timestamptz NOT NULL,
        PRIMARY KEY (repository_id, credential_id, version_id, outcome, consumer, address)
      );
      COMMENT ON COLUMN credential_uses.outcome IS 'replaced: somebody still presents a secret that has ended.';
      CREATE INDEX credential_uses_age ON credential_uses (last_used_at);
      ALTER TABLE credential_uses ENABLE ROW LEVEL SECURITY;
      CREATE POLICY in_scope ON credential_uses TO latchkey_app USING (in_scope(tenant_id, repository_id));
      CREATE POLICY everything ON credential_uses TO latchkey_system USING (true);
      GRANT SELECT ON credential_uses TO latchkey_app;
      GRANT SELECT, DELETE ON credential_uses TO latchkey_system;
      ALTER TABLE secret_versions DROP COLUMN last_used_at;

      CREATE FUNCTION record_uses(
        repository_ids uuid[], credential_ids text[], version_ids uuid[], outcomes text[], consumers text[], addresses text[],
        counts bigint[], firsts timestamptz[], lasts timestamptz[]
      ) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = latchkey, pg_temp AS $$
        INSERT INTO credential_uses AS known (repository_id, credential_id, version_id, outcome, consumer, address, tenant_id, uses, first_used_at, last_used_at)
        SELECT used.repository_id, used.credential_id, used.version_id, used.outcome, used.consumer, used.address, r.tenant_id, used.count, used.first, used.last
        FROM unnest(repository_ids, credential_ids, version_ids, outcomes, consumers, addresses, counts, firsts, lasts)
          AS used (repository_id, credential_id, version_id, outcome, consumer, address, count, first, last)
        JOIN repositories r ON r.id = used.repository_id
        -- In the same order from every node, so that two that write at once do not wait for each other in a circle.
        ORDER BY 1, 2, 3, 4, 5, 6
        ON CONFLICT (repository_id, credential_id, version_id, outcome, consumer, address) DO UPDATE SET
          uses = known.uses + excluded.uses, last_used_at = greatest(known.last_used_at, excluded.last_used_at)
      $$;
      REVOKE ALL ON FUNCTION record_uses FROM PUBLIC;
      GRANT EXECUTE ON FUNCTION record_uses TO latchkey_check;

      -- A repository's environment never changes, so an app may remember it and refuse a credential of the other without asking.
      DROP FUNCTION find_repository;
      CREATE FUNCTION find_repository(slug text) RETURNS TABLE (tenant_id uuid, id uuid, environment text)
        LANGUAGE sql STABLE SECURITY DEFINER SET search_path = latchkey, pg_temp AS $$
        SELECT r.tenant_id, r.id, r.environment FROM repositories r WHERE r.slug = find_repository.slug
      $$;
      REVOKE ALL ON FUNCTION find_repository FROM PUBLIC;
      GRANT EXECUTE ON FUNCTION find_repository TO latchkey_check;

      DROP FUNCTION check_credentials;
      CREATE FUNCTION check_credentials(
        repository_ids uuid[], client_ids text[], user_ids integer[], version_ids uuid[], grant_ids text[], token_ids text[],
        key_hashes bytea[], with_secrets boolean[]
      ) RETURNS TABLE (
        ordinal bigint,
        repository jsonb, client jsonb, subject jsonb, secrets jsonb, api_key jsonb,
        version_alive boolean, grant_alive boolean, token_revoked boolean
      ) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = latchkey, pg_temp AS $$
        SELECT
          asked.ordinal,
          jsonb_build_object('tenantId', r.tenant_id, 'id', r.id, 'alive', r.suspended_at IS NULL AND r.deleted_at IS NULL,
            'generation', r.generation, 'settingsVersion', r.settings_version, 'environment', r.environment),
          CASE WHEN c.id IS NOT NULL THEN jsonb_build_object('id', c.id, 'tenantId', c.tenant_id, 'kind', c.kind, 'name', c.name,
            'generation', c.generation, 'permissions', c.permissions, 'userId', c.user_id,
            'redirectUris', c.redirect_uris, 'postLogoutRedirectUris', c.post_logout_redirect_uris) END,
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
        FROM unnest(repository_ids, client_ids, user_ids, version_ids, grant_ids, token_ids, key_hashes, with_secrets) WITH ORDINALITY
          AS asked (repository_id, client_id, user_id, version_id, grant_id, token_id, key_hash, with_secrets, ordinal)
        JOIN repositories r ON r.id = asked.repository_id
        LEFT JOIN clients c ON c.repository_id = asked.repository_id AND c.id = asked.client_id AND c.deleted_at IS NULL
        LEFT JOIN api_keys k ON k.repository_id = asked.repository_id AND k.hash = asked.key_hash
        LEFT JOIN repository_users u ON u.repository_id = asked.repository_id AND u.id = coalesce(asked.user_id, c.user_id, k.user_id)
      $$;
      REVOKE ALL ON FUNCTION check_credentials FROM PUBLIC;
      GRANT EXECUTE ON FUNCTION check_credentials TO latchkey_check;
    `);
  }

  /** The check functions' earlier forms are made again by undoing and redoing the migration before this one. */
  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP FUNCTION record_uses, check_credentials, find_repository;
      DROP TABLE credential_uses, api_keys;
      ALTER TABLE secret_versions ADD COLUMN last_used_at timestamptz;
    `);
  }
}
