import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The tables of the first release, and the rule that no application code can get round: row-level security.
 *
 * Three roles do the work of the apps, and none owns a table:
 * - `latchkey_app` sees only the rows of the scope that its transaction entered: a tenant, a repository, or both. With
 *   both, a row must belong to both, so that a repository of another tenant cannot be entered by mistake.
 * - `latchkey_system` sees every row. The worker, provisioning and the resolution of an incoming token use it.
 * - `latchkey_check` can call `check_credentials` and nothing else. The hot paths use it.
 *
 * `repository_id` (or `tenant_id`) stands first in every key, so that the tables can be distributed by it unchanged.
 */
export class CreateFirstTables1763690000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(scopeFunctions);
    await runner.query(tenantTables);
    await runner.query(credentialTables);
    await runner.query(contentTables);
    await runner.query(recordTables);
    for (const table of tenantScoped) await runner.query(policies(table, { tenant: 'tenant_id' }));
    for (const table of repositoryScoped) await runner.query(policies(table, { tenant: 'tenant_id', repository: 'repository_id' }));
    await runner.query(policies('repositories', { tenant: 'tenant_id', repository: 'id' }));
    await runner.query(policies('tenants', { tenant: 'id' }));
    await runner.query(policies('oidc_records', { repository: 'repository_id' }));
    await runner.query(policies('revoked_tokens', { repository: 'repository_id' }));
    await runner.query(grants);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP TABLE idempotency_keys, audit_events, outbox, webhook_deliveries, webhooks, cutoffs, revoked_tokens, oidc_records,
        content_permissions, content_group_members, content_nodes, content_counters,
        invitations, signing_keys, secret_versions, clients, repository_users, members, repositories, repository_slugs, tenants;
      DROP FUNCTION in_scope, current_repository, current_tenant;`);
  }
}

const scopeFunctions = `
  CREATE FUNCTION current_tenant() RETURNS uuid LANGUAGE sql STABLE
    RETURN nullif(current_setting('app.tenant_id', true), '')::uuid;
  CREATE FUNCTION current_repository() RETURNS uuid LANGUAGE sql STABLE
    RETURN nullif(current_setting('app.repository_id', true), '')::uuid;
  -- Whether a row of this tenant and this repository belongs to the scope of the transaction. A scope that was never entered
  -- holds nothing. For small tables: policies of large ones say the same with \`inScope\`, which is faster.
  CREATE FUNCTION in_scope(tenant uuid, repository uuid) RETURNS boolean LANGUAGE sql STABLE RETURN
    (current_tenant() IS NOT NULL OR current_repository() IS NOT NULL)
    AND (current_tenant() IS NULL OR tenant = current_tenant())
    AND (current_repository() IS NULL OR repository = current_repository());
`;

const tenantTables = `
  CREATE TABLE tenants (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    settings jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now()
  );

  -- A slug is never used twice, even after its repository is gone: tokens and bookmarks of the old one must not lead to a
  -- stranger. So it has a table of its own from which nothing is deleted.
  CREATE TABLE repository_slugs (
    slug text PRIMARY KEY,
    repository_id uuid NOT NULL UNIQUE,
    tenant_id uuid NOT NULL
  );

  CREATE TABLE repositories (
    tenant_id uuid NOT NULL REFERENCES tenants,
    id uuid NOT NULL UNIQUE,
    slug text NOT NULL UNIQUE REFERENCES repository_slugs,
    name text NOT NULL,
    environment text NOT NULL CHECK (environment IN ('production', 'integration')),
    settings jsonb NOT NULL DEFAULT '{}',
    settings_version integer NOT NULL DEFAULT 1,
    generation integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    suspended_at timestamptz,
    deleted_at timestamptz,
    PRIMARY KEY (tenant_id, id)
  );

  CREATE TABLE members (
    tenant_id uuid NOT NULL REFERENCES tenants,
    id uuid NOT NULL,
    repository_id uuid NOT NULL,
    user_id integer NOT NULL,
    role text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, repository_id, user_id)
  );
  COMMENT ON COLUMN members.repository_id IS 'The console, in which members sign in.';
  CREATE INDEX members_user ON members (repository_id, user_id);
`;

