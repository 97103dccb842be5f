import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Identity providers outside, with which people sign in to a repository, and who of its users is whom there.
 *
 * A member with such a link signs in by federation. Policies about member credentials look at that, so PostgreSQL itself keeps
 * `members.federated` true to the links, whoever makes or removes one.
 */
export class AddIdentityProviders1763714000250 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(tables);
    await runner.query(federated);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP TRIGGER member_federation ON members;
      DROP TABLE identity_links, identity_providers;
      DROP FUNCTION note_federation, note_federation_of_member;
      DROP INDEX oidc_records_identity_provider;
      ALTER TABLE oidc_records DROP COLUMN identity_provider_id;
    `);
  }
}

const scoped = (table: string) => `
  ALTER TABLE ${table} ENABLE ROW LEVEL SECURITY;
  CREATE POLICY in_scope ON ${table} TO latchkey_app USING (in_scope(tenant_id, repository_id));
  CREATE POLICY everything ON ${table} TO latchkey_system USING (true);
  GRANT SELECT, INSERT, UPDATE, DELETE ON ${table} TO latchkey_app;
`;

const tables = `
  CREATE TABLE identity_providers (
    repository_id uuid NOT NULL REFERENCES repositories (id),
    id text NOT NULL,
    tenant_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('oidc', 'google', 'github')),
    name text NOT NULL,
    issuer text NOT NULL,
    client_id text NOT NULL,
    client_secret bytea,
    encryption_key_id text,
    allow_sign_up boolean NOT NULL,
    email_domains text[] NOT NULL,
    trusts_second_factor boolean NOT NULL,
    enabled boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (repository_id, id),
    CHECK ((client_secret IS NULL) = (encryption_key_id IS NULL))
  );
  COMMENT ON COLUMN identity_providers.id IS 'Chosen by the tenant; part of the redirect URI.';
  COMMENT ON COLUMN identity_providers.client_secret IS 'AES-256-GCM: nonce, ciphertext, tag.';
  ${scoped('identity_providers')}

  CREATE TABLE identity_links (
    repository_id uuid NOT NULL,
    provider_id text NOT NULL,
    subject text NOT NULL,
    tenant_id uuid NOT NULL,
    user_id integer NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (repository_id, provider_id, subject),
    UNIQUE (repository_id, provider_id, user_id),
    FOREIGN KEY (repository_id, provider_id) REFERENCES identity_providers ON DELETE CASCADE,
    FOREIGN KEY (repository_id, user_id) REFERENCES repository_users ON DELETE CASCADE
  );
  COMMENT ON TABLE identity_links IS 'Which user somebody is at a provider. An address can change hands there; a subject cannot.';
  CREATE INDEX identity_links_user ON identity_links (repository_id, user_id);
  ${scoped('identity_links')}

  ALTER TABLE oidc_records ADD COLUMN identity_provider_id text;
  COMMENT ON COLUMN oidc_records.identity_provider_id IS 'Of a session or grant: with whom the person signed in, if not here.';
  CREATE INDEX oidc_records_identity_provider ON oidc_records (repository_id, identity_provider_id) WHERE identity_provider_id IS NOT NULL;
`;

const federated = `
  CREATE FUNCTION note_federation() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = latchkey, pg_temp AS $$
  BEGIN
    UPDATE members m SET federated = EXISTS (
      SELECT FROM identity_links l WHERE l.repository_id = m.repository_id AND l.user_id = m.user_id)
    WHERE m.repository_id = coalesce(NEW.repository_id, OLD.repository_id) AND m.user_id = coalesce(NEW.user_id, OLD.user_id);
    RETURN NULL;
  END $$;
  CREATE TRIGGER link_federation AFTER INSERT OR DELETE ON identity_links FOR EACH ROW EXECUTE FUNCTION note_federation();

  -- Somebody who signs in by federation already may become a member of one more tenant.
  CREATE FUNCTION note_federation_of_member() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = latchkey, pg_temp AS $$
  BEGIN
    NEW.federated := NEW.federated OR EXISTS (
      SELECT FROM identity_links l WHERE l.repository_id = NEW.repository_id AND l.user_id = NEW.user_id);
    RETURN NEW;
  END $$;
  CREATE TRIGGER member_federation BEFORE INSERT ON members FOR EACH ROW EXECUTE FUNCTION note_federation_of_member();
  REVOKE ALL ON FUNCTION note_federation, note_federation_of_member FROM PUBLIC;
`;
