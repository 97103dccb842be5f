import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * An upload counts for the storage of the plan from its first byte, and not only when a node gets it: until then it lies there
 * as well. It counts until it is attached, where it counts as the node's, given up or swept.
 */
export class CountBegunUploads1763765000250 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE FUNCTION count_begun() RETURNS trigger LANGUAGE plpgsql SET search_path = latchkey, pg_temp AS $$
      DECLARE
        added bigint := coalesce(CASE WHEN NOT NEW.whole THEN NEW.length END, 0) - coalesce(CASE WHEN NOT OLD.whole THEN OLD.length END, 0);
        held content_counters;
      BEGIN
        IF added = 0 THEN RETURN NULL; END IF;
        UPDATE content_counters c SET storage_bytes = c.storage_bytes + added
        WHERE c.repository_id = coalesce(NEW.repository_id, OLD.repository_id) RETURNING c.* INTO held;
        IF added > 0 THEN
          PERFORM refuse_over_limit('storageBytes', held.storage_bytes, repository_limits(r.settings))
          FROM repositories r WHERE r.tenant_id = held.tenant_id AND r.id = held.repository_id;
        END IF;
        RETURN NULL;
      END $$;
      REVOKE ALL ON FUNCTION count_begun FROM PUBLIC;
      CREATE TRIGGER count_begun AFTER UPDATE OF length, whole OR DELETE ON content_blobs FOR EACH ROW EXECUTE FUNCTION count_begun();
      ${recount('+')}`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TRIGGER count_begun ON content_blobs; DROP FUNCTION count_begun; ${recount('-')}`);
  }
}

const recount = (sign: string) => `
  UPDATE content_counters c SET storage_bytes = c.storage_bytes ${sign} b.bytes
  FROM (SELECT repository_id, sum(length)::bigint AS bytes FROM content_blobs WHERE NOT whole GROUP BY repository_id) b
  WHERE b.repository_id = c.repository_id;`;
