import { randomBytes } from 'node:crypto';
import type { KeyRing } from '@latchkey/credentials';
import { newId } from '@latchkey/database';
import pg from 'pg';

/** Something like a UUIDv7 of another time (RFC 9562 §5.7), so that it sorts where it belongs. */
const idAt = (at: string) => `overlay(replace(gen_random_uuid()::text, '-', '')
  PLACING lpad(to_hex((extract(epoch FROM ${at}) * 1000)::bigint), 12, '0') || '7' FROM 1 FOR 13)::uuid`;

/** One row for each repository of the tenant that has no history, and each day. */
const days = `
  CREATE TEMP TABLE past ON COMMIT DROP AS
  SELECT r.tenant_id, r.id AS repository_id, r.slug, c.id AS client_id, v.id AS version_id, d AS age,
    date_trunc('day', now(), 'UTC') - make_interval(days => d) + make_interval(secs => random() * 86400) AS at
  FROM repositories r
  JOIN clients c ON c.repository_id = r.id AND c.is_default AND c.kind = 'tool'
  JOIN secret_versions v ON v.repository_id = r.id AND v.client_id = c.id
  CROSS JOIN generate_series(1, $2::integer) d
  WHERE r.tenant_id = $1 AND r.slug ~ '^seed-[0-9]{6,}$'
    AND NOT EXISTS (SELECT FROM daily_uses u WHERE u.repository_id = r.id AND u.day < (now() AT TIME ZONE 'UTC')::date)`;

const events = `
  INSERT INTO audit_events (tenant_id, id, at, actor_kind, actor_id, action, repository_id, target_kind, target_id, request_id, address)
  SELECT tenant_id, ${idAt('at')}, at, 'user', '1000', 'user.signed-in', repository_id, 'user', '1000', 'seed', '192.0.2.1' FROM past`;

const usage = `
  INSERT INTO daily_uses (repository_id, credential_id, day, outcome, of_api_key, tenant_id, uses)
  SELECT repository_id, client_id, (at AT TIME ZONE 'UTC')::date, 'accepted', false, tenant_id, 100 FROM past;
  INSERT INTO credential_uses (repository_id, credential_id, version_id, outcome, consumer, address, tenant_id, uses, first_used_at, last_used_at)
  SELECT repository_id, client_id, version_id, 'accepted', 'seed', '192.0.2.1', tenant_id, 100 * count(*), min(at), max(at)
  FROM past GROUP BY repository_id, client_id, version_id, tenant_id;
  INSERT INTO call_counts (repository_id, period, starts_at, credential_id, user_id, tenant_id, calls, refused)
  SELECT repository_id, 'day', date_trunc('day', at, 'UTC'), client_id, 12, tenant_id, 100, 1 FROM past`;

/** Nothing is sent there: it is disabled. */
const webhook = `
  INSERT INTO webhooks (tenant_id, id, url, description, signing_secret, encryption_key_id, disabled_at, disabled_because)
  SELECT $1, $2, 'https://receiver.example.com/', 'Seeded', $3, $4, now(), 'asked'
  WHERE NOT EXISTS (SELECT FROM webhooks WHERE tenant_id = $1 AND repository_id IS NULL AND deleted_at IS NULL)`;

const deliveries = `
  INSERT INTO webhook_deliveries (tenant_id, webhook_id, id, repository_id, event, payload, created_at, attempts, delivered_at, log)
  SELECT past.tenant_id, w.id, ${idAt('at')}, past.repository_id, 'repository.updated',
    jsonb_build_object('type', 'repository.updated', 'timestamp', at, 'data', jsonb_build_object('repositoryId', past.repository_id, 'slug', slug)),
    at, 1, at, jsonb_build_array(jsonb_build_object('at', at, 'statusCode', 200, 'durationMillis', 12, 'error', NULL))
  FROM past JOIN webhooks w ON w.tenant_id = past.tenant_id AND w.repository_id IS NULL AND w.deleted_at IS NULL;
  INSERT INTO outbox (id, tenant_id, name, data, created_at, relayed_at)
  SELECT ${idAt('at')}, past.tenant_id, 'webhook.deliver',
    jsonb_build_object('tenantId', past.tenant_id, 'webhookId', w.id, 'deliveryId', gen_random_uuid(), 'round', 0), at, at
  FROM past JOIN webhooks w ON w.tenant_id = past.tenant_id AND w.repository_id IS NULL AND w.deleted_at IS NULL WHERE age = 1`;

/**
 * Gives seeded repositories that have none a past of so many days: each day an audit event, a count of uses and of calls, a
 * delivery, and of the last day a job that is done. Written by the owner of the tables, since no role of the apps may
 * write some of them.
 *
 * @param done is told of each tenant.
 */
export async function writeHistory(
  ownerUrl: string,
  encryption: KeyRing,
  dayCount: number,
  done: (tenants: number, of: number) => void,
): Promise<void> {
  const owner = new pg.Client({ connectionString: ownerUrl, options: '-c search_path=latchkey' });
  await owner.connect();
  try {
    const { rows: tenants } = await owner.query<{ id: string }>(
      `SELECT DISTINCT tenant_id AS id FROM repositories WHERE slug ~ '^seed-[0-9]{6,}$' ORDER BY 1`,
    );
    for (const [index, { id }] of tenants.entries()) {
      const { keyId, sealed } = encryption.seal(randomBytes(32));
      await owner.query('BEGIN');
      await owner.query(days, [id, dayCount]);
      await owner.query(webhook, [id, newId(), sealed, keyId]);
      for (const text of [events, usage, deliveries]) await owner.query(text);
      await owner.query('COMMIT');
      done(index + 1, tenants.length);
    }
  } finally {
    await owner.end();
  }
}
