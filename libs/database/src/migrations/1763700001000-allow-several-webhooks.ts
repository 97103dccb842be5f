import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Webhooks of a repository beside the one of the tenant, what became of every delivery, and mail.
 *
 * - An event has one id and goes to each webhook that wants it under that id: a delivery is an event at a webhook. Its status
 *   and the cut-off it tells of are columns made from the others, because the policies let an index serve a column but not
 *   an expression on JSON.
 * - A removed webhook keeps its row without its secret, so that what was delivered to it can still be read; the sweep takes
 *   it after the last of its deliveries.
 * - The one webhook that a tenant may have had becomes its tenant-wide one. Deliveries to a webhook that is gone go.
 */
export class AllowSeveralWebhooks1763700001000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(webhooks);
    await runner.query(deliveries);
    await runner.query(mails);
    // Whoever could change clients may change webhooks.
    await runner.query(
      `UPDATE clients SET permissions = array_append(permissions, 'webhooks:write') WHERE 'clients:write' = ANY(permissions)`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`UPDATE clients SET permissions = array_remove(permissions, 'webhooks:write')`);
    await runner.query(`
      DROP TABLE mails;
      ALTER POLICY in_scope ON webhook_deliveries USING (tenant_id = (SELECT current_tenant()));
      ALTER POLICY in_scope ON webhooks USING (tenant_id = (SELECT current_tenant()));
      GRANT DELETE ON webhooks, webhook_deliveries TO latchkey_app;
      DELETE FROM webhook_deliveries d USING webhooks w
        WHERE w.tenant_id = d.tenant_id AND w.id = d.webhook_id AND (w.repository_id IS NOT NULL OR w.deleted_at IS NOT NULL);
      DELETE FROM webhooks WHERE repository_id IS NOT NULL OR deleted_at IS NOT NULL;
      ALTER TABLE webhook_deliveries DROP CONSTRAINT webhook_deliveries_pkey, DROP COLUMN status, DROP COLUMN cutoff_id,
        DROP COLUMN webhook_id, DROP COLUMN repository_id, DROP COLUMN round, DROP COLUMN log,
        ADD COLUMN last_error text, ADD PRIMARY KEY (tenant_id, id);
      DROP INDEX webhook_deliveries_age;
      DROP INDEX webhooks_tenant_wide;
      ALTER TABLE webhooks DROP CONSTRAINT webhooks_pkey, DROP COLUMN id, DROP COLUMN repository_id, DROP COLUMN description,
        DROP COLUMN events, DROP COLUMN previous_signing_secret, DROP COLUMN previous_encryption_key_id,
        DROP COLUMN previous_secret_ends_at, DROP COLUMN failing_since, DROP COLUMN disabled_at, DROP COLUMN disabled_because,
        DROP COLUMN deleted_at, ADD PRIMARY KEY (tenant_id);`);
  }
}

/** A row of the tenant; under one repository, also a row of that repository or of none. */
const inScope = `
  tenant_id = (SELECT current_tenant())
  AND ((SELECT current_repository()) IS NULL OR repository_id IS NULL OR repository_id = (SELECT current_repository()))`;

const webhooks = `
  ALTER TABLE webhooks DROP CONSTRAINT webhooks_pkey;
  ALTER TABLE webhooks
    ADD COLUMN id uuid NOT NULL DEFAULT gen_random_uuid(),
    ADD COLUMN repository_id uuid,
    ADD COLUMN description text NOT NULL DEFAULT '',
    ADD COLUMN events text[],
    ADD COLUMN previous_signing_secret bytea,
    ADD COLUMN previous_encryption_key_id text,
    ADD COLUMN previous_secret_ends_at timestamptz,
    ADD COLUMN failing_since timestamptz,
    ADD COLUMN disabled_at timestamptz,
    ADD COLUMN disabled_because text CHECK (disabled_because IN ('asked', 'failing', 'gone')),
    ADD COLUMN deleted_at timestamptz,
    ADD PRIMARY KEY (tenant_id, id);
  ALTER TABLE webhooks ALTER COLUMN id DROP DEFAULT;
  COMMENT ON COLUMN webhooks.repository_id IS 'Whose events it gets; those of the whole tenant if null.';
  COMMENT ON COLUMN webhooks.events IS 'Which events it gets; all, also those that later releases add, if null.';
  COMMENT ON COLUMN webhooks.failing_since IS 'The first failure since anything was delivered.';
  CREATE UNIQUE INDEX webhooks_tenant_wide ON webhooks (tenant_id) WHERE repository_id IS NULL AND deleted_at IS NULL;
  ALTER POLICY in_scope ON webhooks USING (${inScope});
  REVOKE DELETE ON webhooks FROM latchkey_app;
`;

