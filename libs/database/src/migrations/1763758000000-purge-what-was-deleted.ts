import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * What was deleted 30 days ago goes for good. Two functions remove it, so many rows a call, and refuse anything younger: so no role
 * of the apps can remove a repository's users, credentials or files, but only have it done when its time has come.
 *
 * The first call marks the row, and a mark and a restoration exclude each other: whichever commits first, the constraint refuses the
 * other. The row itself stays, without what a customer wrote into it, because slugs, the audit trail, cut-offs and counts of uses
 * name its id.
 */
export class PurgeWhatWasDeleted1763758000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const table of ['repositories', 'tenants'])
      await runner.query(`
        ALTER TABLE ${table} ADD COLUMN purge_began_at timestamptz, ADD COLUMN purged_at timestamptz,
          ADD CONSTRAINT ${table}_purged CHECK (deleted_at IS NOT NULL OR purge_began_at IS NULL AND purged_at IS NULL);
        COMMENT ON COLUMN ${table}.purge_began_at IS 'From then on it cannot be restored.';
        CREATE INDEX ${table}_to_purge ON ${table} (deleted_at, id) WHERE deleted_at IS NOT NULL AND purged_at IS NULL;`);
    await runner.query(`
      CREATE INDEX webhook_deliveries_repository ON webhook_deliveries (tenant_id, repository_id) WHERE repository_id IS NOT NULL;
      CREATE INDEX mails_repository ON mails (tenant_id, (${mailIsAbout}));
      CREATE INDEX clients_of_customer ON clients (repository_id, tenant_id) WHERE kind IN ('tenant', 'member');`);
    await runner.query(removeRows);
    await runner.query(purgeRepository);
    await runner.query(purgeTenant);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP FUNCTION purge_tenant, purge_repository, remove_rows;
      DROP INDEX clients_of_customer, mails_repository, webhook_deliveries_repository;`);
    for (const table of ['repositories', 'tenants'])
      await runner.query(`ALTER TABLE ${table} DROP COLUMN purge_began_at, DROP COLUMN purged_at`);
  }
}

/** The id of a repository, or its slug. */
const mailIsAbout = `coalesce(data ->> 'repositoryId', data ->> 'repository')`;

const removeRows = `
  -- Removes so many rows at most, of one table after the other; a condition can use $1 to $3. Returns how many.
  CREATE FUNCTION remove_rows(parts text[], owner uuid, other uuid, slug text, most integer) RETURNS integer
    LANGUAGE plpgsql SET search_path = latchkey, pg_temp AS $$
  DECLARE
    part text[];
    count integer;
    removed integer := 0;
  BEGIN
    FOREACH part SLICE 1 IN ARRAY parts LOOP
      EXECUTE format('DELETE FROM %1$I WHERE ctid = ANY (ARRAY(SELECT ctid FROM %1$I WHERE %2$s LIMIT $4))', part[1], part[2])
        USING owner, other, slug, most - removed;
      GET DIAGNOSTICS count = ROW_COUNT;
      removed := removed + count;
      EXIT WHEN removed >= most;
    END LOOP;
    RETURN removed;
  END $$;
  REVOKE ALL ON FUNCTION remove_rows FROM PUBLIC;
