import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * History ends: 400 days after its end an ended secret, API key or public key of a tool goes, as do a deleted client and a cut-off
 * with its proof. An ended credential that somebody presents still stays until nobody has for 400 days, so that the answer goes on
 * saying when it was replaced, and the tenant sees who is on it: `credential_uses` has a row for that long.
 *
 * Only these functions can remove any of it, and nothing younger. Invitations, which nobody removed either, are the sweep's.
 */
export class PruneHistory1763758000500 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE INDEX secret_versions_end ON secret_versions (least(ended_at, expires_at, overlap_ends_at))
        WHERE least(ended_at, expires_at, overlap_ends_at) IS NOT NULL;
      CREATE INDEX api_keys_end ON api_keys (least(ended_at, expires_at));
      CREATE INDEX client_keys_end ON client_keys (ended_at) WHERE ended_at IS NOT NULL;
      CREATE INDEX clients_deleted ON clients (deleted_at) WHERE deleted_at IS NOT NULL;
      CREATE INDEX invitations_expiry ON invitations (expires_at);`);
    await runner.query(pruneCredentials);
    await runner.query(pruneCutoffs);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP FUNCTION prune_cutoffs, prune_credentials;
      DROP INDEX invitations_expiry, clients_deleted, client_keys_end, api_keys_end, secret_versions_end;`);
  }
}

const longAgo = `now() - interval '400 days'`;
const nobodyPresents = (credential: string, version: string) =>
  `NOT EXISTS (SELECT FROM credential_uses u WHERE u.repository_id = c.repository_id AND u.credential_id = ${credential} AND u.version_id = ${version})`;

/** Those of one table that are over, and of secrets and API keys the reminders that were sent. */
const remove = (table: string, over: string) => `
    WITH gone AS (
      DELETE FROM ${table} WHERE ctid = ANY (ARRAY(SELECT c.ctid FROM ${table} c WHERE ${over} LIMIT most FOR UPDATE SKIP LOCKED))
      RETURNING tenant_id, id
    )${table.startsWith('client') ? '' : ', forgotten AS (DELETE FROM reminders r USING gone WHERE r.tenant_id = gone.tenant_id AND r.credential_id = gone.id)'}
    SELECT greatest(removed, count(*)) INTO removed FROM gone;`;

const pruneCredentials = `
  -- Removes so many of each kind at most. Returns how many there were of the kind that had most.
  CREATE FUNCTION prune_credentials(most integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = latchkey, pg_temp SET enable_seqscan = off AS $$
  DECLARE
    removed integer := 0;
  BEGIN
    ${remove('secret_versions', `least(c.ended_at, c.expires_at, c.overlap_ends_at) < ${longAgo} AND ${nobodyPresents('c.client_id', 'c.id')}`)}
    ${remove('api_keys', `least(c.ended_at, c.expires_at) < ${longAgo} AND ${nobodyPresents('c.id::text', 'c.id')}`)}
    ${remove('client_keys', `c.ended_at < ${longAgo}`)}
    ${remove(
      'clients',
      `c.deleted_at < ${longAgo}
         AND NOT EXISTS (SELECT FROM secret_versions v WHERE v.repository_id = c.repository_id AND v.client_id = c.id)
         AND NOT EXISTS (SELECT FROM client_keys k WHERE k.repository_id = c.repository_id AND k.client_id = c.id)`,
    )}
    RETURN removed;
  END $$;
  REVOKE ALL ON FUNCTION prune_credentials FROM PUBLIC;
  GRANT EXECUTE ON FUNCTION prune_credentials TO latchkey_system;
`;

const pruneCutoffs = `
  -- Removes so many at most, each with what the nodes reported. Returns how many.
  CREATE FUNCTION prune_cutoffs(most integer) RETURNS integer
    LANGUAGE sql SECURITY DEFINER SET search_path = latchkey, pg_temp SET enable_seqscan = off AS $$
    WITH gone AS (
      DELETE FROM cutoffs WHERE ctid = ANY (ARRAY(
        SELECT c.ctid FROM cutoffs c WHERE coalesce(c.effective_at, c.recorded_at) < ${longAgo} LIMIT most FOR UPDATE SKIP LOCKED))
      RETURNING repository_id, id
    ), reports AS (
      DELETE FROM cutoff_reports r USING gone WHERE r.repository_id = gone.repository_id AND r.cutoff_id = gone.id
    )
    SELECT count(*)::integer FROM gone
  $$;
  REVOKE ALL ON FUNCTION prune_cutoffs FROM PUBLIC;
  GRANT EXECUTE ON FUNCTION prune_cutoffs TO latchkey_system;
`;
