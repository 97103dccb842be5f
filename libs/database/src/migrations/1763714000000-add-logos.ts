import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The logo of a repository, apart from its settings, which are read far more often. */
export class AddLogos1763714000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE repository_logos (
        repository_id uuid PRIMARY KEY REFERENCES repositories (id),
        tenant_id uuid NOT NULL,
        version text NOT NULL,
        content_type text NOT NULL CHECK (content_type IN ('image/png', 'image/jpeg', 'image/webp')),
        image bytea NOT NULL CHECK (octet_length(image) BETWEEN 1 AND 262144),
        created_at timestamptz NOT NULL DEFAULT now()
      );
      COMMENT ON COLUMN repository_logos.version IS 'Part of the address of the image, which may so be kept for ever.';
      ALTER TABLE repository_logos ENABLE ROW LEVEL SECURITY;
      CREATE POLICY in_scope ON repository_logos TO latchkey_app USING (in_scope(tenant_id, repository_id));
      CREATE POLICY everything ON repository_logos TO latchkey_system USING (true);
      GRANT SELECT, INSERT, UPDATE, DELETE ON repository_logos TO latchkey_app;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE repository_logos');
  }
}