const credentialTables = `
  -- What signing in needs to know of a person or technical user. The same id is the user''s node in the content tree.
  CREATE TABLE repository_users (
    repository_id uuid NOT NULL,
    id integer NOT NULL,
    tenant_id uuid NOT NULL,
    login_name text NOT NULL,
    email text,
    name text NOT NULL,
    password_hash text,
    enabled boolean NOT NULL DEFAULT true,
    technical boolean NOT NULL DEFAULT false,
    generation integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (repository_id, id)
  );
  CREATE UNIQUE INDEX repository_users_login_name ON repository_users (repository_id, lower(login_name));
  CREATE UNIQUE INDEX repository_users_email ON repository_users (repository_id, lower(email));

  CREATE TABLE clients (
    repository_id uuid NOT NULL,
    id text NOT NULL,
    tenant_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('app', 'tool', 'tenant', 'member')),
    name text NOT NULL,
    is_default boolean NOT NULL DEFAULT false,
    redirect_uris text[] NOT NULL DEFAULT '{}',
    post_logout_redirect_uris text[] NOT NULL DEFAULT '{}',
    permissions text[] NOT NULL DEFAULT '{}',
    user_id integer,
    generation integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    PRIMARY KEY (repository_id, id),
    CHECK (kind = 'app' OR user_id IS NOT NULL),
    FOREIGN KEY (repository_id, user_id) REFERENCES repository_users
  );
  COMMENT ON COLUMN clients.is_default IS 'The app client and the tool client that the repository was made with.';

  -- One row per secret, and its hash is never overwritten. A version is alive while ended_at is null and expires_at is
  -- ahead; ended_at is set by the act itself, so that ending needs no clock.
  CREATE TABLE secret_versions (
    repository_id uuid NOT NULL,
    client_id text NOT NULL,
    id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    hash bytea NOT NULL CHECK (octet_length(hash) = 32),
    pepper_id text NOT NULL,
    hint text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    overlap_ends_at timestamptz,
    ended_at timestamptz,
    last_used_at timestamptz,
    PRIMARY KEY (repository_id, client_id, id),
    FOREIGN KEY (repository_id, client_id) REFERENCES clients
  );

  CREATE TABLE signing_keys (
    repository_id uuid NOT NULL,
    kid text NOT NULL,
    tenant_id uuid NOT NULL,
    algorithm text NOT NULL,
    public_jwk jsonb NOT NULL,
    private_key bytea NOT NULL,
    encryption_key_id text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    retired_at timestamptz,
    PRIMARY KEY (repository_id, kid)
  );
  COMMENT ON COLUMN signing_keys.private_key IS 'AES-256-GCM: nonce, ciphertext, tag.';

  CREATE TABLE invitations (
    repository_id uuid NOT NULL,
    hash bytea NOT NULL,
    tenant_id uuid NOT NULL,
    user_id integer,
    role text,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    PRIMARY KEY (repository_id, hash)
  );
  COMMENT ON COLUMN invitations.role IS 'Whoever accepts becomes a member of tenant_id in this role.';

  CREATE TABLE cutoffs (
    repository_id uuid NOT NULL,
    id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    kind text NOT NULL,
    client_id text,
    user_id integer,
    effective_at timestamptz,
    PRIMARY KEY (repository_id, id)
  );
`;

const contentTables = `
  -- Node ids are small integers per repository, since existing clients keep them in 32 bits.
  CREATE TABLE content_counters (
    repository_id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    next_id integer NOT NULL
  );

  CREATE TABLE content_nodes (
    repository_id uuid NOT NULL,
    id integer NOT NULL,
    tenant_id uuid NOT NULL,
    parent_id integer,
    name text NOT NULL,
    path text NOT NULL,
    path_key text COLLATE "C" GENERATED ALWAYS AS (lower(path COLLATE "und-x-icu")) STORED,
    type text NOT NULL,
    fields jsonb NOT NULL DEFAULT '{}',
    permission_path integer[] NOT NULL,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by integer NOT NULL,
    modified_at timestamptz NOT NULL DEFAULT now(),
    modified_by integer NOT NULL,
    PRIMARY KEY (repository_id, id)
  );
  COMMENT ON COLUMN content_nodes.permission_path IS
    'The node and its ancestors up to the last break in inheritance: where a permission that holds here may have been given.';
  COMMENT ON COLUMN content_nodes.path_key IS
    'The path whatever its case, on every server alike. A column, because lower() is not leakproof: under row-level security an index on the expression would not be used.';
  CREATE UNIQUE INDEX content_nodes_path ON content_nodes (repository_id, path_key);
  CREATE INDEX content_nodes_parent ON content_nodes (repository_id, parent_id, id);

  CREATE TABLE content_group_members (
    repository_id uuid NOT NULL,
    group_id integer NOT NULL,
    member_id integer NOT NULL,
    tenant_id uuid NOT NULL,
    PRIMARY KEY (repository_id, group_id, member_id),
    FOREIGN KEY (repository_id, group_id) REFERENCES content_nodes,
    FOREIGN KEY (repository_id, member_id) REFERENCES content_nodes
  );
  CREATE INDEX content_group_members_member ON content_group_members (repository_id, member_id);

  CREATE TABLE content_permissions (
    repository_id uuid NOT NULL,
    node_id integer NOT NULL,
    identity_id integer NOT NULL,
    tenant_id uuid NOT NULL,
    bits integer NOT NULL,
    PRIMARY KEY (repository_id, node_id, identity_id),
    FOREIGN KEY (repository_id, node_id) REFERENCES content_nodes,
    FOREIGN KEY (repository_id, identity_id) REFERENCES content_nodes
  );
  COMMENT ON COLUMN content_permissions.bits IS 'See 1, Open 2, Save 4, AddNew 8, Delete 16.';
`;

