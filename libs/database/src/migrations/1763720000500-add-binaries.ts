import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Files. A blob is bytes that never change once they are whole; a binary says which field of which node has it, so that a copy
 * of a node shares the bytes. A blob that nothing has is swept after a while, because somebody may be reading it still.
 *
 * What binaries hold is counted in the row that everyone who changes the tree holds anyway, and a limit is looked at in the
 * transaction that would pass it.
 */
export class AddBinaries1763720000500 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE content_blobs (
        repository_id uuid NOT NULL,
        id uuid NOT NULL,
        tenant_id uuid NOT NULL,
        user_id integer NOT NULL,
        length bigint NOT NULL DEFAULT 0,
        whole boolean NOT NULL DEFAULT false,
        used_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (repository_id, id)
      );
      COMMENT ON COLUMN content_blobs.user_id IS 'Who sends it: nobody else may go on with it.';
      COMMENT ON COLUMN content_blobs.used_at IS 'When bytes last came, or a binary last had it.';
      CREATE INDEX content_blobs_age ON content_blobs (used_at);

      CREATE TABLE content_blob_chunks (
        repository_id uuid NOT NULL,
        blob_id uuid NOT NULL,
        start bigint NOT NULL,
        tenant_id uuid NOT NULL,
        bytes bytea NOT NULL,
        PRIMARY KEY (repository_id, blob_id, start),
        FOREIGN KEY (repository_id, blob_id) REFERENCES content_blobs ON DELETE CASCADE
      );
      -- Files are mostly compressed already.
      ALTER TABLE content_blob_chunks ALTER COLUMN bytes SET STORAGE EXTERNAL;

      CREATE TABLE content_binaries (
        repository_id uuid NOT NULL,
        node_id integer NOT NULL,
        field text NOT NULL,
        tenant_id uuid NOT NULL,
        blob_id uuid NOT NULL,
        file_name text NOT NULL,
        content_type text NOT NULL,
        length bigint NOT NULL,
        PRIMARY KEY (repository_id, node_id, field),
        FOREIGN KEY (repository_id, node_id) REFERENCES content_nodes ON DELETE CASCADE,
        FOREIGN KEY (repository_id, blob_id) REFERENCES content_blobs
      );
      CREATE INDEX content_binaries_blob ON content_binaries (repository_id, blob_id);

      ALTER TABLE content_counters ADD COLUMN storage_bytes bigint NOT NULL DEFAULT 0;
      CREATE FUNCTION count_binaries() RETURNS trigger LANGUAGE plpgsql SET search_path = latchkey, pg_temp AS $$
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
          UPDATE content_blobs b SET used_at = now() FROM changed c WHERE b.repository_id = c.repository_id AND b.id = c.blob_id;
        END IF;
        RETURN NULL;
      END $$;
      REVOKE ALL ON FUNCTION count_binaries FROM PUBLIC;
      CREATE TRIGGER count_added AFTER INSERT ON content_binaries REFERENCING NEW TABLE AS changed
        FOR EACH STATEMENT EXECUTE FUNCTION count_binaries();
      CREATE TRIGGER count_removed AFTER DELETE ON content_binaries REFERENCING OLD TABLE AS changed
        FOR EACH STATEMENT EXECUTE FUNCTION count_binaries();
      GRANT SELECT, INSERT, UPDATE ON content_blobs TO latchkey_app;
      GRANT SELECT, INSERT ON content_blob_chunks TO latchkey_app;
      GRANT SELECT, INSERT, DELETE ON content_binaries TO latchkey_app;
      -- The sweep.
      GRANT SELECT, UPDATE, DELETE ON content_blobs TO latchkey_system;
      GRANT SELECT ON content_binaries TO latchkey_system;
    `);
    for (const table of ['content_blobs', 'content_blob_chunks', 'content_binaries']) {
      await runner.query(`
        ALTER TABLE ${table} ENABLE ROW LEVEL SECURITY;
        CREATE POLICY in_scope ON ${table} TO latchkey_app USING (in_scope(tenant_id, repository_id));
        CREATE POLICY everything ON ${table} TO latchkey_system USING (true);`);
    }
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP TABLE content_binaries, content_blob_chunks, content_blobs;
      DROP FUNCTION count_binaries;
      ALTER TABLE content_counters DROP COLUMN storage_bytes;`);
  }
}