`;

/** Tables with their conditions as a literal for PostgreSQL. */
const literal = (parts: [table: string, condition: string][]) =>
  `ARRAY[${parts.map(([table, condition]) => `['${table}', '${condition.replaceAll("'", "''")}']`).join(', ')}]`;

const ofRepository = 'repository_id = $1';
const hooks = 'SELECT id FROM webhooks WHERE tenant_id = $2 AND repository_id = $1';

/** Those that name others come before those that are named. Of $1, of the tenant $2, with the slug $3. */
const partsOfRepository: [string, string][] = [
  ...['custom_domains', 'oidc_records', 'revoked_tokens', 'signing_keys', 'invitations', 'mailed_links', 'credential_uses'].map(
    (table): [string, string] => [table, ofRepository],
  ),
  ['mails', `tenant_id = $2 AND ${mailIsAbout} IN ($1::text, $3)`],
  ['webhook_deliveries', 'tenant_id = $2 AND repository_id = $1'],
  ['webhook_deliveries', `tenant_id = $2 AND webhook_id IN (${hooks})`],
  ['webhooks', 'tenant_id = $2 AND repository_id = $1'],
  [
    'reminders',
    `tenant_id = $2 AND credential_id IN (
       SELECT id FROM secret_versions WHERE repository_id = $1 UNION ALL SELECT id FROM api_keys WHERE repository_id = $1)`,
  ],
  ...[
    'identity_links',
    'identity_providers',
    'repository_logos',
    'totp_secrets',
    'recovery_codes',
    'factor_guesses',
    'passkeys',
    'api_keys',
    'secret_versions',
    'client_keys',
    'clients',
    'repository_users',
    'content_group_members',
    'content_permissions',
    'content_references',
    'content_trash',
    'content_binaries',
    'content_nodes',
    'content_blob_chunks',
  ].map((table): [string, string] => [table, ofRepository]),
];

const purgeRepository = `
  -- Removes so many rows of a repository that was deleted 30 days ago. It is done when there is nothing left but what is kept. Files
  -- that nothing has any more are the sweep's, which also finds those in an object store; until they are gone it is not done.
  -- Somebody else's turn, and a repository that is not due, is no error: nothing is removed.
  CREATE FUNCTION purge_repository(purged uuid, most integer, OUT removed integer, OUT done boolean)
    -- However much of a table is this repository's, it is found by an index: the next call would read all of it again.
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = latchkey, pg_temp SET enable_seqscan = off AS $$
  DECLARE
    repository repositories;
  BEGIN
    removed := 0;
    done := false;
    SELECT * INTO repository FROM repositories
    WHERE id = purged AND deleted_at < now() - interval '30 days' AND purged_at IS NULL FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN RETURN; END IF;
    UPDATE repositories SET purge_began_at = now() WHERE id = purged AND purge_began_at IS NULL;
    removed := remove_rows(${literal(partsOfRepository)}, purged, repository.tenant_id, repository.slug, most);
    IF removed >= most OR EXISTS (SELECT FROM content_blobs WHERE repository_id = purged) THEN RETURN; END IF;
    DELETE FROM content_counters WHERE repository_id = purged;
    UPDATE repositories SET name = '', settings = '{}', purged_at = now() WHERE id = purged;
    done := true;
  END $$;
  REVOKE ALL ON FUNCTION purge_repository FROM PUBLIC;
  GRANT EXECUTE ON FUNCTION purge_repository TO latchkey_system;
`;

const customersClients = `repository_id = $2 AND tenant_id = $1 AND kind IN ('tenant', 'member')`;
const ofClients = (column: string) => `(repository_id, ${column}) IN (SELECT repository_id, id FROM clients WHERE ${customersClients})`;

/** Of the tenant $1, whose members sign in at $2, the console. */
const partsOfTenant: [string, string][] = [
  ['credential_uses', ofClients('credential_id')],
  ['secret_versions', ofClients('client_id')],
  ['client_keys', ofClients('client_id')],
  ['clients', customersClients],
  ...['webhook_deliveries', 'webhooks', 'mails', 'reminders', 'invitations', 'members'].map((table): [string, string] => [
    table,
    'tenant_id = $1',
  ]),
];

const purgeTenant = `
  -- The same for a tenant that was deleted 30 days ago. It is done after the last of its repositories.
  CREATE FUNCTION purge_tenant(purged uuid, most integer, OUT removed integer, OUT done boolean)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = latchkey, pg_temp SET enable_seqscan = off AS $$
  BEGIN
    removed := 0;
    done := false;
    PERFORM FROM tenants WHERE id = purged AND deleted_at < now() - interval '30 days' AND purged_at IS NULL FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN RETURN; END IF;
    UPDATE tenants SET purge_began_at = now() WHERE id = purged AND purge_began_at IS NULL;
    removed := remove_rows(${literal(partsOfTenant)}, purged, (SELECT id FROM repositories WHERE slug = 'console'), NULL, most);
    IF removed >= most OR EXISTS (SELECT FROM repositories WHERE tenant_id = purged AND purged_at IS NULL) THEN RETURN; END IF;
    UPDATE tenants SET name = '', settings = '{}', purged_at = now() WHERE id = purged;
    done := true;
  END $$;
  REVOKE ALL ON FUNCTION purge_tenant FROM PUBLIC;
  GRANT EXECUTE ON FUNCTION purge_tenant TO latchkey_system;
`;
