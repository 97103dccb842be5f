import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * A pepper that is missing from the configuration by mistake makes the secrets under it wrong, and nobody hears of it. Processes
 * ask at their start which peppers are needed that they have not: from one pepper to the next in an index of what lives, so that
 * it takes as many look-ups as there are peppers, and counts only what is under those that are missing.
 */
export class FindLackingPeppers1763768000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ${hashed.map(({ name, table, live, key }) => `CREATE INDEX ${name} ON ${table} (pepper_id${key && `, (${key})`}) WHERE ${live};`).join('\n')}

      CREATE FUNCTION lacking_peppers(known text[]) RETURNS TABLE (pepper_id text, kind text, live bigint) LANGUAGE sql STABLE
        SECURITY DEFINER SET search_path = latchkey, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
      AS $$ ${hashed.map(lacking).join(' UNION ALL ')} $$;
      COMMENT ON FUNCTION lacking_peppers IS 'How many live secrets of which kind need a pepper that is not among the known ones.';
      REVOKE ALL ON FUNCTION lacking_peppers FROM PUBLIC;
      GRANT EXECUTE ON FUNCTION lacking_peppers TO latchkey_app;`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP FUNCTION lacking_peppers; DROP INDEX ${hashed.map(({ name }) => name).join(', ')};`);
  }
}

interface Hashed {
  kind: string;
  table: string;
  /** Its index. */
  name: string;
  /** What is not in the index has ended. */
  live: string;
  /** When it ends by itself; empty where it does not. */
  key: string;
}

const hashed: Hashed[] = [
  {
    kind: 'client secrets',
    table: 'secret_versions',
    name: 'secret_versions_pepper',
    live: 'ended_at IS NULL',
    key: `coalesce(least(expires_at, overlap_ends_at), 'infinity')`,
  },
  { kind: 'API keys', table: 'api_keys', name: 'api_keys_pepper', live: 'ended_at IS NULL', key: 'expires_at' },
  { kind: 'recovery codes', table: 'recovery_codes', name: 'recovery_codes_pepper', live: 'used_at IS NULL', key: '' },
];

const lacking = ({ kind, table, live, key }: Hashed) => `(
  WITH RECURSIVE needed AS (
    (SELECT t.pepper_id FROM ${table} t WHERE ${live} ORDER BY t.pepper_id LIMIT 1)
    UNION ALL
    SELECT next.pepper_id FROM needed,
      LATERAL (SELECT t.pepper_id FROM ${table} t WHERE ${live} AND t.pepper_id > needed.pepper_id ORDER BY t.pepper_id LIMIT 1) next)
  SELECT needed.pepper_id, '${kind}', held.live FROM needed,
    LATERAL (SELECT count(*) AS live FROM ${table} t WHERE t.pepper_id = needed.pepper_id AND ${live}${key && ` AND ${key} > now()`}) held
  WHERE needed.pepper_id <> ALL (known) AND held.live > 0)`;