const deliveries = `
  DELETE FROM webhook_deliveries d WHERE NOT EXISTS (SELECT FROM webhooks w WHERE w.tenant_id = d.tenant_id);
  ALTER TABLE webhook_deliveries
    ADD COLUMN webhook_id uuid,
    ADD COLUMN repository_id uuid,
    ADD COLUMN round integer NOT NULL DEFAULT 0,
    ADD COLUMN log jsonb NOT NULL DEFAULT '[]';
  UPDATE webhook_deliveries d SET
    webhook_id = w.id,
    repository_id = (d.payload->'data'->>'repositoryId')::uuid,
    log = CASE WHEN d.attempts = 0 THEN '[]' ELSE jsonb_build_array(jsonb_build_object(
      'at', coalesce(d.delivered_at, d.failed_at, d.created_at), 'statusCode', NULL, 'durationMillis', 0, 'error', d.last_error)) END
    FROM webhooks w WHERE w.tenant_id = d.tenant_id;
  ALTER TABLE webhook_deliveries
    DROP COLUMN last_error,
    DROP CONSTRAINT webhook_deliveries_pkey,
    ADD COLUMN status text NOT NULL GENERATED ALWAYS AS (
      CASE WHEN delivered_at IS NOT NULL THEN 'delivered' WHEN failed_at IS NOT NULL THEN 'failed' ELSE 'pending' END) STORED,
    ADD COLUMN cutoff_id uuid GENERATED ALWAYS AS ((payload->'data'->>'cutoffId')::uuid) STORED,
    ADD PRIMARY KEY (tenant_id, webhook_id, id),
    ADD FOREIGN KEY (tenant_id, webhook_id) REFERENCES webhooks;
  COMMENT ON COLUMN webhook_deliveries.id IS 'The id of the event: the same at every webhook that gets it.';
  COMMENT ON COLUMN webhook_deliveries.round IS 'Raised by hand for another delivery; jobs of earlier rounds have nothing to do any more.';
  COMMENT ON COLUMN webhook_deliveries.log IS 'The latest attempts, the oldest first.';
  CREATE INDEX webhook_deliveries_status ON webhook_deliveries (tenant_id, webhook_id, status, id);
  CREATE INDEX webhook_deliveries_cutoff ON webhook_deliveries (tenant_id, cutoff_id) WHERE cutoff_id IS NOT NULL;
  CREATE INDEX webhook_deliveries_age ON webhook_deliveries (created_at);
  ALTER POLICY in_scope ON webhook_deliveries USING (${inScope});
  REVOKE DELETE ON webhook_deliveries FROM latchkey_app;

  -- Jobs now name the webhook. Those under way are asked for anew under ids that the queue does not know.
  UPDATE outbox o SET id = gen_random_uuid(), relayed_at = NULL, data = o.data || jsonb_build_object('webhookId', d.webhook_id, 'round', 0)
    FROM webhook_deliveries d
    WHERE o.name = 'webhook.deliver' AND d.tenant_id = o.tenant_id AND d.id = (o.data->>'deliveryId')::uuid AND d.status = 'pending';
  DELETE FROM outbox WHERE name = 'webhook.deliver' AND data->>'webhookId' IS NULL;
`;

const mails = `
  CREATE TABLE mails (
    tenant_id uuid NOT NULL REFERENCES tenants,
    id uuid NOT NULL,
    template text NOT NULL,
    data jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    attempts integer NOT NULL DEFAULT 0,
    sent_at timestamptz,
    failed_at timestamptz,
    last_error text,
    PRIMARY KEY (tenant_id, id)
  );
  COMMENT ON TABLE mails IS 'What the owners and super admins of a tenant are told; the words are the worker''s.';
  CREATE INDEX mails_age ON mails (created_at);
  ALTER TABLE mails ENABLE ROW LEVEL SECURITY;
  CREATE POLICY in_scope ON mails TO latchkey_app USING (tenant_id = (SELECT current_tenant()));
  CREATE POLICY everything ON mails TO latchkey_system USING (true);
  GRANT SELECT, INSERT, UPDATE ON mails TO latchkey_app;
  GRANT SELECT, INSERT, UPDATE, DELETE ON mails TO latchkey_system;
`;
