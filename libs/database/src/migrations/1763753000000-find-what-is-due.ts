import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * What recurs reads what is due, and not everything that there is: with 100,000 repositories the worker read whole tables every
 * few minutes, to find nothing. So each such question has an index that holds little else than its answers. Two lists of a
 * tenant read other tenants' rows, too.
 *
 * Calls are rolled up by the batch. The function that did it all at once stays for workers of the release before.
 *
 * The audit trail can be given an end. Nobody but this function can remove any of it, and not of the last 90 days.
 */
export class FindWhatIsDue1763753000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      -- Of a tenant.
      CREATE INDEX call_counts_of_tenant ON call_counts (tenant_id, starts_at);
      CREATE INDEX clients_of_tenant ON clients (repository_id, tenant_id) WHERE kind = 'tenant';
      CREATE INDEX repositories_deleted ON repositories (tenant_id, id) WHERE deleted_at IS NOT NULL;

      -- The sweep.
      CREATE INDEX daily_uses_age ON daily_uses (day);
      CREATE INDEX outbox_relayed ON outbox (relayed_at) WHERE relayed_at IS NOT NULL;
      CREATE INDEX webhooks_removed ON webhooks (deleted_at) WHERE deleted_at IS NOT NULL;

      -- What the queue may have lost: what is not done yet, and its job.
      CREATE INDEX webhook_deliveries_pending ON webhook_deliveries (id, webhook_id) WHERE status = 'pending';
      CREATE INDEX outbox_delivery ON outbox ((data->>'deliveryId')) WHERE name = 'webhook.deliver';
      CREATE INDEX mails_open ON mails (id) WHERE sent_at IS NULL AND failed_at IS NULL;
      CREATE INDEX outbox_mail ON outbox ((data->>'mailId')) WHERE name = 'mail.send';

      -- Credentials that will end or are old.
      CREATE INDEX secret_versions_expiry ON secret_versions (expires_at)
        WHERE ended_at IS NULL AND overlap_ends_at IS NULL AND expires_at IS NOT NULL;
      CREATE INDEX secret_versions_age ON secret_versions (created_at) WHERE ended_at IS NULL AND overlap_ends_at IS NULL;
      CREATE INDEX api_keys_expiry ON api_keys (expires_at) WHERE ended_at IS NULL;
      CREATE INDEX api_keys_age ON api_keys (created_at) WHERE ended_at IS NULL;

      -- What lies under an earlier key-encryption key.
      CREATE INDEX webhooks_encryption ON webhooks (encryption_key_id);
      CREATE INDEX webhooks_previous_encryption ON webhooks (previous_encryption_key_id) WHERE previous_encryption_key_id IS NOT NULL;
      CREATE INDEX totp_secrets_encryption ON totp_secrets (encryption_key_id);
      CREATE INDEX identity_providers_encryption ON identity_providers (encryption_key_id) WHERE encryption_key_id IS NOT NULL;
    `);
    await runner.query(rollUp);
    await runner.query(prune);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP FUNCTION prune_audit_events(integer, integer);
      DROP FUNCTION roll_up_calls(integer);
      DROP INDEX call_counts_of_tenant, clients_of_tenant, repositories_deleted, daily_uses_age, outbox_relayed, webhooks_removed,
        webhook_deliveries_pending, outbox_delivery, mails_open, outbox_mail, secret_versions_expiry, secret_versions_age,
        api_keys_expiry, api_keys_age, webhooks_encryption, webhooks_previous_encryption, totp_secrets_encryption,
        identity_providers_encryption;
    `);
  }
}

const rollUp = `
  -- So many hours of days that are over become part of their days. Returns how many there were.
  CREATE FUNCTION roll_up_calls(most integer) RETURNS integer LANGUAGE sql SET search_path = latchkey, pg_temp AS $$
    WITH over AS (
      DELETE FROM call_counts WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM call_counts WHERE period = 'hour' AND starts_at < date_trunc('day', now(), 'UTC') - interval '1 day'
        ORDER BY starts_at LIMIT most FOR UPDATE SKIP LOCKED)) RETURNING *
    ), rolled AS (
      INSERT INTO call_counts AS known (repository_id, period, starts_at, credential_id, user_id, tenant_id, calls, refused)
      SELECT repository_id, 'day', date_trunc('day', starts_at, 'UTC'), credential_id, user_id, tenant_id, sum(calls), sum(refused)
      FROM over GROUP BY 1, 3, 4, 5, 6 ORDER BY 1, 3, 4, 5
      ON CONFLICT (repository_id, period, starts_at, credential_id, user_id) DO UPDATE
        SET calls = known.calls + excluded.calls, refused = known.refused + excluded.refused
    )
    SELECT count(*)::integer FROM over
  $$;
  REVOKE ALL ON FUNCTION roll_up_calls(integer) FROM PUBLIC;
  GRANT EXECUTE ON FUNCTION roll_up_calls(integer) TO latchkey_system;
`;

const prune = `
  -- Removes so many of the events that are older than that, by the index of each tenant. Returns how many.
  CREATE FUNCTION prune_audit_events(keep_days integer, most integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = latchkey, pg_temp AS $$
  DECLARE
    removed integer;
  BEGIN
    IF keep_days IS NULL OR keep_days < 90 THEN
      RAISE EXCEPTION 'the audit trail of the last 90 days is kept' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    DELETE FROM audit_events WHERE ctid = ANY (ARRAY(
      SELECT old.row FROM tenants t CROSS JOIN LATERAL (
        SELECT a.ctid AS row FROM audit_events a
        WHERE a.tenant_id = t.id AND a.at < now() - make_interval(days => keep_days)
        ORDER BY a.at LIMIT most FOR UPDATE SKIP LOCKED) old
      LIMIT most));
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
  END $$;
  REVOKE ALL ON FUNCTION prune_audit_events FROM PUBLIC;
  GRANT EXECUTE ON FUNCTION prune_audit_events TO latchkey_system;
`;
