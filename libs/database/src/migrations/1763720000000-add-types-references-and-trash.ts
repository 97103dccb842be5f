import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Content types that a repository makes itself, references between nodes, and the trash.
 *
 * Repositories that are there already get the nodes that a new one is made with. Somebody's own `/Root/System` or
 * `/Root/Trash` steps aside.
 */
export class AddTypesReferencesAndTrash1763720000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE content_counters ADD COLUMN types_version uuid;
      COMMENT ON COLUMN content_counters.types_version IS 'Another one whenever a content type of the repository''s own changes; null when it never had any. Random, so that one which was rolled back never comes again.';

      CREATE TABLE content_references (
        repository_id uuid NOT NULL,
        node_id integer NOT NULL,
        field text NOT NULL,
        position integer NOT NULL,
        target_id integer NOT NULL,
        tenant_id uuid NOT NULL,
        PRIMARY KEY (repository_id, node_id, field, position),
        FOREIGN KEY (repository_id, node_id) REFERENCES content_nodes ON DELETE CASCADE,
        FOREIGN KEY (repository_id, target_id) REFERENCES content_nodes ON DELETE CASCADE
      );
      CREATE INDEX content_references_target ON content_references (repository_id, target_id);
      ALTER TABLE content_references ENABLE ROW LEVEL SECURITY;
      CREATE POLICY in_scope ON content_references TO latchkey_app USING (in_scope(tenant_id, repository_id));
      CREATE POLICY everything ON content_references TO latchkey_system USING (true);
      GRANT SELECT, INSERT, DELETE ON content_references TO latchkey_app, latchkey_system;

      -- One row per deletion. What was below the node is below it still.
      CREATE TABLE content_trash (
        repository_id uuid NOT NULL,
        node_id integer NOT NULL,
        tenant_id uuid NOT NULL,
        name text NOT NULL,
        parent_id integer NOT NULL,
        path text NOT NULL,
        deleted_at timestamptz NOT NULL DEFAULT now(),
        deleted_by integer NOT NULL,
        PRIMARY KEY (repository_id, node_id),
        FOREIGN KEY (repository_id, node_id) REFERENCES content_nodes ON DELETE CASCADE
      );
      COMMENT ON COLUMN content_trash.path IS 'Where the node was.';
      CREATE INDEX content_trash_age ON content_trash (deleted_at);
      ALTER TABLE content_trash ENABLE ROW LEVEL SECURITY;
      CREATE POLICY in_scope ON content_trash TO latchkey_app USING (in_scope(tenant_id, repository_id));
      CREATE POLICY everything ON content_trash TO latchkey_system USING (true);
      GRANT SELECT, INSERT, DELETE ON content_trash TO latchkey_app;
      GRANT SELECT ON content_trash TO latchkey_system;

      ALTER TABLE content_group_members ADD COLUMN active boolean NOT NULL DEFAULT true;
      COMMENT ON COLUMN content_group_members.active IS 'False while the group is in the trash: then it gives its members nothing.';
      CREATE INDEX content_permissions_identity ON content_permissions (repository_id, identity_id);

      ALTER TABLE repository_users ADD COLUMN trashed_at timestamptz;
      COMMENT ON COLUMN repository_users.trashed_at IS 'When the user''s node was put into the trash; the user is disabled while it is there.';
    `);
    for (const taken of ['/Root/System', '/Root/Trash']) await runner.query(stepAside, [taken]);
    await runner.query(nodesAsOfNewRepositories);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DELETE FROM content_permissions WHERE node_id BETWEEN 15 AND 18;
      DELETE FROM content_nodes WHERE id BETWEEN 15 AND 18;
      ALTER TABLE repository_users DROP COLUMN trashed_at;
      DROP INDEX content_permissions_identity;
      ALTER TABLE content_group_members DROP COLUMN active;
      DROP TABLE content_trash, content_references;
      ALTER TABLE content_counters DROP COLUMN types_version;`);
  }
}

const stepAside = `
  UPDATE content_nodes n SET
    path = $1 || ' (' || taken.id || ')' || substr(n.path, length($1) + 1),
    name = CASE WHEN n.id = taken.id THEN n.name || ' (' || taken.id || ')' ELSE n.name END
  FROM content_nodes taken
  WHERE taken.path_key = lower($1) AND n.repository_id = taken.repository_id AND (n.id = taken.id OR starts_with(n.path_key, lower($1) || '/'))`;

const nodesAsOfNewRepositories = `
  INSERT INTO content_nodes (repository_id, tenant_id, id, parent_id, name, path, type, fields, permission_path, created_by, modified_by)
  SELECT c.repository_id, c.tenant_id, n.id, n.parent_id, n.name, n.path, n.type, jsonb_build_object('DisplayName', n.display_name), n.permission_path, 1, 1
  FROM content_counters c CROSS JOIN (VALUES
    (15, 2, 'System', '/Root/System', 'SystemFolder', 'System', ARRAY[2, 15]),
    (16, 15, 'Schema', '/Root/System/Schema', 'SystemFolder', 'Schema', ARRAY[2, 15, 16]),
    (17, 16, 'ContentTypes', '/Root/System/Schema/ContentTypes', 'ContentTypeFolder', 'Content types', ARRAY[2, 15, 16, 17]),
    (18, 2, 'Trash', '/Root/Trash', 'TrashBin', 'Trash', ARRAY[2, 18])
  ) AS n (id, parent_id, name, path, type, display_name, permission_path);
  INSERT INTO content_permissions (repository_id, tenant_id, node_id, identity_id, bits)
  SELECT repository_id, tenant_id, 18, 8, ${3 << 8} FROM content_counters;`;
