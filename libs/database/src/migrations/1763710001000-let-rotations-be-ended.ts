import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * A planned rotation can be cancelled, or finished before its time. Either way another cut-off comes in the place of the one
 * that was announced, which is withdrawn: it stays, says so, and nobody reports it. Nothing that has taken effect can be
 * withdrawn, and the applications can change nothing else of a cut-off than its two times.
 *
 * Also lets the sweep forget uses of credentials: it passes over rows that somebody has in hand, and PostgreSQL lets only
 * those lock a row who may change a column of it.
 */
export class LetRotationsBeEnded1763710001000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE cutoffs ADD COLUMN successor_id uuid, ADD COLUMN withdrawn_at timestamptz,
        ADD CONSTRAINT withdrawn_before_effective CHECK (withdrawn_at < effective_at);
      COMMENT ON COLUMN cutoffs.successor_id IS 'Of a planned rotation: the secret version that it goes over to.';
      COMMENT ON COLUMN cutoffs.withdrawn_at IS 'Since then it will not take effect; it had not yet.';
      CREATE INDEX cutoffs_rotations ON cutoffs (repository_id, client_id) WHERE successor_id IS NOT NULL AND withdrawn_at IS NULL;

      REVOKE UPDATE ON cutoffs FROM latchkey_app, latchkey_system;
      GRANT UPDATE (effective_at, withdrawn_at) ON cutoffs TO latchkey_app;
      GRANT UPDATE (last_used_at) ON credential_uses TO latchkey_system;
    `);
    await runner.query(functions('AND c.withdrawn_at IS NULL'));
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(functions(''));
    await runner.query(`
      REVOKE UPDATE (last_used_at) ON credential_uses FROM latchkey_system;
      GRANT UPDATE ON cutoffs TO latchkey_app, latchkey_system;
      ALTER TABLE cutoffs DROP COLUMN successor_id, DROP COLUMN withdrawn_at;
    `);
  }
}

/** Those of the migration that adds the proof which look at cut-offs. @param live passes over the withdrawn ones. */
const functions = (live: string) => `
  CREATE OR REPLACE FUNCTION beat_node(node_id uuid, node_name text, node_kind text, node_url text)
    RETURNS TABLE (repository_id uuid, cutoff_id uuid)
    LANGUAGE sql SECURITY DEFINER SET search_path = latchkey, pg_temp AS $$
    WITH quick AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true)),
    node AS (
      INSERT INTO nodes (id, name, kind, url)
      SELECT beat_node.node_id, beat_node.node_name, beat_node.node_kind, beat_node.node_url FROM quick
      ON CONFLICT (id) DO UPDATE SET seen_at = clock_timestamp(), stopped_at = NULL
      RETURNING id, started_at)
    SELECT c.repository_id, c.id FROM node, cutoffs c
    WHERE coalesce(c.effective_at, c.recorded_at)
        BETWEEN greatest(node.started_at, clock_timestamp() - interval '5 minutes') AND clock_timestamp() + interval '10 seconds'
      ${live}
      AND NOT EXISTS (SELECT FROM cutoff_reports r WHERE r.repository_id = c.repository_id AND r.cutoff_id = c.id AND r.node_id = node.id)
  $$;

  CREATE OR REPLACE FUNCTION ended_by(repository_ids uuid[], cutoff_ids uuid[])
    RETURNS TABLE (repository_id uuid, cutoff_id uuid, client_id text, user_id integer, secret_version_ids uuid[],
      key_hashes bytea[], below_generation integer, due_in_millis double precision)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = latchkey, pg_temp AS $$
    SELECT c.repository_id, c.id, c.client_id, c.user_id, c.secret_version_ids,
      CASE WHEN c.api_key_ids IS NOT NULL THEN (
        SELECT coalesce(array_agg(k.hash), '{}') FROM api_keys k
        WHERE k.repository_id = c.repository_id AND k.id = ANY (c.api_key_ids)) END,
      c.below_generation,
      greatest(0, extract(epoch FROM coalesce(c.effective_at, c.recorded_at) - clock_timestamp()) * 1000)::double precision
    FROM unnest(repository_ids, cutoff_ids) AS asked (repository_id, id)
    JOIN cutoffs c ON c.repository_id = asked.repository_id AND c.id = asked.id
    WHERE (c.secret_version_ids IS NOT NULL OR c.api_key_ids IS NOT NULL OR c.below_generation IS NOT NULL) ${live}
  $$;

  CREATE OR REPLACE FUNCTION report_refusals(node_id uuid, repository_ids uuid[], cutoff_ids uuid[]) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = latchkey, pg_temp AS $$
    WITH quick AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true)),
    reported AS (
      SELECT c.repository_id, c.id, c.tenant_id, c.effective_at IS NULL AND c.recorded_at < clock_timestamp() - interval '10 seconds' AS abandoned
      FROM quick, unnest(repository_ids, cutoff_ids) AS asked (repository_id, id)
      JOIN cutoffs c ON c.repository_id = asked.repository_id AND c.id = asked.id ${live}),
    confirmed AS (
      UPDATE cutoffs c SET effective_at = coalesce(c.effective_at, clock_timestamp()) FROM reported
      WHERE reported.abandoned AND c.repository_id = reported.repository_id AND c.id = reported.id)
    INSERT INTO cutoff_reports (repository_id, cutoff_id, node_id, tenant_id, node_name, node_kind, refused_at)
    SELECT reported.repository_id, reported.id, n.id, reported.tenant_id, n.name, n.kind, clock_timestamp()
    FROM reported JOIN nodes n ON n.id = report_refusals.node_id
    ORDER BY 1, 2
    ON CONFLICT DO NOTHING
  $$;
`;
