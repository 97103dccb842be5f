import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The life of signing keys, keys of clients, and what else the protocol asks a repository and its clients for.
 *
 * A signing key's dates say what it is: published from `created_at`, signing from `signs_at`, retired from `retired_at`,
 * which lies ahead while its successor is only published. Nothing has to happen at those times. What an RSA key costs to make
 * is paid beforehand: prepared keys lie ready, and whoever may not read them may take one.
 *
 * A client's key is a credential beside its secrets: a row for each, never overwritten, alive until it ends, and the tokens
 * that were got with it name it as they would name a secret version. So the check looks for a version in both tables.
 */
export class AddKeyLifeAndClientKeys1763711000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(signingKeys);
    await runner.query(clientKeys);
    await runner.query(`
      UPDATE repositories
      SET settings = '{"signingAlgorithm": "ES256", "refreshTokenSeconds": 2592000, "sessionSeconds": 2592000}' || settings;
    `);
    await runner.query(
      checkCredentials({
        members: `, 'backchannelLogoutUri', c.backchannel_logout_uri, 'jwksUri', c.jwks_uri,
            'keys', CASE WHEN asked.with_secrets AND c.kind = 'tool' THEN (
              SELECT coalesce(jsonb_agg(jsonb_build_object('id', y.id, 'jwk', y.public_jwk) ORDER BY y.id), '[]') FROM client_keys y
              WHERE y.repository_id = asked.repository_id AND y.client_id = c.id AND y.ended_at IS NULL) END`,
        orKey: `(SELECT y.ended_at IS NULL FROM client_keys y
              WHERE y.repository_id = asked.repository_id AND y.client_id = asked.client_id AND y.id = asked.version_id LIMIT 1), `,
      }),
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(checkCredentials({ members: '', orKey: '' }));
    await runner.query(`
      UPDATE repositories SET settings = settings - '{signingAlgorithm,refreshTokenSeconds,sessionSeconds}'::text[];
      DROP TABLE client_keys;
      ALTER TABLE clients DROP COLUMN jwks_uri, DROP COLUMN jwks_fetched_at, DROP COLUMN backchannel_logout_uri;
      DROP FUNCTION take_prepared_key;
      DROP TABLE prepared_keys;
      ALTER TABLE signing_keys DROP COLUMN signs_at;
    `);
  }
}

const signingKeys = `
  ALTER TABLE signing_keys ADD COLUMN signs_at timestamptz NOT NULL DEFAULT now();
  UPDATE signing_keys SET signs_at = created_at;
  COMMENT ON COLUMN signing_keys.signs_at IS 'It is published before that, so that whoever remembers the keys of a repository learns of it.';
  COMMENT ON COLUMN signing_keys.retired_at IS 'From then on it signs nothing, and is published for a while longer. Lies ahead until its successor signs.';
  CREATE INDEX signing_keys_age ON signing_keys (signs_at) WHERE retired_at IS NULL;
  CREATE INDEX signing_keys_retired ON signing_keys (retired_at) WHERE retired_at IS NOT NULL;
  CREATE INDEX signing_keys_encryption ON signing_keys (encryption_key_id);

  -- Keys that take long to make, made beforehand. They belong to nobody until one is taken.
  CREATE TABLE prepared_keys (
    id uuid PRIMARY KEY,
    algorithm text NOT NULL,
    public_jwk jsonb NOT NULL,
    private_key bytea NOT NULL,
    encryption_key_id text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
  );
  CREATE INDEX prepared_keys_algorithm ON prepared_keys (algorithm, id);
  ALTER TABLE prepared_keys ENABLE ROW LEVEL SECURITY;
  CREATE POLICY everything ON prepared_keys TO latchkey_system USING (true);
  GRANT SELECT, INSERT, UPDATE ON prepared_keys TO latchkey_system;

  -- Takes a prepared key, so that nobody else gets it; nothing when there is none.
  CREATE FUNCTION take_prepared_key(wanted text) RETURNS TABLE (public_jwk jsonb, private_key bytea, encryption_key_id text)
    LANGUAGE sql SECURITY DEFINER SET search_path = latchkey, pg_temp AS $$
    DELETE FROM prepared_keys WHERE id = (
      SELECT p.id FROM prepared_keys p WHERE p.algorithm = wanted ORDER BY p.id LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING public_jwk, private_key, encryption_key_id
  $$;
  REVOKE ALL ON FUNCTION take_prepared_key FROM PUBLIC;
  GRANT EXECUTE ON FUNCTION take_prepared_key TO latchkey_app, latchkey_system;
`;

const clientKeys = `
  ALTER TABLE clients ADD COLUMN jwks_uri text, ADD COLUMN jwks_fetched_at timestamptz, ADD COLUMN backchannel_logout_uri text;
  COMMENT ON COLUMN clients.jwks_uri IS 'Where the client publishes its keys; client_keys has those that were found there.';
  CREATE INDEX clients_jwks ON clients (jwks_fetched_at) WHERE jwks_uri IS NOT NULL AND deleted_at IS NULL;

  CREATE TABLE client_keys (
    repository_id uuid NOT NULL,
    client_id text NOT NULL,
    id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    kid text NOT NULL,
    public_jwk jsonb NOT NULL,
    fetched boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz,
    PRIMARY KEY (repository_id, client_id, id),
    FOREIGN KEY (repository_id, client_id) REFERENCES clients
  );
  COMMENT ON COLUMN client_keys.fetched IS 'It was found at the client''s jwks_uri, and ends when it is no longer there.';
  -- Two live keys of one client are told apart by their ids.
  CREATE UNIQUE INDEX client_keys_kid ON client_keys (repository_id, client_id, kid) WHERE ended_at IS NULL;
  ALTER TABLE client_keys ENABLE ROW LEVEL SECURITY;
  CREATE POLICY in_scope ON client_keys TO latchkey_app USING (in_scope(tenant_id, repository_id));
  CREATE POLICY everything ON client_keys TO latchkey_system USING (true);
  GRANT SELECT, INSERT, UPDATE ON client_keys TO latchkey_app, latchkey_system;
`;

/** The check of the migration before, with what this one adds to it. */
const checkCredentials = ({ members, orKey }: { members: string; orKey: string }) => `
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
        'redirectUris', c.redirect_uris, 'postLogoutRedirectUris', c.post_logout_redirect_uris${members},
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
        WHERE v.repository_id = asked.repository_id AND v.client_id = asked.client_id AND v.id = asked.version_id LIMIT 1), ${orKey}false) END,
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
`;
