import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Second factors of repository users: the shared secret of an authenticator app, recovery codes, passkeys, and the wrong
 * codes that were typed after a right password.
 *
 * A credential of a member depends on whether multi-factor authentication is enforced for them. The tenant may enforce it,
 * and so may the installation, for everyone who signs in at the console. `member_credential_refusal` asks for both; the
 * console belongs to nobody's scope, so a function of its own looks.
 */
export class AddSecondFactors1763713000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(tables);
    for (const table of ['totp_secrets', 'recovery_codes', 'passkeys', 'factor_guesses']) await runner.query(policies(table));
    await runner.query(enforced);
    await runner.query(
      memberCredentialRefusal(`coalesce(settings -> 'mfaEnforced', 'false') <> 'false' OR console_enforces_mfa()`, 'STABLE'),
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(memberCredentialRefusal(`coalesce(settings -> 'mfaEnforced', 'false') <> 'false'`, 'IMMUTABLE'));
    await runner.query(`
      DROP FUNCTION console_enforces_mfa, members_enforce_mfa;
      DROP TABLE totp_secrets, recovery_codes, passkeys, factor_guesses;`);
  }
}

const person = `
    repository_id uuid NOT NULL,
    user_id integer NOT NULL,
    tenant_id uuid NOT NULL,
    FOREIGN KEY (repository_id, user_id) REFERENCES repository_users ON DELETE CASCADE`;

const tables = `
  CREATE TABLE totp_secrets (${person},
    secret bytea NOT NULL,
    encryption_key_id text NOT NULL,
    last_step bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (repository_id, user_id)
  );
  COMMENT ON COLUMN totp_secrets.secret IS 'AES-256-GCM: nonce, ciphertext, tag.';
  COMMENT ON COLUMN totp_secrets.last_step IS 'The latest time step whose code was accepted (RFC 6238 §5.2): none up to it is accepted again.';

  CREATE TABLE recovery_codes (${person},
    hash bytea NOT NULL CHECK (octet_length(hash) = 32),
    pepper_id text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    used_at timestamptz,
    PRIMARY KEY (repository_id, user_id, hash)
  );

  CREATE TABLE passkeys (${person},
    id uuid NOT NULL,
    credential_id bytea NOT NULL,
    rp_id text NOT NULL,
    public_key bytea NOT NULL,
    sign_count bigint NOT NULL,
    transports text[] NOT NULL DEFAULT '{}',
    synced boolean NOT NULL,
    name text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz,
    PRIMARY KEY (repository_id, id),
    UNIQUE (repository_id, credential_id)
  );
  COMMENT ON COLUMN passkeys.rp_id IS 'The host that it was made for; browsers offer it nowhere else.';
  COMMENT ON COLUMN passkeys.synced IS 'It may be on several devices, so that it is held by software (WebAuthn Level 3 §6.1.3).';
  CREATE INDEX passkeys_user ON passkeys (repository_id, user_id);

  -- A million codes are few. Who knows the password is slowed here, whatever node is asked and however often they begin anew.
  CREATE TABLE factor_guesses (${person},
    failures integer NOT NULL DEFAULT 0,
    refused_until timestamptz,
    PRIMARY KEY (repository_id, user_id)
  );
`;

const policies = (table: string) => `
  ALTER TABLE ${table} ENABLE ROW LEVEL SECURITY;
  CREATE POLICY in_scope ON ${table} TO latchkey_app USING (in_scope(tenant_id, repository_id));
  GRANT SELECT, INSERT, UPDATE, DELETE ON ${table} TO latchkey_app;
`;

const enforced = `
  -- Whether everybody who signs in at the console needs a second factor.
  CREATE FUNCTION console_enforces_mfa() RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = latchkey, pg_temp AS $$
    SELECT coalesce((SELECT settings ->> 'secondFactor' = 'forced' FROM repositories WHERE slug = 'console'), false)
  $$;
  REVOKE ALL ON FUNCTION console_enforces_mfa FROM PUBLIC;
  GRANT EXECUTE ON FUNCTION console_enforces_mfa TO latchkey_app, latchkey_system;

  -- Whether a tenant of which this user of the console is a member enforces it. Members are of many tenants' scopes.
  CREATE FUNCTION members_enforce_mfa(console uuid, person integer) RETURNS boolean
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = latchkey, pg_temp AS $$
    SELECT EXISTS (
      SELECT FROM members m JOIN tenants t ON t.id = m.tenant_id
      WHERE m.repository_id = console AND m.repository_id = current_repository() AND m.user_id = person
        AND coalesce(t.settings -> 'mfaEnforced', 'false') <> 'false')
  $$;
  REVOKE ALL ON FUNCTION members_enforce_mfa FROM PUBLIC;
  GRANT EXECUTE ON FUNCTION members_enforce_mfa TO latchkey_app;
`;

const memberCredentialRefusal = (mfaEnforced: string, volatility: string) => `
  CREATE OR REPLACE FUNCTION member_credential_refusal(role text, federated boolean, settings jsonb) RETURNS text LANGUAGE sql ${volatility} AS $$
    SELECT CASE
      WHEN (array_position(able, role)
        <= array_position(able, coalesce(settings #>> '{memberCredentials,minimumRole}', 'super-admin'))) IS NOT TRUE THEN 'role'
      WHEN federated IS NOT FALSE AND (settings #> '{memberCredentials,allowFederated}' = 'true') IS NOT TRUE THEN 'federated'
      WHEN (settings #> '{memberCredentials,allowUnderMfa}' = 'true') IS NOT TRUE AND (${mfaEnforced}) THEN 'mfa-enforced'
    END
    FROM (VALUES (ARRAY['owner', 'super-admin', 'admin', 'developer', 'viewer'])) AS roles (able)
  $$;
`;
