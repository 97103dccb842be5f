import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * What a repository may hold by its plan, and how often each credential is used.
 *
 * The counts are kept in the row that everyone who adds content holds anyway, by triggers, so that a limit is looked at in
 * the very transaction that would pass it, however the content gets there, and two at once cannot pass it together. A repository
 * that has no plan has the middle one; the product's own have no limits.
 *
 * Calls are counted by hour and rolled up by day. Rows are written by a function that only the check role may call.
 */
export class LimitPlansAndCountCalls1763721000500 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(limits);
    await runner.query(calls);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP FUNCTION record_calls, roll_up_calls;
      DROP TABLE call_counts;
      DROP TRIGGER count_added ON content_nodes;
      DROP TRIGGER count_removed ON content_nodes;
      DROP FUNCTION count_nodes, refuse_over_limit, repository_limits;
      ALTER TABLE content_counters DROP COLUMN contents, DROP COLUMN users, DROP COLUMN groups;
      UPDATE repositories SET settings = settings - 'plan';
    `);
  }
}

const limits = `
  -- null means no limit. What the settings name in limits goes before what the plan says.
  CREATE FUNCTION repository_limits(settings jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT jsonb_build_object('plan', coalesce(settings ->> 'plan', 'business')) || CASE settings ->> 'plan'
      WHEN 'developer' THEN '{"users": 10, "groups": 10, "contents": 1000, "storageBytes": 734003200, "requestsPerMinute": 6000}'::jsonb
      WHEN 'enterprise' THEN '{"users": null, "groups": null, "contents": null, "storageBytes": null, "requestsPerMinute": null}'::jsonb
      ELSE '{"users": 10000, "groups": 1000, "contents": 1000000, "storageBytes": 26843545600, "requestsPerMinute": 300000}'::jsonb
    END || coalesce(settings -> 'limits', '{}')
  $$;
  UPDATE repositories SET settings = settings || '{"plan": "enterprise"}' WHERE slug IN ('console', 'canary');

  ALTER TABLE content_counters
    ADD COLUMN contents integer NOT NULL DEFAULT 0,
    ADD COLUMN users integer NOT NULL DEFAULT 0,
    ADD COLUMN groups integer NOT NULL DEFAULT 0;
  COMMENT ON COLUMN content_counters.contents IS 'What is not part of every repository; users and groups are counted by themselves.';
  UPDATE content_counters c SET contents = n.contents, users = n.users, groups = n.groups
  FROM (
    SELECT repository_id, count(*) FILTER (WHERE type NOT IN ('User', 'Group')) AS contents,
      count(*) FILTER (WHERE type = 'User') AS users, count(*) FILTER (WHERE type = 'Group') AS groups
    FROM content_nodes WHERE id >= 1000 GROUP BY repository_id) n
  WHERE c.repository_id = n.repository_id;

  CREATE FUNCTION refuse_over_limit(what text, held bigint, limits jsonb) RETURNS void LANGUAGE plpgsql AS $$
  BEGIN
    IF held > (limits ->> what)::bigint THEN
      RAISE EXCEPTION 'over the limit of %', what USING ERRCODE = 'LK001', CONSTRAINT = what, DETAIL = limits ->> what;
    END IF;
  END $$;

  CREATE FUNCTION count_nodes() RETURNS trigger LANGUAGE plpgsql SET search_path = latchkey, pg_temp AS $$
  DECLARE
    part record;
    held content_counters;
    allowed jsonb;
    sign integer := CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END;
  BEGIN
    FOR part IN
      SELECT repository_id, count(*) FILTER (WHERE type NOT IN ('User', 'Group')) AS contents,
        count(*) FILTER (WHERE type = 'User') AS users, count(*) FILTER (WHERE type = 'Group') AS groups
      FROM changed WHERE id >= 1000 GROUP BY repository_id
    LOOP
      UPDATE content_counters c
      SET contents = c.contents + sign * part.contents, users = c.users + sign * part.users, groups = c.groups + sign * part.groups
      WHERE c.repository_id = part.repository_id RETURNING c.* INTO held;
      CONTINUE WHEN TG_OP <> 'INSERT';
      SELECT repository_limits(r.settings) INTO allowed FROM repositories r WHERE r.tenant_id = held.tenant_id AND r.id = held.repository_id;
      IF part.contents > 0 THEN PERFORM refuse_over_limit('contents', held.contents, allowed); END IF;
      IF part.users > 0 THEN PERFORM refuse_over_limit('users', held.users, allowed); END IF;
      IF part.groups > 0 THEN PERFORM refuse_over_limit('groups', held.groups, allowed); END IF;
    END LOOP;
    RETURN NULL;
  END $$;
  CREATE TRIGGER count_added AFTER INSERT ON content_nodes REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION count_nodes();
  CREATE TRIGGER count_removed AFTER DELETE ON content_nodes REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION count_nodes();
  REVOKE ALL ON FUNCTION repository_limits, refuse_over_limit, count_nodes FROM PUBLIC;
  GRANT EXECUTE ON FUNCTION repository_limits, refuse_over_limit TO latchkey_app, latchkey_system;
`;

const calls = `
  CREATE TABLE call_counts (
    repository_id uuid NOT NULL,
    period text NOT NULL CHECK (period IN ('hour', 'day')),
    starts_at timestamptz NOT NULL,
    credential_id text NOT NULL,
    user_id integer NOT NULL,
    tenant_id uuid NOT NULL,
    calls bigint NOT NULL,
    refused bigint NOT NULL,
    PRIMARY KEY (repository_id, period, starts_at, credential_id, user_id)
  );
  COMMENT ON COLUMN call_counts.credential_id IS 'A client ID or the id of an API key; empty for the Visitor.';
  COMMENT ON COLUMN call_counts.refused IS 'Of the calls, those that were answered 4xx or 5xx.';
  CREATE INDEX call_counts_age ON call_counts (period, starts_at);
  ALTER TABLE call_counts ENABLE ROW LEVEL SECURITY;
  CREATE POLICY in_scope ON call_counts TO latchkey_app USING (in_scope(tenant_id, repository_id));
  CREATE POLICY everything ON call_counts TO latchkey_system USING (true);
  GRANT SELECT ON call_counts TO latchkey_app;
  GRANT SELECT, INSERT, UPDATE, DELETE ON call_counts TO latchkey_system;

  CREATE FUNCTION record_calls(
    repository_ids uuid[], hours timestamptz[], credential_ids text[], user_ids integer[], counts bigint[], refusals bigint[]
  ) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = latchkey, pg_temp AS $$
    INSERT INTO call_counts AS known (repository_id, period, starts_at, credential_id, user_id, tenant_id, calls, refused)
    SELECT made.repository_id, 'hour', date_trunc('hour', made.hour, 'UTC'), made.credential_id, made.user_id, r.tenant_id,
      sum(made.count), sum(made.refused)
    FROM unnest(repository_ids, hours, credential_ids, user_ids, counts, refusals)
      AS made (repository_id, hour, credential_id, user_id, count, refused)
    JOIN repositories r ON r.id = made.repository_id
    GROUP BY 1, 3, 4, 5, 6
    -- In the same order from every node, so that two that write at once do not wait for each other in a circle.
    ORDER BY 1, 3, 4, 5
    ON CONFLICT (repository_id, period, starts_at, credential_id, user_id) DO UPDATE
      SET calls = known.calls + excluded.calls, refused = known.refused + excluded.refused
  $$;
  REVOKE ALL ON FUNCTION record_calls FROM PUBLIC;
  GRANT EXECUTE ON FUNCTION record_calls TO latchkey_check;

  -- The hours of days that are over become days; days end after 400.
  CREATE FUNCTION roll_up_calls() RETURNS void LANGUAGE sql SET search_path = latchkey, pg_temp AS $$
    WITH over AS (
      DELETE FROM call_counts WHERE period = 'hour' AND starts_at < date_trunc('day', now(), 'UTC') - interval '1 day' RETURNING *
    ), old AS (
      DELETE FROM call_counts WHERE period = 'day' AND starts_at < now() - interval '400 days'
    )
    INSERT INTO call_counts AS known (repository_id, period, starts_at, credential_id, user_id, tenant_id, calls, refused)
    SELECT repository_id, 'day', date_trunc('day', starts_at, 'UTC'), credential_id, user_id, tenant_id, sum(calls), sum(refused)
    FROM over GROUP BY 1, 3, 4, 5, 6 ORDER BY 1, 3, 4, 5
    ON CONFLICT (repository_id, period, starts_at, credential_id, user_id) DO UPDATE
      SET calls = known.calls + excluded.calls, refused = known.refused + excluded.refused
  $$;
  REVOKE ALL ON FUNCTION roll_up_calls FROM PUBLIC;
  GRANT EXECUTE ON FUNCTION roll_up_calls TO latchkey_system;
`;
