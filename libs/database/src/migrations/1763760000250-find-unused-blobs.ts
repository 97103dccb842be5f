import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The sweep finds the bytes that nothing has without looking at those that something has: a blob in use has no time from
 * which on it is unused.
 *
 * Whoever takes the last binary of a blob away says so. Of two that each take one, the later waits for the earlier at the
 * counters' row, and the statement after that sees that none is left.
 */
export class FindUnusedBlobs1763760000250 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE content_blobs ALTER COLUMN used_at DROP NOT NULL;
      COMMENT ON COLUMN content_blobs.used_at IS 'When bytes last came, or a binary last had it; null while one has it.';
      ${countBinaries(`
          UPDATE content_blobs b SET used_at = now() FROM changed c
          WHERE b.repository_id = c.repository_id AND b.id = c.blob_id
            AND NOT EXISTS (SELECT FROM content_binaries o WHERE o.repository_id = c.repository_id AND o.blob_id = c.blob_id);`)}
      UPDATE content_blobs b SET used_at = NULL
      WHERE EXISTS (SELECT FROM content_binaries c WHERE c.repository_id = b.repository_id AND c.blob_id = b.id);
      DROP INDEX content_blobs_age;
      CREATE INDEX content_blobs_unused ON content_blobs (used_at) WHERE used_at IS NOT NULL;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ${countBinaries('UPDATE content_blobs b SET used_at = now() FROM changed c WHERE b.repository_id = c.repository_id AND b.id = c.blob_id;')}
      UPDATE content_blobs SET used_at = now() WHERE used_at IS NULL;
      ALTER TABLE content_blobs ALTER COLUMN used_at SET NOT NULL;
      DROP INDEX content_blobs_unused;
      CREATE INDEX content_blobs_age ON content_blobs (used_at);
    `);
  }
}

const countBinaries = (whenRemoved: string) => `
      CREATE OR REPLACE FUNCTION count_binaries() RETURNS trigger LANGUAGE plpgsql SET search_path = latchkey, pg_temp AS $$
      DECLARE
        part record;
        held content_counters;
        sign integer := CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END;
      BEGIN
        FOR part IN SELECT repository_id, sum(length)::bigint AS bytes FROM changed GROUP BY repository_id LOOP
          UPDATE content_counters c SET storage_bytes = c.storage_bytes + sign * part.bytes
          WHERE c.repository_id = part.repository_id RETURNING c.* INTO held;
          IF TG_OP = 'INSERT' THEN
            PERFORM refuse_over_limit('storageBytes', held.storage_bytes, repository_limits(r.settings))
            FROM repositories r WHERE r.tenant_id = held.tenant_id AND r.id = held.repository_id;
          END IF;
        END LOOP;
        IF TG_OP = 'DELETE' THEN
          ${whenRemoved}
        END IF;
        RETURN NULL;
      END $$;`;