const recordTables = `
  -- What oidc-provider remembers for a while: sessions, interactions, grants, codes, refresh tokens.
  CREATE TABLE oidc_records (
    repository_id uuid NOT NULL,
    kind text NOT NULL,
    id text NOT NULL,
    payload jsonb NOT NULL,
    grant_id text,
    uid text,
    user_code text,
    user_id integer,
    user_generation integer,
    expires_at timestamptz,
    consumed_at timestamptz,
    PRIMARY KEY (repository_id, kind, id)
  );
  COMMENT ON COLUMN oidc_records.user_generation IS
    'The generation of the user when the person signed in; a session or grant is dead once the user has a later one.';
  CREATE INDEX oidc_records_grant ON oidc_records (repository_id, grant_id) WHERE grant_id IS NOT NULL;
  CREATE INDEX oidc_records_uid ON oidc_records (repository_id, kind, uid) WHERE uid IS NOT NULL;
  CREATE INDEX oidc_records_user_code ON oidc_records (repository_id, kind, user_code) WHERE user_code IS NOT NULL;
  CREATE INDEX oidc_records_expiry ON oidc_records (expires_at);

  -- Access tokens that their client gave back (RFC 7009). A row may go once the token would have expired.
  CREATE TABLE revoked_tokens (
    repository_id uuid NOT NULL,
    id text NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (repository_id, id)
  );
  CREATE INDEX revoked_tokens_expiry ON revoked_tokens (expires_at);

  CREATE TABLE webhooks (
    tenant_id uuid PRIMARY KEY REFERENCES tenants,
    url text NOT NULL,
    signing_secret bytea NOT NULL,
    encryption_key_id text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
  );
  COMMENT ON COLUMN webhooks.signing_secret IS 'AES-256-GCM: nonce, ciphertext, tag. Signing needs the plain value, so it cannot be a hash.';

  CREATE TABLE webhook_deliveries (
    tenant_id uuid NOT NULL REFERENCES tenants,
    id uuid NOT NULL,
    event text NOT NULL,
    payload jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    attempts integer NOT NULL DEFAULT 0,
    delivered_at timestamptz,
    failed_at timestamptz,
    last_error text,
    PRIMARY KEY (tenant_id, id)
  );

  CREATE TABLE outbox (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    name text NOT NULL,
    data jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    relayed_at timestamptz
  );
  CREATE INDEX outbox_waiting ON outbox (created_at, id) WHERE relayed_at IS NULL;

  CREATE TABLE audit_events (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    actor_kind text NOT NULL,
    actor_id text,
    action text NOT NULL,
    repository_id uuid,
    target_kind text NOT NULL,
    target_id text NOT NULL,
    request_id text,
    address text,
    details jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (tenant_id, id)
  );

  CREATE TABLE idempotency_keys (
    tenant_id uuid NOT NULL,
    actor_id text NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    answer jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, actor_id, key)
  );
  COMMENT ON COLUMN idempotency_keys.answer IS 'What the first call answered, or null when that held a secret and must not be shown again.';
  CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);
`;

const tenantScoped = ['webhooks', 'webhook_deliveries', 'outbox', 'audit_events', 'idempotency_keys'];

const repositoryScoped = [
  'repository_slugs',
  'members',
  'repository_users',
  'clients',
  'secret_versions',
  'signing_keys',
  'invitations',
  'cutoffs',
  'content_counters',
  'content_nodes',
  'content_group_members',
  'content_permissions',
];

/**
 * True when a row belongs to the scope of the transaction: to its tenant and its repository, as far as the scope names them
 * and the row has them. A scope that was never entered holds nothing, and neither does one that names only what the row has
 * not.
 *
 * The sub-selects make PostgreSQL read the scope once for a statement. Called for every row, it took ten times as long. CASE
 * keeps the planner from taking the conditions for so many chances that hardly any row is left, and then sorting a whole
 * table where an index has the order.
 */
function inScope({ tenant, repository }: { tenant?: string; repository?: string }): string {
  const [ofTenant, ofRepository] = ['(SELECT current_tenant())', '(SELECT current_repository())'];
  if (!repository) return `${tenant} = ${ofTenant}`;
  if (!tenant) return `${repository} = ${ofRepository}`;
  return `CASE WHEN ${ofTenant} IS NULL AND ${ofRepository} IS NULL THEN false
    ELSE (${ofTenant} IS NULL OR ${tenant} = ${ofTenant}) AND (${ofRepository} IS NULL OR ${repository} = ${ofRepository}) END`;
}

const policies = (table: string, columns: { tenant?: string; repository?: string }) => `
  ALTER TABLE ${table} ENABLE ROW LEVEL SECURITY;
  CREATE POLICY in_scope ON ${table} TO latchkey_app USING (${inScope(columns)});
  CREATE POLICY everything ON ${table} TO latchkey_system USING (true);
`;

const grants = `
  GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA latchkey TO latchkey_app, latchkey_system;
  -- Rows are written there once and stay as they are; only the worker marks or removes them.
  REVOKE UPDATE, DELETE ON audit_events, repository_slugs FROM latchkey_app, latchkey_system;
  REVOKE SELECT, UPDATE, DELETE ON outbox FROM latchkey_app;
  REVOKE DELETE ON tenants, repositories, clients, secret_versions, cutoffs FROM latchkey_app, latchkey_system;
`;
