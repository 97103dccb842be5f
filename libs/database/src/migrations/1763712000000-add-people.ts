import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * What people need at an authority: to be found by what they typed, to prove their address, to get links by mail, and to see
 * where they are signed in.
 *
 * - Login name and address are looked up by stored columns. `lower()` is not leakproof, so under row-level security an index
 *   on the expression is not used, and every sign-in read all users of the repository.
 * - The row of a mailed link holds nothing that could be presented: its token is a MAC of the row under a server key, which
 *   the worker computes as it sends the mail and the authority computes again when the link is opened.
 */
export class AddPeople1763712000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(users);
    await runner.query(links);
    await runner.query(sessions);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP INDEX oidc_records_person;
      ALTER TABLE oidc_records DROP COLUMN user_agent, DROP COLUMN address, DROP COLUMN used_at;
      DROP TABLE mailed_links;
      ALTER TABLE repository_users DROP COLUMN login_key, DROP COLUMN email_key, DROP COLUMN email_verified_at;
      CREATE UNIQUE INDEX repository_users_login_name ON repository_users (repository_id, lower(login_name));
      CREATE UNIQUE INDEX repository_users_email ON repository_users (repository_id, lower(email));`);
  }
}

const users = `
  DROP INDEX repository_users_login_name, repository_users_email;
  ALTER TABLE repository_users
    ADD COLUMN login_key text COLLATE "C" GENERATED ALWAYS AS (lower(login_name COLLATE "und-x-icu")) STORED,
    ADD COLUMN email_key text COLLATE "C" GENERATED ALWAYS AS (lower(email COLLATE "und-x-icu")) STORED,
    ADD COLUMN email_verified_at timestamptz;
  COMMENT ON COLUMN repository_users.email_verified_at IS 'When the person proved to read what is sent to email; null if they have not.';
  CREATE UNIQUE INDEX repository_users_login_name ON repository_users (repository_id, login_key);
  CREATE UNIQUE INDEX repository_users_email ON repository_users (repository_id, email_key);
`;

const links = `
  CREATE TABLE mailed_links (
    repository_id uuid NOT NULL,
    id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    purpose text NOT NULL CHECK (purpose IN ('invitation', 'verify-email', 'new-password')),
    user_id integer,
    user_generation integer,
    invitation_id uuid,
    address text NOT NULL,
    key_id text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    PRIMARY KEY (repository_id, id),
    FOREIGN KEY (repository_id, user_id) REFERENCES repository_users,
    CHECK ((purpose = 'invitation') = (invitation_id IS NOT NULL)),
    CHECK (purpose = 'invitation' OR user_id IS NOT NULL)
  );
  COMMENT ON COLUMN mailed_links.address IS 'Where it was sent: whoever opens it reads what is sent there.';
  COMMENT ON COLUMN mailed_links.user_generation IS 'The link is dead once the user has a later one.';
  COMMENT ON COLUMN mailed_links.key_id IS 'The server key under which its token is computed.';
  CREATE INDEX mailed_links_user ON mailed_links (repository_id, user_id, purpose, created_at);
  CREATE INDEX mailed_links_expiry ON mailed_links (expires_at);
  ALTER TABLE mailed_links ENABLE ROW LEVEL SECURITY;
  CREATE POLICY in_scope ON mailed_links TO latchkey_app USING (
    CASE WHEN (SELECT current_tenant()) IS NULL AND (SELECT current_repository()) IS NULL THEN false
    ELSE ((SELECT current_tenant()) IS NULL OR tenant_id = (SELECT current_tenant()))
      AND ((SELECT current_repository()) IS NULL OR repository_id = (SELECT current_repository())) END);
  CREATE POLICY everything ON mailed_links TO latchkey_system USING (true);
  GRANT SELECT, INSERT, UPDATE ON mailed_links TO latchkey_app;
  -- The worker reads them to write mails, and sweeps them; to lock a row takes the right to change it.
  GRANT SELECT, UPDATE, DELETE ON mailed_links TO latchkey_system;
`;

const sessions = `
  ALTER TABLE oidc_records ADD COLUMN user_agent text, ADD COLUMN address text, ADD COLUMN used_at timestamptz;
  COMMENT ON COLUMN oidc_records.used_at IS 'Of a session: when an app last sent its browser here; user_agent and address are of then.';
  CREATE INDEX oidc_records_person ON oidc_records (repository_id, user_id, kind) WHERE user_generation IS NOT NULL;
`;
