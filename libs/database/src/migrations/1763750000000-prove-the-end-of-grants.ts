import type { MigrationInterface, QueryRunner } from 'typeorm';

/** A cut-off may end grants: those of everybody who came from an identity provider. Each node is asked about them. */
export class ProveTheEndOfGrants1763750000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE cutoffs ADD COLUMN grant_ids text[], ADD COLUMN grant_user_ids integer[];
      COMMENT ON COLUMN cutoffs.grant_ids IS 'Grants that it ended, of very many some; grant_user_ids says of whom, in the same order.';`);
    await runner.query(
      endedBy({
        column: ', grant_ids text[], grant_user_ids integer[]',
        grants: ', c.grant_ids, c.grant_user_ids',
        or: 'OR c.grant_ids IS NOT NULL',
      }),
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(endedBy({ column: '', grants: '', or: '' }));
    await runner.query('ALTER TABLE cutoffs DROP COLUMN grant_ids, DROP COLUMN grant_user_ids');
  }
}

const endedBy = ({ column, grants, or }: { column: string; grants: string; or: string }) => `
  DROP FUNCTION ended_by;
  CREATE FUNCTION ended_by(repository_ids uuid[], cutoff_ids uuid[])
    RETURNS TABLE (repository_id uuid, cutoff_id uuid, client_id text, user_id integer, secret_version_ids uuid[],
      key_hashes bytea[], below_generation integer, due_in_millis double precision${column})
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = latchkey, pg_temp AS $$
    SELECT c.repository_id, c.id, c.client_id, c.user_id, c.secret_version_ids,
      CASE WHEN c.api_key_ids IS NOT NULL THEN (
        SELECT coalesce(array_agg(k.hash), '{}') FROM api_keys k
        WHERE k.repository_id = c.repository_id AND k.id = ANY (c.api_key_ids)) END,
      c.below_generation,
      greatest(0, extract(epoch FROM coalesce(c.effective_at, c.recorded_at) - clock_timestamp()) * 1000)::double precision${grants}
    FROM unnest(repository_ids, cutoff_ids) AS asked (repository_id, id)
    JOIN cutoffs c ON c.repository_id = asked.repository_id AND c.id = asked.id
    WHERE (c.secret_version_ids IS NOT NULL OR c.api_key_ids IS NOT NULL OR c.below_generation IS NOT NULL ${or})
      AND c.withdrawn_at IS NULL
  $$;
  REVOKE ALL ON FUNCTION ended_by FROM PUBLIC;
  GRANT EXECUTE ON FUNCTION ended_by TO latchkey_check;
`;
