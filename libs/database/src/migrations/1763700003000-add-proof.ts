import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The proof of a cut-off: which processes accept credentials, what each cut-off has ended, and what each of those processes
 * saw when it asked for it. Also what the canary saw.
 *
 * Nobody writes a proof by hand: the tables of nodes and reports take rows only through the functions below, which only
 * `latchkey_check` may call, the role that every check is made with. Nothing here waits for the disk: what is lost with the
 * server is seen and reported again.
 *
 * A cut-off of before this migration does not say what it ended (all three columns are null), and nobody reports it.
 */
export class AddProof1763700003000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(nodes);
    await runner.query(cutoffs);
    await runner.query(functions);
    await runner.query(canary);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP FUNCTION beat_node, leave_node, ended_by, report_refusals, sweep_proofs;
      DROP TABLE canary_runs, cutoff_reports, nodes;
      DROP INDEX cutoffs_time, cutoffs_tenant;
      ALTER TABLE cutoffs DROP COLUMN secret_version_ids, DROP COLUMN api_key_ids, DROP COLUMN below_generation, DROP COLUMN recorded_at;
    `);
  }
}

const nodes = `
  -- Every process that accepts credentials, from its start to its end; the silent ones stay for a while, because proofs of
  -- that time name them.
  CREATE TABLE nodes (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('authority', 'repository-api', 'tenant-api')),
    url text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    stopped_at timestamptz
  );
  COMMENT ON COLUMN nodes.url IS 'Where this process and no other answers; only the canary calls it.';
  GRANT SELECT (id, name, kind, started_at, seen_at, stopped_at) ON nodes TO latchkey_app;
  GRANT SELECT ON nodes TO latchkey_system;
`;

const cutoffs = `
  ALTER TABLE cutoffs
    ADD COLUMN secret_version_ids uuid[],
    ADD COLUMN api_key_ids uuid[],
    ADD COLUMN below_generation integer,
    ADD COLUMN recorded_at timestamptz NOT NULL DEFAULT now();
  COMMENT ON COLUMN cutoffs.below_generation IS
    'Ended is what is bound to a lower generation: of the user if one is named, else of the client if one is, else of the repository.';
  CREATE INDEX cutoffs_tenant ON cutoffs (tenant_id, id);
  CREATE INDEX cutoffs_time ON cutoffs (coalesce(effective_at, recorded_at));

  CREATE TABLE cutoff_reports (
    repository_id uuid NOT NULL,
    cutoff_id uuid NOT NULL,
    node_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    node_name text NOT NULL,
    node_kind text NOT NULL,
    refused_at timestamptz NOT NULL,
    PRIMARY KEY (repository_id, cutoff_id, node_id),
    FOREIGN KEY (repository_id, cutoff_id) REFERENCES cutoffs
  );
  COMMENT ON COLUMN cutoff_reports.refused_at IS 'By the database''s clock, after the node had asked and been told that it is dead.';
  ALTER TABLE cutoff_reports ENABLE ROW LEVEL SECURITY;
  CREATE POLICY in_scope ON cutoff_reports TO latchkey_app USING (
    ((SELECT current_tenant()) IS NOT NULL OR (SELECT current_repository()) IS NOT NULL)
    AND ((SELECT current_tenant()) IS NULL OR tenant_id = (SELECT current_tenant()))
    AND ((SELECT current_repository()) IS NULL OR repository_id = (SELECT current_repository())));
  CREATE POLICY everything ON cutoff_reports TO latchkey_system USING (true);
  GRANT SELECT ON cutoff_reports TO latchkey_app, latchkey_system;
