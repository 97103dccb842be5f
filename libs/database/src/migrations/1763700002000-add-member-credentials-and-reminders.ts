import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Credentials of members under their tenant's policy, invitations that can be listed, the audit trail's filters, and what
 * was said about secrets that grow old.
 *
 * Whether a member's credential works depends on things that change without it: the member's role, how they sign in, what
 * the tenant enforces. So the check asks for them every time, by `member_credential_refusal`, which is the only place that
 * knows the rule. To a check, a credential that may not be used is one that does not exist, and so are its tokens.
 *
 * A setting of the wrong type must not make a statement fail that also answers for other tenants, so nothing is cast: what
 * is not what it should be counts as the strict answer.
 */
export class AddMemberCredentialsAndReminders1763700002000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE members ADD COLUMN federated boolean NOT NULL DEFAULT false;
      COMMENT ON COLUMN members.federated IS 'Signs in by federation, so that this installation holds no proof of who it is.';

      -- At most one credential of each member that has not ended.
      CREATE UNIQUE INDEX clients_member ON clients (repository_id, tenant_id, user_id) WHERE kind = 'member' AND deleted_at IS NULL;

      ALTER TABLE invitations ADD COLUMN id uuid NOT NULL DEFAULT gen_random_uuid(), ADD COLUMN email text;
      CREATE UNIQUE INDEX invitations_id ON invitations (tenant_id, id);

      CREATE INDEX audit_events_at ON audit_events (tenant_id, at);
      CREATE INDEX audit_events_action ON audit_events (tenant_id, action, id);
      CREATE INDEX audit_events_actor ON audit_events (tenant_id, actor_id, id);
      CREATE INDEX audit_events_target ON audit_events (tenant_id, target_id, id);
      CREATE INDEX audit_events_repository ON audit_events (tenant_id, repository_id, id);
    `);
    await runner.query(reminders);
    await runner.query(refusal);
    await runner.query(people);
    await runner.query(
      recordUses(`coalesce(c.tenant_id, r.tenant_id)`, `LEFT JOIN clients c ON c.repository_id = r.id AND c.id = used.credential_id`),
    );
    await runner.query(
      checkCredentials({
        tokenSeconds: `, 'tokenSeconds', CASE c.kind WHEN 'member' THEN (SELECT member_token_seconds(t.settings) FROM tenants t WHERE t.id = c.tenant_id) END`,
        usable: `AND (c.kind <> 'member' OR EXISTS (
          SELECT FROM members m JOIN tenants t ON t.id = m.tenant_id
          WHERE m.tenant_id = c.tenant_id AND m.repository_id = c.repository_id AND m.user_id = c.user_id
            AND member_credential_refusal(m.role, m.federated, t.settings) IS NULL))`,
      }),
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(checkCredentials({ tokenSeconds: '', usable: '' }));
    await runner.query(recordUses('r.tenant_id', ''));
    await runner.query(`
      DROP FUNCTION tenant_members, member_credential_refusal, member_token_seconds;
      DROP TABLE reminders;
      DROP INDEX audit_events_at, audit_events_action, audit_events_actor, audit_events_target, audit_events_repository, clients_member;
      ALTER TABLE invitations DROP COLUMN id, DROP COLUMN email;
      ALTER TABLE members DROP COLUMN federated;
    `);
  }
}

const reminders = `
  -- What was said about a secret or an API key, so that it is said once.
  CREATE TABLE reminders (
    tenant_id uuid NOT NULL,
    credential_id uuid NOT NULL,
    reminder text NOT NULL,
    sent_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, credential_id, reminder)
  );
  COMMENT ON COLUMN reminders.credential_id IS 'A secret version or an API key.';
  ALTER TABLE reminders ENABLE ROW LEVEL SECURITY;
  CREATE POLICY everything ON reminders TO latchkey_system USING (true);
  GRANT SELECT, INSERT ON reminders TO latchkey_system;
