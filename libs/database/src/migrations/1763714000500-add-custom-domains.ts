import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Domains of tenants, at which the authority of a repository answers too. Anybody may claim any domain; only one claim of a
 * domain can be verified, so that a claim that is not blocks nobody.
 */
export class AddCustomDomains1763714000500 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE custom_domains (
        repository_id uuid PRIMARY KEY REFERENCES repositories (id),
        tenant_id uuid NOT NULL,
        domain text NOT NULL,
        token text NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        verified_at timestamptz,
        seen_at timestamptz,
        lost_since timestamptz
      );
      COMMENT ON COLUMN custom_domains.token IS 'Published in the DNS by whoever holds the domain; no secret.';
      COMMENT ON COLUMN custom_domains.lost_since IS 'The first look since which the record was not there any more.';
      CREATE UNIQUE INDEX custom_domains_verified ON custom_domains (domain) WHERE verified_at IS NOT NULL;
      ALTER TABLE custom_domains ENABLE ROW LEVEL SECURITY;
      CREATE POLICY in_scope ON custom_domains TO latchkey_app USING (in_scope(tenant_id, repository_id));
      CREATE POLICY everything ON custom_domains TO latchkey_system USING (true);
      GRANT SELECT, INSERT, UPDATE, DELETE ON custom_domains TO latchkey_app;
      GRANT SELECT, UPDATE ON custom_domains TO latchkey_system;

      -- Which repository answers at a domain. Nothing remembers the answer, so a domain that is given up is dead at once.
      CREATE FUNCTION find_repository_by_domain(domain text) RETURNS text
        LANGUAGE sql STABLE SECURITY DEFINER SET search_path = latchkey, pg_temp AS $$
        SELECT r.slug FROM custom_domains d JOIN repositories r ON r.id = d.repository_id
        WHERE d.domain = find_repository_by_domain.domain AND d.verified_at IS NOT NULL
      $$;
      REVOKE ALL ON FUNCTION find_repository_by_domain FROM PUBLIC;
      GRANT EXECUTE ON FUNCTION find_repository_by_domain TO latchkey_check;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP FUNCTION find_repository_by_domain; DROP TABLE custom_domains;');
  }
}