`;

const functions = `
  -- A node says that it is alive. Returns the cut-offs of its time that it has not reported: those of the last five minutes,
  -- and those that a planned rotation makes due before it asks again.
  CREATE FUNCTION beat_node(node_id uuid, node_name text, node_kind text, node_url text)
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
      AND NOT EXISTS (SELECT FROM cutoff_reports r WHERE r.repository_id = c.repository_id AND r.cutoff_id = c.id AND r.node_id = node.id)
  $$;

  -- A node says that it takes no more requests.
  CREATE FUNCTION leave_node(node_id uuid) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = latchkey, pg_temp AS $$
    WITH quick AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))
    UPDATE nodes SET seen_at = clock_timestamp(), stopped_at = clock_timestamp() FROM quick WHERE id = leave_node.node_id
  $$;

  -- What cut-offs have ended, or will when they are due. Keys are given by the hash that a check finds them by.
  CREATE FUNCTION ended_by(repository_ids uuid[], cutoff_ids uuid[])
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
    WHERE c.secret_version_ids IS NOT NULL OR c.api_key_ids IS NOT NULL OR c.below_generation IS NOT NULL
  $$;

  -- A node says that it refuses what these cut-offs ended. A cut-off whose maker was killed before it could note the time
  -- gets the present one, which is late enough to be true.
  CREATE FUNCTION report_refusals(node_id uuid, repository_ids uuid[], cutoff_ids uuid[]) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = latchkey, pg_temp AS $$
    WITH quick AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true)),
    reported AS (
      SELECT c.repository_id, c.id, c.tenant_id, c.effective_at IS NULL AND c.recorded_at < clock_timestamp() - interval '10 seconds' AS abandoned
      FROM quick, unnest(repository_ids, cutoff_ids) AS asked (repository_id, id)
      JOIN cutoffs c ON c.repository_id = asked.repository_id AND c.id = asked.id),
    confirmed AS (
      UPDATE cutoffs c SET effective_at = coalesce(c.effective_at, clock_timestamp()) FROM reported
      WHERE reported.abandoned AND c.repository_id = reported.repository_id AND c.id = reported.id)
    INSERT INTO cutoff_reports (repository_id, cutoff_id, node_id, tenant_id, node_name, node_kind, refused_at)
    SELECT reported.repository_id, reported.id, n.id, reported.tenant_id, n.name, n.kind, clock_timestamp()
    FROM reported JOIN nodes n ON n.id = report_refusals.node_id
    -- In the same order from every node, so that two that write at once do not wait for each other in a circle.
    ORDER BY 1, 2
    ON CONFLICT DO NOTHING
  $$;
  REVOKE ALL ON FUNCTION beat_node, leave_node, ended_by, report_refusals FROM PUBLIC;
  GRANT EXECUTE ON FUNCTION beat_node, leave_node, ended_by, report_refusals TO latchkey_check;
`;

const canary = `
  CREATE TABLE canary_runs (
    id uuid PRIMARY KEY,
    repository text NOT NULL,
    began_at timestamptz NOT NULL,
    requests integer NOT NULL,
    violations integer NOT NULL,
    accepted_for_millis double precision NOT NULL,
    nodes jsonb NOT NULL
  );
  COMMENT ON TABLE canary_runs IS 'Of every tenant''s concern and of none''s making: all may read it.';
  COMMENT ON COLUMN canary_runs.repository IS 'The slug of the repository whose credential was ended.';
  COMMENT ON COLUMN canary_runs.accepted_for_millis IS
    'How long after the answer of the call a request began that was still accepted; 0 when there was none.';
  CREATE INDEX canary_runs_began ON canary_runs (began_at);
  CREATE INDEX canary_runs_violations ON canary_runs (began_at) WHERE violations > 0;
  GRANT SELECT ON canary_runs TO latchkey_app;
  GRANT SELECT, INSERT ON canary_runs TO latchkey_system;

  -- The canary ends secrets all the time. What nobody will look at again goes, and goes for the canary's own clients alone:
  -- of everybody else's secrets, uses, cut-offs and audit trail nothing is removed. Runs that saw a violation stay.
  CREATE FUNCTION sweep_proofs() RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = latchkey, pg_temp AS $$
    DELETE FROM secret_versions v USING repositories r
      WHERE r.slug IN ('canary', 'console') AND v.repository_id = r.id AND v.client_id = 'tool_canary'
        AND v.ended_at < now() - interval '10 minutes';
    DELETE FROM credential_uses u USING repositories r
      WHERE r.slug IN ('canary', 'console') AND u.repository_id = r.id AND u.credential_id = 'tool_canary'
        AND u.last_used_at < now() - interval '1 day';
    DELETE FROM cutoff_reports p USING cutoffs c, repositories r
      WHERE r.slug IN ('canary', 'console') AND c.repository_id = r.id AND c.client_id = 'tool_canary'
        AND c.recorded_at < now() - interval '1 day' AND p.repository_id = c.repository_id AND p.cutoff_id = c.id;
    DELETE FROM cutoffs c USING repositories r
      WHERE r.slug IN ('canary', 'console') AND c.repository_id = r.id AND c.client_id = 'tool_canary'
        AND c.recorded_at < now() - interval '1 day';
    DELETE FROM audit_events e USING repositories r
      WHERE r.slug = 'canary' AND e.tenant_id = r.tenant_id AND e.actor_kind = 'system' AND e.actor_id = 'canary'
        AND e.at < now() - interval '1 day';
    DELETE FROM canary_runs WHERE began_at < now() - interval '30 days' AND violations = 0;
    DELETE FROM nodes WHERE seen_at < now() - interval '90 days';
  $$;
  REVOKE ALL ON FUNCTION sweep_proofs FROM PUBLIC;
  GRANT EXECUTE ON FUNCTION sweep_proofs TO latchkey_system;
`;