`;

const refusal = `
  CREATE FUNCTION member_credential_refusal(role text, federated boolean, settings jsonb) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
      WHEN (array_position(able, role)
        <= array_position(able, coalesce(settings #>> '{memberCredentials,minimumRole}', 'super-admin'))) IS NOT TRUE THEN 'role'
      WHEN federated IS NOT FALSE AND (settings #> '{memberCredentials,allowFederated}' = 'true') IS NOT TRUE THEN 'federated'
      WHEN coalesce(settings -> 'mfaEnforced', 'false') <> 'false'
        AND (settings #> '{memberCredentials,allowUnderMfa}' = 'true') IS NOT TRUE THEN 'mfa-enforced'
    END
    FROM (VALUES (ARRAY['owner', 'super-admin', 'admin', 'developer', 'viewer'])) AS roles (able)
  $$;
  COMMENT ON FUNCTION member_credential_refusal IS 'Why a member may have no credential, or the one they have does not work; null if it does.';

  CREATE FUNCTION member_token_seconds(settings jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE jsonb_typeof(settings #> '{memberCredentials,tokenSeconds}')
      WHEN 'number' THEN settings #> '{memberCredentials,tokenSeconds}' ELSE to_jsonb(86400) END
  $$;
`;

const people = `
  -- The people of the tenant that the transaction is in. Their accounts are rows of the console, which belongs to another
  -- tenant, so that row-level security shows none of them.
  CREATE FUNCTION tenant_members() RETURNS TABLE (
    tenant_id uuid, repository_id uuid, id uuid, user_id integer, role text, federated boolean, created_at timestamptz,
    login_name text, name text, email text, enabled boolean
  ) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = latchkey, pg_temp AS $$
    SELECT m.tenant_id, m.repository_id, m.id, m.user_id, m.role, m.federated, m.created_at, u.login_name, u.name, u.email, u.enabled
    FROM members m JOIN repository_users u ON u.repository_id = m.repository_id AND u.id = m.user_id
    WHERE m.tenant_id = current_tenant()
  $$;
  REVOKE ALL ON FUNCTION tenant_members FROM PUBLIC;
  GRANT EXECUTE ON FUNCTION tenant_members TO latchkey_app;
`;

/** Uses belong to the tenant whose credential it is: at the console that is not the tenant of the repository. */
const recordUses = (tenant: string, join: string) => `
  CREATE OR REPLACE FUNCTION record_uses(
    repository_ids uuid[], credential_ids text[], version_ids uuid[], outcomes text[], consumers text[], addresses text[],
    counts bigint[], firsts timestamptz[], lasts timestamptz[]
  ) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = latchkey, pg_temp AS $$
    INSERT INTO credential_uses AS known (repository_id, credential_id, version_id, outcome, consumer, address, tenant_id, uses, first_used_at, last_used_at)
    SELECT used.repository_id, used.credential_id, used.version_id, used.outcome, used.consumer, used.address, ${tenant}, used.count, used.first, used.last
    FROM unnest(repository_ids, credential_ids, version_ids, outcomes, consumers, addresses, counts, firsts, lasts)
      AS used (repository_id, credential_id, version_id, outcome, consumer, address, count, first, last)
    JOIN repositories r ON r.id = used.repository_id
    ${join}
    -- In the same order from every node, so that two that write at once do not wait for each other in a circle.
    ORDER BY 1, 2, 3, 4, 5, 6
    ON CONFLICT (repository_id, credential_id, version_id, outcome, consumer, address) DO UPDATE SET
      uses = known.uses + excluded.uses, last_used_at = greatest(known.last_used_at, excluded.last_used_at)
  $$;
`;

/** The check of the migration before, with what this one adds to it. */
const checkCredentials = ({ tokenSeconds, usable }: { tokenSeconds: string; usable: string }) => `
  CREATE OR REPLACE FUNCTION check_credentials(
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
        'redirectUris', c.redirect_uris, 'postLogoutRedirectUris', c.post_logout_redirect_uris${tokenSeconds}) END,
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
    LEFT JOIN clients c ON c.repository_id = asked.repository_id AND c.id = asked.client_id AND c.deleted_at IS NULL ${usable}
    LEFT JOIN api_keys k ON k.repository_id = asked.repository_id AND k.hash = asked.key_hash
    LEFT JOIN repository_users u ON u.repository_id = asked.repository_id AND u.id = coalesce(asked.user_id, c.user_id, k.user_id)
  $$;
`;
