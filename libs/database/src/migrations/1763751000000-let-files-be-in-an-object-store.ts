import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The bytes of a chunk may be an object of an object store: then the row names it. */
export class LetFilesBeInAnObjectStore1763751000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE content_blob_chunks
        ALTER COLUMN bytes DROP NOT NULL,
        ADD COLUMN object text,
        ADD COLUMN object_length integer,
        ADD CONSTRAINT bytes_or_object CHECK ((bytes IS NULL) = (object IS NOT NULL) AND (object IS NULL) = (object_length IS NULL));
      COMMENT ON COLUMN content_blob_chunks.object IS 'Key of the object that holds the bytes; they are not here then.';

      -- Every object that may be there: noted before it is written.
      CREATE TABLE content_blob_objects (
        repository_id uuid NOT NULL,
        blob_id uuid NOT NULL,
        key text NOT NULL,
        tenant_id uuid NOT NULL,
        PRIMARY KEY (repository_id, blob_id, key),
        FOREIGN KEY (repository_id, blob_id) REFERENCES content_blobs ON DELETE CASCADE
      );
      ALTER TABLE content_blob_objects ENABLE ROW LEVEL SECURITY;
      CREATE POLICY in_scope ON content_blob_objects TO latchkey_app USING (in_scope(tenant_id, repository_id));
      CREATE POLICY everything ON content_blob_objects TO latchkey_system USING (true);
      GRANT INSERT ON content_blob_objects TO latchkey_app;
      -- The sweep.
      GRANT SELECT ON content_blob_objects TO latchkey_system;`);
  }

  /** What lies in an object store is not fetched back: the columns go only when no row names an object. */
  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE content_blob_chunks DROP CONSTRAINT bytes_or_object, ALTER COLUMN bytes SET NOT NULL, DROP COLUMN object, DROP COLUMN object_length;
      DROP TABLE content_blob_objects;`);
  }
}
