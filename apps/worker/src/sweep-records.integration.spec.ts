import { Blobs } from '@latchkey/content';
import { newId } from '@latchkey/database';
import { createTestDatabase, type TestDatabase } from '@latchkey/database/testing';
import { createLogger } from '@latchkey/runtime';
import { sweepRecords } from './sweep-records.js';

let test: TestDatabase;

beforeAll(async () => {
  test = await createTestDatabase();
});
afterAll(() => test.drop());

const sweep = (auditDays = 0) => {
  const queue = { forgetFailed: async () => 0 };
  return sweepRecords({
    database: test.database,
    blobs: new Blobs(test.database, undefined),
    queue,
    log: createLogger('sweep-test', 'silent'),
    auditDays,
  })({}, { id: newId(), lastAttempt: false, signal: new AbortController().signal });
};

async function count(table: string): Promise<number> {
  const { rows } = await test.owner.query<{ count: number }>(`SELECT count(*)::int FROM ${table}`);
  return rows[0]!.count;
}

describe('the sweep', () => {
  it('removes what has expired, in as many batches as it takes, and nothing else', async () => {
    const id = newId();
    await test.owner.query(
      `INSERT INTO oidc_records (repository_id, kind, id, payload, expires_at)
      SELECT $1, 'Session', n::text, '{}', now() + CASE WHEN n <= 2500 THEN interval '-1 second' ELSE interval '1 minute' END FROM generate_series(1, 2503) n`,
      [id],
    );
    await test.owner.query(`INSERT INTO oidc_records (repository_id, kind, id, payload) VALUES ($1, 'Session', 'endless', '{}')`, [id]);
    await test.owner.query(
      `INSERT INTO revoked_tokens VALUES ($1, 'old', now() - interval '1 second'), ($1, 'live', now() + interval '1 minute')`,
      [id],
    );
    await test.owner.query(
      `INSERT INTO idempotency_keys (tenant_id, actor_id, key, fingerprint, created_at)
      VALUES ($1, 'a', 'old', '', now() - interval '25 hours'), ($1, 'a', 'live', '', now() - interval '23 hours')`,
      [id],
    );
    await test.owner.query(
      `INSERT INTO outbox (id, tenant_id, name, data, created_at, relayed_at) VALUES
      (gen_random_uuid(), $1, 'x', '{}', now() - interval '2 days', now() - interval '25 hours'),
      (gen_random_uuid(), $1, 'x', '{}', now() - interval '2 days', now() - interval '23 hours'),
      (gen_random_uuid(), $1, 'x', '{}', now() - interval '2 days', NULL)`,
      [id],
    );
    await test.owner.query(
      `INSERT INTO content_blobs (repository_id, tenant_id, id, user_id, whole, used_at)
      SELECT $1, $1, gen_random_uuid(), 1, true, now() - CASE WHEN n <= 2500 THEN interval '2 hours' ELSE interval '1 minute' END FROM generate_series(1, 2503) n`,
      [id],
    );
    await sweep();
    expect(await count('content_blobs')).toBe(3);
    expect(await count('oidc_records')).toBe(4);
    expect(await count('revoked_tokens')).toBe(1);
    expect(await count('idempotency_keys')).toBe(1);
    expect(await count('outbox')).toBe(2);
  });

  it('forgets deliveries and mails after 90 days, invitations 30 days after they have run out, and a removed webhook after the last of its deliveries', async () => {
    const tenantId = newId();
    await test.owner.query(`INSERT INTO tenants (id, name) VALUES ($1, 'Acme')`, [tenantId]);
    const webhooks = { live: newId(), removed: newId(), removedWithDeliveries: newId() };
    for (const [name, id] of Object.entries(webhooks))
      await test.owner.query(
        `INSERT INTO webhooks (tenant_id, id, repository_id, url, signing_secret, encryption_key_id, deleted_at)
         VALUES ($1, $2, $1, 'https://example.com', '', 'k', CASE WHEN $3 THEN now() - interval '91 days' END)`,
        [tenantId, id, name !== 'live'],
      );
    const deliver = (webhookId: string, days: number) =>
      test.owner.query(
        `INSERT INTO webhook_deliveries (tenant_id, webhook_id, id, event, payload, created_at)
         VALUES ($1, $2, gen_random_uuid(), 'x', '{}', now() - make_interval(days => $3))`,
        [tenantId, webhookId, days],
      );
    for (const id of [webhooks.live, webhooks.removed, webhooks.removedWithDeliveries]) await deliver(id, 91);
    for (const id of [webhooks.live, webhooks.removedWithDeliveries]) await deliver(id, 89);
    for (const days of [89, 91])
      await test.owner.query(
        `INSERT INTO mails (tenant_id, id, template, data, created_at) VALUES ($1, gen_random_uuid(), 'x', '{}', now() - make_interval(days => $2))`,
        [tenantId, days],
      );
    for (const days of [29, 31])
      await test.owner.query(
        `INSERT INTO invitations (tenant_id, repository_id, hash, expires_at) VALUES ($1, $1, int4send($2), now() - make_interval(days => $2))`,
        [tenantId, days],
      );
    await sweep();
    expect([await count('webhook_deliveries'), await count('mails'), await count('invitations')]).toEqual([2, 1, 1]);
    const { rows } = await test.owner.query<{ id: string }>('SELECT id FROM webhooks');
    expect(rows.map(({ id }) => id).toSorted()).toEqual([webhooks.live, webhooks.removedWithDeliveries].toSorted());
  });

  it('forgets uses of credentials after 400 days, and finds them by index', async () => {
    const use = (consumer: string, days: number) =>
      test.owner.query(
        `INSERT INTO credential_uses (repository_id, credential_id, version_id, outcome, consumer, address, tenant_id, uses, first_used_at, last_used_at)
         SELECT $1, 'tool_x', $1, 'accepted', $2 || n, '', $1, 1, now() - interval '900 days', now() - make_interval(days => $3)
         FROM generate_series(1, 1500) n`,
        [newId(), consumer, days],
      );
    await use('old ', 401);
    await use('known ', 399);
    await sweep();
    const { rows } = await test.owner.query(
      `SELECT count(*)::int, count(*) FILTER (WHERE consumer LIKE 'old%')::int AS old FROM credential_uses`,
    );
    expect(rows).toEqual([{ count: 1500, old: 0 }]);
    await test.owner.query('ANALYZE credential_uses');
    const plan = await test.owner.query(`EXPLAIN SELECT FROM credential_uses WHERE last_used_at < now() - interval '400 days' LIMIT 1000`);
    expect(JSON.stringify(plan.rows)).toContain('credential_uses_age');
  });

  it('makes days of the hours of days that are over, in batches that come to the same', async () => {
    const id = newId();
    await test.owner.query(`INSERT INTO tenants (id, name) VALUES ($1, 'Calls')`, [id]);
    const hour = (credential: string, hours: number, calls: number) =>
      test.owner.query(
        `INSERT INTO call_counts (repository_id, period, starts_at, credential_id, user_id, tenant_id, calls, refused)
         SELECT $1, 'hour', date_trunc('day', now(), 'UTC') - interval '3 days' + make_interval(hours => n % $3), $2 || n / $3, 1, $1, $4, 1
         FROM generate_series(0, $3 * 100 - 1) n`,
        [id, credential, hours, calls],
      );
    await hour('old ', 24, 2);
    await test.owner.query(
      `INSERT INTO call_counts (repository_id, period, starts_at, credential_id, user_id, tenant_id, calls, refused)
       VALUES ($1, 'hour', date_trunc('hour', now(), 'UTC'), 'now', 1, $1, 1, 0),
         ($1, 'day', date_trunc('day', now(), 'UTC') - interval '401 days', 'gone', 1, $1, 1, 0)`,
      [id],
    );
    await sweep();
    const { rows } = await test.owner.query(
      `SELECT period, count(*)::int, sum(calls)::int AS calls, sum(refused)::int AS refused FROM call_counts GROUP BY 1 ORDER BY 1`,
    );
    expect(rows).toEqual([
      { period: 'day', count: 100, calls: 4_800, refused: 2_400 },
      { period: 'hour', count: 1, calls: 1, refused: 0 },
    ]);
  });

  it('ends the audit trail where the operator says so, and never what is younger than 90 days', async () => {
    const tenantId = newId();
    await test.owner.query(`INSERT INTO tenants (id, name) VALUES ($1, 'Trail')`, [tenantId]);
    await test.owner.query(
      `INSERT INTO audit_events (tenant_id, id, at, actor_kind, action, target_kind, target_id)
       SELECT $1, gen_random_uuid(), now() - make_interval(days => CASE WHEN n <= 2500 THEN 121 ELSE 119 END), 'system', 'x', 'x', 'x'
       FROM generate_series(1, 2503) n`,
      [tenantId],
    );
    await sweep();
    expect(await count('audit_events')).toBe(2_503);
    await sweep(120);
    expect(await count('audit_events')).toBe(3);
    const prune = (days: number | null) =>
      test.database.transaction('system', (tx) => tx.query('SELECT prune_audit_events($1, 1000)', [days]));
    for (const days of [89, 0, -1, null]) await expect(prune(days)).rejects.toThrow('the audit trail of the last 90 days is kept');
    await expect(test.database.transaction('system', (tx) => tx.query('DELETE FROM audit_events'))).rejects.toThrow('permission denied');
    const asApp = test.database.transaction({ tenantId }, (tx) => tx.query('SELECT prune_audit_events(90, 1)'));
    await expect(asApp).rejects.toThrow('permission denied');
  });

  it('forgets ended credentials, deleted clients and cut-offs after 400 days, but not what somebody presents still', async () => {
    const [tenantId, id] = [newId(), newId()];
    await test.owner.query(`INSERT INTO tenants (id, name) VALUES ($1, 'Ended')`, [tenantId]);
    const insert = (text: string) =>
      test.owner.query(`WITH own AS (SELECT $1::uuid AS tenant_id, $2::uuid AS repository_id) INSERT INTO ${text}`, [tenantId, id]);
    const ago = (days: number) => `now() - interval '${days} days'`;
    await insert(`repository_users (repository_id, tenant_id, id, login_name, name) SELECT repository_id, tenant_id, 1, 'x', 'x' FROM own`);
    await insert(`clients (repository_id, tenant_id, id, kind, name, user_id, deleted_at) SELECT repository_id, tenant_id, name, 'tool', name, 1, at FROM own,
      (VALUES ('lives', NULL), ('gone', ${ago(401)}), ('kept', ${ago(399)}), ('presented', ${ago(401)})) AS c (name, at)`);
    // As they ended: by an act, by themselves, or by a rotation.
    await insert(`secret_versions (repository_id, tenant_id, client_id, id, hash, pepper_id, hint, created_at, ended_at, expires_at, overlap_ends_at)
      SELECT repository_id, tenant_id, client, gen_random_uuid(), sha256(''), 'k', hint, ${ago(800)}, ended, expires, overlap FROM own, (VALUES
        ('lives', 'lives', NULL::timestamptz, NULL::timestamptz, NULL::timestamptz),
        ('lives', 'kept', ${ago(399)}, NULL, NULL), ('lives', 'will', NULL, now() + interval '1 day', NULL), ('presented', 'presented', ${ago(401)}, NULL, NULL),
        ('lives', 'ended', ${ago(401)}, NULL, NULL), ('lives', 'expired', NULL, ${ago(401)}, NULL), ('gone', 'replaced', NULL, NULL, ${ago(401)})
      ) AS v (client, hint, ended, expires, overlap)`);
    await insert(`credential_uses (repository_id, tenant_id, credential_id, version_id, outcome, consumer, address, uses, first_used_at, last_used_at)
      SELECT v.repository_id, v.tenant_id, v.client_id, v.id, 'replaced', '', '', 1, now(), now() FROM own JOIN secret_versions v USING (repository_id)
      WHERE v.hint = 'presented'`);
    await insert(`reminders (tenant_id, credential_id, reminder)
      SELECT v.tenant_id, v.id, v.hint FROM own JOIN secret_versions v USING (repository_id) WHERE v.hint IN ('ended', 'kept')`);
    await insert(`api_keys (repository_id, tenant_id, user_id, id, name, hash, pepper_id, hint, permissions, expires_at, ended_at)
      SELECT repository_id, tenant_id, 1, gen_random_uuid(), name, sha256(name::bytea), 'k', '', '{}', expires, ended FROM own, (VALUES
        ('lives', now() + interval '1 day', NULL::timestamptz), ('kept', now(), ${ago(399)}), ('ended', now(), ${ago(401)}), ('expired', ${ago(401)}, NULL)
      ) AS k (name, expires, ended)`);
    await insert(`client_keys (repository_id, tenant_id, client_id, id, kid, public_jwk, ended_at)
      SELECT repository_id, tenant_id, 'lives', gen_random_uuid(), kid, '{}', at FROM own, (VALUES
        ('lives', NULL), ('kept', ${ago(399)}), ('ended', ${ago(401)})) AS k (kid, at)`);
    await insert(`cutoffs (repository_id, tenant_id, id, kind, client_id, recorded_at, effective_at)
      SELECT repository_id, tenant_id, gen_random_uuid(), 'x', name, ${ago(500)}, at FROM own, (VALUES
        ('kept', ${ago(399)}), ('planned', now() + interval '1 day'), ('over', ${ago(401)}), ('abandoned', NULL)) AS c (name, at)`);
    await insert(`cutoff_reports (repository_id, tenant_id, cutoff_id, node_id, node_name, node_kind, refused_at)
      SELECT c.repository_id, c.tenant_id, c.id, c.id, c.client_id, 'authority', now() FROM own JOIN cutoffs c USING (repository_id)`);
    await sweep();
    const left = async (column: string, table: string) => {
      const { rows } = await test.owner.query<{ name: string }>(`SELECT ${column} AS name FROM ${table} WHERE tenant_id = $1 ORDER BY 1`, [
        tenantId,
      ]);
      return rows.map(({ name }) => name).join(' ');
    };
    expect(await left('hint', 'secret_versions')).toBe('kept lives presented will');
    expect(await left('reminder', 'reminders')).toBe('kept');
    expect(await left('name', 'api_keys')).toBe('kept lives');
    expect(await left('kid', 'client_keys')).toBe('kept lives');
    expect(await left('name', 'clients')).toBe('kept lives presented');
    expect(await left('client_id', 'cutoffs')).toBe('kept planned');
    expect(await left('node_name', 'cutoff_reports')).toBe('kept planned');
    for (const text of ['SELECT prune_credentials(1)', 'SELECT prune_cutoffs(1)', 'DELETE FROM secret_versions'])
      await expect(test.database.transaction({ tenantId }, (tx) => tx.query(text))).rejects.toThrow('permission denied');
  });

  it('passes over what somebody has in hand', async () => {
    await test.owner.query('DELETE FROM revoked_tokens');
    await test.owner.query(
      `INSERT INTO revoked_tokens VALUES ($1, 'held', now() - interval '1 second'), ($1, 'free', now() - interval '1 second')`,
      [newId()],
    );
    const holder = await test.owner.connect();
    await holder.query(`BEGIN; SELECT FROM revoked_tokens WHERE id = 'held' FOR UPDATE`);
    await sweep();
    await holder.query('COMMIT');
    holder.release();
    expect(await count('revoked_tokens')).toBe(1);
  });
});
