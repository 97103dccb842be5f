import type { MigrationInterface, QueryRunner } from 'typeorm';

/** As it was, and what more it does with a batch. */
const recordUses = (more: string) => `
      CREATE OR REPLACE FUNCTION record_uses(
        repository_ids uuid[], credential_ids text[], version_ids uuid[], outcomes text[], consumers text[], addresses text[],
        counts bigint[], firsts timestamptz[], lasts timestamptz[]
      ) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = latchkey, pg_temp AS $$
        INSERT INTO credential_uses AS known (repository_id, credential_id, version_id, outcome, consumer, address, tenant_id, uses, first_used_at, last_used_at)
        SELECT used.repository_id, used.credential_id, used.version_id, used.outcome, used.consumer, used.address, coalesce(c.tenant_id, r.tenant_id), used.count, used.first, used.last
        FROM unnest(repository_ids, credential_ids, version_ids, outcomes, consumers, addresses, counts, firsts, lasts)
          AS used (repository_id, credential_id, version_id, outcome, consumer, address, count, first, last)
        JOIN repositories r ON r.id = used.repository_id
        -- Of whoever's credential it is: at the console that is not the tenant of the repository.
        LEFT JOIN clients c ON c.repository_id = r.id AND c.id = used.credential_id
        -- In the same order from every node, so that two that write at once do not wait for each other in a circle.
        ORDER BY 1, 2, 3, 4, 5, 6
        ON CONFLICT (repository_id, credential_id, version_id, outcome, consumer, address) DO UPDATE SET
          uses = known.uses + excluded.uses, last_used_at = greatest(known.last_used_at, excluded.last_used_at);
        ${more}
      $$;`;

/**
 * How often each credential was used on each day, for charts of usage. Until now one row per consumer had the uses of all
 * times in one number. It is counted where uses are written already, in batches, so no request waits for it; days are in UTC.
 */
export class AddDailyUses1763730000000 implements MigrationInterface {
  name = 'AddDailyUses1763730000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE daily_uses (
        repository_id uuid NOT NULL,
        credential_id text NOT NULL,
        day date NOT NULL,
        outcome text NOT NULL CHECK (outcome IN ('accepted', 'replaced')),
        -- The credential is an API key, not a client.
        of_api_key boolean NOT NULL,
        tenant_id uuid NOT NULL,
        uses bigint NOT NULL,
        PRIMARY KEY (repository_id, credential_id, day, outcome)
      );
      CREATE INDEX daily_uses_of_tenant ON daily_uses (tenant_id, day);
      ALTER TABLE daily_uses ENABLE ROW LEVEL SECURITY;
      CREATE POLICY in_scope ON daily_uses TO latchkey_app USING (in_scope(tenant_id, repository_id));
      CREATE POLICY everything ON daily_uses TO latchkey_system USING (true);
      GRANT SELECT ON daily_uses TO latchkey_app;
      -- The sweep passes over rows that somebody has in hand, which takes the right to change one.
      GRANT SELECT, DELETE, UPDATE (day) ON daily_uses TO latchkey_system;

      ${recordUses(`
        INSERT INTO daily_uses AS known (repository_id, credential_id, day, outcome, of_api_key, tenant_id, uses)
        SELECT used.repository_id, used.credential_id, (used.last AT TIME ZONE 'UTC')::date, used.outcome,
          bool_and(used.credential_id = used.version_id::text), coalesce(c.tenant_id, r.tenant_id), sum(used.count)
        FROM unnest(repository_ids, credential_ids, version_ids, outcomes, counts, lasts)
          AS used (repository_id, credential_id, version_id, outcome, count, last)
        JOIN repositories r ON r.id = used.repository_id
        LEFT JOIN clients c ON c.repository_id = r.id AND c.id = used.credential_id
        GROUP BY 1, 2, 3, 4, coalesce(c.tenant_id, r.tenant_id) ORDER BY 1, 2, 3, 4
        ON CONFLICT (repository_id, credential_id, day, outcome) DO UPDATE SET uses = known.uses + excluded.uses;`)}
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`${recordUses('')} DROP TABLE daily_uses;`);
  }
}
