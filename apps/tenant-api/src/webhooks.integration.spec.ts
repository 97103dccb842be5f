import { createHash, randomBytes } from 'node:crypto';
import { tenantPermissions, type CreatedWebhookView, type DeliveryView, type Page, type WebhookView } from '@latchkey/contracts';
import { machineActor } from '@latchkey/access';
import { KeyRing } from '@latchkey/credentials';
import { newId } from '@latchkey/database';
import { propagationOf, Webhooks } from '@latchkey/tenancy';
import { startApi, type RunningApi } from './testing/running-api.js';

let api: RunningApi;

beforeAll(async () => {
  api = await startApi();
  for (const slug of ['acme', 'other']) await api.tenant.call('POST', '/v1/repositories', { slug, name: slug, environment: 'production' });
});
afterAll(() => api.close());

const hooks = '/v1/repositories/acme/webhooks';

async function call<T>(method: string, path: string, body?: unknown, status = 200): Promise<T> {
  const response = await api.tenant.call(method, path, body);
  const text = await response.text();
  expect([method, path, response.status, text.slice(0, 300)]).toEqual([method, path, status, expect.anything()]);
  return (text ? JSON.parse(text) : undefined) as T;
}

const create = (body: object = {}) => call<CreatedWebhookView>('POST', hooks, { url: 'https://example.com/hook', ...body }, 201);
const deliveriesOf = (id: string, query = '') => call<Page<DeliveryView>>('GET', `${hooks}/${id}/deliveries${query}`);
const jobsOf = async (deliveryId: string) => {
  const { rows } = await api.test.owner.query<{ data: object }>(`SELECT data FROM outbox WHERE data->>'deliveryId' = $1 ORDER BY id`, [
    deliveryId,
  ]);
  return rows.map(({ data }) => data);
};
const remove = (id: string) => call<void>('DELETE', `${hooks}/${id}`, undefined, 204);

describe('a webhook', () => {
  it('is made with all events, and shows its signing secret in that answer and in no other', async () => {
    const { signingSecret, ...webhook } = await create({ description: ' Our SIEM ' });
    expect(signingSecret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect(webhook).toMatchObject({
      url: 'https://example.com/hook',
      description: 'Our SIEM',
      events: null,
      enabled: true,
      failingSince: null,
    });
    expect(await call(`GET`, `${hooks}/${webhook.id}`)).toEqual(webhook);
    const list = JSON.stringify(await call('GET', hooks));
    expect(list).toContain(webhook.id);
    expect(list).not.toContain(signingSecret.slice(6));
    const { rows } = await api.test.owner.query('SELECT to_jsonb(w) FROM webhooks w UNION ALL SELECT to_jsonb(a) FROM audit_events a');
    for (const form of [signingSecret.slice(6), Buffer.from(signingSecret).toString('hex')])
      expect(JSON.stringify(rows)).not.toContain(form);
    await remove(webhook.id);
  });

  it('is remembered by its Idempotency-Key with nothing of which the body could be guessed by those who lack the pepper', async () => {
    const key = newId();
    const body = { url: 'https://example.com/hashed' };
    const made = (await (await api.tenant.call('POST', hooks, body, { 'idempotency-key': key })).json()) as CreatedWebhookView;
    const { rows } = await api.test.owner.query<{ fingerprint: Buffer }>('SELECT fingerprint FROM idempotency_keys WHERE key = $1', [key]);
    const text = `POST ${hooks}\n${JSON.stringify(body)}`;
    for (const known of [text, `idempotent call\n${text}`])
      expect(rows[0]?.fingerprint.equals(createHash('sha256').update(known).digest())).toBe(false);
    await remove(made.id);
  });

  it('is made once per Idempotency-Key, and its secret is not shown again', async () => {
    const headers = { 'idempotency-key': newId() };
    const body = { url: 'https://example.com/once' };
    const first = await api.tenant.call('POST', hooks, body, headers);
    const again = await api.tenant.call('POST', hooks, body, headers);
    expect([first.status, again.status]).toEqual([201, 409]);
    expect(((await again.json()) as { type: string }).type).toMatch(/idempotency-replayed$/);
    await remove(((await first.json()) as CreatedWebhookView).id);
  });

  it.each([
    ['no URL', { url: 'nonsense' }],
    ['another scheme', { url: 'file:///etc/passwd' }],
    ['user info', { url: 'https://user:password@example.com/' }],
    ['a user without a password', { url: 'https://user@example.com/' }],
    ['a fragment', { url: 'https://example.com/#part' }],
    ['an event that does not exist', { events: ['client.exploded'] }],
    ['no event', { events: [] }],
    ['an event twice', { events: ['client.created', 'client.created'] }],
    ['a description with control characters', { description: 'a\u0007b' }],
    ['a member that is none', { signingSecret: 'whsec_mine' }],
  ])('is refused with %s', async (_, body) => {
    await call('POST', hooks, { url: 'https://example.com/hook', ...body }, 400);
  });

  it.each(['https://example.com/@user?mail=a@b.example', 'http://192.0.2.1:8080/hook?token=x'])('may be at %s', async (url) => {
    await remove((await create({ url })).id);
  });

  it('changes in what was named and in nothing else', async () => {
    const { signingSecret: _, ...webhook } = await create({ events: ['client.created'] });
    expect(await call('PATCH', `${hooks}/${webhook.id}`, { description: 'New' })).toEqual({ ...webhook, description: 'New' });
    expect(await call('PATCH', `${hooks}/${webhook.id}`, { events: null, url: 'https://example.com/new' })).toEqual({
      ...webhook,
      description: 'New',
      events: null,
      url: 'https://example.com/new',
    });
    expect(await call('PATCH', `${hooks}/${webhook.id}`, {})).toMatchObject({ url: 'https://example.com/new' });
    await remove(webhook.id);
  });

  it('can be disabled, and enabling it clears what it was disabled for', async () => {
    const { id } = await create({ enabled: false });
    expect(await call('GET', `${hooks}/${id}`)).toMatchObject({ enabled: false, disabledBecause: 'asked' });
    await call('POST', `${hooks}/${id}/test`, undefined, 409);
    await api.test.owner.query(`UPDATE webhooks SET disabled_because = 'failing', failing_since = now() WHERE id = $1`, [id]);
    expect(await call('PATCH', `${hooks}/${id}`, { enabled: true })).toMatchObject({
      enabled: true,
      disabledBecause: null,
      disabledAt: null,
      failingSince: null,
    });
    await remove(id);
  });

  it('is gone with its secrets once it was removed, and may be the twentieth again', async () => {
    const made: string[] = [];
    for (let count = 0; count < 20; count += 1) made.push((await create()).id);
    expect(await call('POST', hooks, { url: 'https://example.com/hook' }, 409)).toMatchObject({
      type: expect.stringMatching(/quota-exceeded$/),
    });
    const seen: string[] = [];
    for (let after: string | null = ''; after !== null;) {
      const page: Page<WebhookView> = await call('GET', `${hooks}?limit=7${after && `&after=${after}`}`);
      seen.push(...page.items.map(({ id }) => id));
      after = page.next;
    }
    expect(seen).toEqual(made);
    await remove(made[0]!);
    await call('GET', `${hooks}/${made[0]}`, undefined, 404);
    await call('DELETE', `${hooks}/${made[0]}`, undefined, 404);
    const { rows } = await api.test.owner.query('SELECT signing_secret FROM webhooks WHERE id = $1', [made[0]]);
    expect(rows).toEqual([{ signing_secret: Buffer.alloc(0) }]);
    made.push((await create()).id);
    for (const id of made.slice(1)) await remove(id);
  });

  it('belongs to its repository: another one of the same tenant has no such webhook', async () => {
    const { id } = await create();
    for (const [method, path] of [
      ['GET', ''],
      ['PATCH', ''],
      ['DELETE', ''],
      ['POST', '/test'],
      ['POST', '/rotate'],
      ['GET', '/deliveries'],
    ] as const)
      await call(method, `/v1/repositories/other/webhooks/${id}${path}`, method === 'PATCH' || path === '/rotate' ? {} : undefined, 404);
    await remove(id);
  });

  it('is not changed by whoever may only read, and is audited by whom it was changed', async () => {
    const { id } = await create();
    const { rows: tenants } = await api.test.owner.query<{ tenant_id: string }>('SELECT tenant_id FROM webhooks WHERE id = $1', [id]);
    const webhooks = new Webhooks(api.test.database, KeyRing.parse(`k1:${randomBytes(32).toString('base64')}`));
    const reader = machineActor(tenants[0]!.tenant_id, 'reader', ['repositories:read'], { requestId: newId() });
    const changer = machineActor(tenants[0]!.tenant_id, 'changer', tenantPermissions, { requestId: newId() });
    expect((await webhooks.get(reader, 'acme', id)).id).toBe(id);
    for (const refused of [
      webhooks.create(reader, 'acme', { url: 'https://example.com', description: '', events: null, enabled: true }),
      webhooks.update(reader, 'acme', id, { enabled: false }),
      webhooks.rotate(reader, 'acme', id, { overlapSeconds: 0 }),
      webhooks.delete(reader, 'acme', id),
    ])
      await expect(refused).rejects.toMatchObject({ type: 'forbidden' });
    await webhooks.update(changer, 'acme', id, { url: 'https://example.com/new?token=hunter2' });
    await webhooks.rotate(changer, 'acme', id, { overlapSeconds: 0 });
    await webhooks.delete(changer, 'acme', id);
    const { rows } = await api.test.owner.query(
      `SELECT action, details FROM audit_events WHERE target_id = $1 AND actor_id = 'changer' ORDER BY id`,
      [id],
    );
    expect(rows).toEqual([
      { action: 'webhook.updated', details: { changed: ['url'], url: 'https://example.com/new' } },
      { action: 'webhook.rotated', details: { overlapSeconds: 0 } },
      { action: 'webhook.deleted', details: { url: 'https://example.com/new' } },
    ]);
  });
});

describe('the rotation of a signing secret', () => {
  const secretsOf = async (id: string) => {
    const { rows } = await api.test.owner.query<Record<string, Buffer & string & Date>>('SELECT * FROM webhooks WHERE id = $1', [id]);
    const { encryption_key_id, signing_secret, previous_encryption_key_id, previous_signing_secret, previous_secret_ends_at } = rows[0]!;
    const open = (keyId: string, sealed: Buffer) => api.config.KEY_ENCRYPTION_KEYS.open(keyId, sealed).toString();
    return {
      present: open(encryption_key_id!, signing_secret!),
      previous: previous_signing_secret && open(previous_encryption_key_id!, previous_signing_secret),
      endsAt: previous_secret_ends_at?.toISOString() ?? null,
    };
  };

  it('keeps the earlier one for a day unless said otherwise, and never more than two', async () => {
    const first = await create();
    const second = await call<{ signingSecret: string; previousSecretEndsAt: string }>('POST', `${hooks}/${first.id}/rotate`, {});
    expect(Date.parse(second.previousSecretEndsAt) - Date.now()).toBeGreaterThan(86_000_000);
    expect(await secretsOf(first.id)).toEqual({
      present: second.signingSecret,
      previous: first.signingSecret,
      endsAt: second.previousSecretEndsAt,
    });
    expect(await call('GET', `${hooks}/${first.id}`)).toMatchObject({ previousSecretEndsAt: second.previousSecretEndsAt });
    const third = await call<{ signingSecret: string }>('POST', `${hooks}/${first.id}/rotate`, { overlapSeconds: 60 });
    expect(await secretsOf(first.id)).toMatchObject({ present: third.signingSecret, previous: second.signingSecret });
    await remove(first.id);
  });

  it('ends the earlier one at once when asked to', async () => {
    const { id } = await create();
    await call('POST', `${hooks}/${id}/rotate`, {});
    const last = await call<{ signingSecret: string }>('POST', `${hooks}/${id}/rotate`, { overlapSeconds: 0 });
    expect(last).toMatchObject({ previousSecretEndsAt: null });
    expect(await secretsOf(id)).toEqual({ present: last.signingSecret, previous: null, endsAt: null });
    await remove(id);
  });
});

describe('the deliveries of a webhook', () => {
  it('begin with a test, which is sent like any event and to no other webhook', async () => {
    const [{ id }, bystander] = [await create({ events: ['client.created'] }), await create()];
    const test = await call<DeliveryView>('POST', `${hooks}/${id}/test`);
    expect(test).toMatchObject({ event: 'webhook.test', status: 'pending', attempts: 0, log: [], payload: { data: { webhookId: id } } });
    expect(await jobsOf(test.id)).toEqual([{ tenantId: expect.any(String), webhookId: id, deliveryId: test.id, round: 0 }]);
    expect((await deliveriesOf(id)).items).toEqual([test]);
    expect((await deliveriesOf(bystander.id)).items).toEqual([]);
    for (const each of [id, bystander.id]) await remove(each);
  });

  it('are what the webhook asked for, of its repository, the latest first, page by page and by status', async () => {
    const { id } = await create({ events: ['client.created', 'client.deleted'] });
    for (let count = 0; count < 5; count += 1)
      await call('POST', '/v1/repositories/acme/clients', { kind: 'app', name: `App ${count}` }, 201);
    await call('POST', '/v1/repositories/acme/users', { loginName: `u${newId()}` }, 201);
    await call('POST', '/v1/repositories/other/clients', { kind: 'app', name: 'Elsewhere' }, 201);
    const all = (await deliveriesOf(id)).items;
    expect(all.map(({ event }) => event)).toEqual(Array.from({ length: 5 }, () => 'client.created'));
    expect(all.map((delivery) => delivery.id)).toEqual(
      all
        .map((delivery) => delivery.id)
        .toSorted()
        .toReversed(),
    );

    const seen: string[] = [];
    for (let after: string | null = ''; after !== null;) {
      const page: Page<DeliveryView> = await deliveriesOf(id, `?limit=2${after && `&after=${after}`}`);
      seen.push(...page.items.map((delivery) => delivery.id));
      after = page.next;
    }
    expect(seen).toEqual(all.map((delivery) => delivery.id));

    await api.test.owner.query('UPDATE webhook_deliveries SET delivered_at = now() WHERE id = $1', [all[0]!.id]);
    await api.test.owner.query('UPDATE webhook_deliveries SET failed_at = now() WHERE id = $1', [all[1]!.id]);
    const idsOf = async (status: string) => (await deliveriesOf(id, `?status=${status}`)).items.map((delivery) => delivery.id);
    expect(await idsOf('delivered')).toEqual([all[0]!.id]);
    expect(await idsOf('failed')).toEqual([all[1]!.id]);
    expect(await idsOf('pending')).toHaveLength(3);
    for (const query of ['?status=gone', '?limit=0', '?after=nonsense', '?colour=red'])
      await call('GET', `${hooks}/${id}/deliveries${query}`, undefined, 400);
    await remove(id);
  });

  it('can be sent again by hand, whatever became of them, each time in a round of its own', async () => {
    const { id } = await create();
    const { id: deliveryId } = await call<DeliveryView>('POST', `${hooks}/${id}/test`);
    const again = `${hooks}/${id}/deliveries/${deliveryId}/redeliver`;
    for (const column of ['failed_at', 'delivered_at']) {
      await api.test.owner.query(`UPDATE webhook_deliveries SET ${column} = now(), attempts = 15 WHERE id = $1`, [deliveryId]);
      expect(await call('POST', again)).toMatchObject({ id: deliveryId, status: 'pending', attempts: 0 });
    }
    await call('POST', again);
    expect((await jobsOf(deliveryId)).map((job) => (job as { round: number }).round)).toEqual([0, 1, 2, 3]);
    await call('POST', `${hooks}/${id}/deliveries/${newId()}/redeliver`, undefined, 404);
    const { id: otherHook } = await create();
    await call('POST', `${hooks}/${otherHook}/deliveries/${deliveryId}/redeliver`, undefined, 404);
    await call('PATCH', `${hooks}/${id}`, { enabled: false });
    await call('POST', again, undefined, 409);
    for (const each of [id, otherHook]) await remove(each);
  });

  it('say of a cut-off to whom it was announced and whether they know', async () => {
    const [done, failed, waiting] = [await create(), await create({ url: 'https://example.com/b' }), await create()];
    await call('PATCH', '/v1/tenant', { webhook: { url: 'https://example.com/wide?password=hidden' } });
    const { toolClient } = await call<{ toolClient: { clientId: string } }>('GET', '/v1/repositories/acme');
    const { cutoff } = await call<{ cutoff: { id: string } }>(
      'POST',
      `/v1/repositories/acme/clients/${toolClient.clientId}/secrets/regenerate`,
      {},
    );
    const set = (id: string, assignment: string) =>
      api.test.owner.query(`UPDATE webhook_deliveries SET ${assignment} WHERE webhook_id = $1`, [id]);
    await set(done.id, `delivered_at = created_at + interval '42 milliseconds'`);
    await set(failed.id, 'failed_at = now()');
    const { rows } = await api.test.owner.query<{ tenant_id: string; repository_id: string }>('SELECT * FROM webhooks WHERE id = $1', [
      done.id,
    ]);
    const [tenantId, repositoryId] = [rows[0]!.tenant_id, rows[0]!.repository_id];
    for (const scope of [{ tenantId }, { tenantId, repositoryId }]) {
      const found = await api.test.database.read(scope, (tx) => propagationOf(tx, [newId(), cutoff.id]));
      const propagation = found.get(cutoff.id) ?? [];
      expect([...found.values()].map(({ length }) => length)).toEqual([0, 4]);
      expect(propagation.map(({ target, state, afterMillis }) => ({ target, state, afterMillis }))).toEqual(
        expect.arrayContaining([
          { target: 'https://example.com/hook', state: 'done', afterMillis: 42 },
          { target: 'https://example.com/b', state: 'failed', afterMillis: undefined },
          { target: 'https://example.com/hook', state: 'retrying', afterMillis: undefined },
          { target: 'https://example.com/wide', state: 'retrying', afterMillis: undefined },
        ]),
      );
    }
    expect(await api.test.database.read({ tenantId: newId() }, (tx) => propagationOf(tx, [cutoff.id]))).toEqual(new Map([[cutoff.id, []]]));
    await call('PATCH', '/v1/tenant', { webhook: null });
    for (const each of [done, failed, waiting]) await remove(each.id);
  });

  it('are found by index: a page, a status, a cut-off and what is old', async () => {
    const plans: [string, string][] = [
      [`tenant_id = current_tenant() AND webhook_id = '${newId()}' ORDER BY id DESC LIMIT 51`, 'webhook_deliveries_pkey'],
      [
        `tenant_id = current_tenant() AND webhook_id = '${newId()}' AND status = 'failed' ORDER BY id DESC LIMIT 51`,
        'webhook_deliveries_status',
      ],
      [`tenant_id = current_tenant() AND cutoff_id = '${newId()}'`, 'webhook_deliveries_cutoff'],
    ];
    for (const [where, index] of plans) {
      const plan = await api.test.database.read({ tenantId: newId() }, async (tx) => {
        await tx.query('SET LOCAL enable_seqscan = off');
        return JSON.stringify(await tx.query(`EXPLAIN SELECT * FROM webhook_deliveries WHERE ${where}`));
      });
      expect(plan).toContain(index);
      expect(plan).not.toContain('Sort');
    }
    const old = await api.test.database.read('system', async (tx) => {
      await tx.query('SET LOCAL enable_seqscan = off');
      return JSON.stringify(
        await tx.query(`EXPLAIN SELECT FROM webhook_deliveries WHERE created_at < now() - interval '90 days' LIMIT 1000`),
      );
    });
    expect(old).toContain('webhook_deliveries_age');
  });
});

describe('the webhook of the tenant', () => {
  it('is one, also when two set it at once, belongs to no repository, and its removal forgets its secret', async () => {
    const answers = await Promise.all(
      [1, 2].map((n) => api.tenant.call('PATCH', '/v1/tenant', { webhook: { url: `https://example.com/${n}` } })),
    );
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    const { rows } = await api.test.owner.query<{ id: string }>(
      'SELECT id FROM webhooks WHERE repository_id IS NULL AND deleted_at IS NULL',
    );
    expect(rows).toHaveLength(1);
    expect(await call('GET', hooks)).toMatchObject({ items: [] });
    await call('GET', `${hooks}/${rows[0]!.id}`, undefined, 404);
    await call('PATCH', '/v1/tenant', { webhook: null });
    const { rows: kept } = await api.test.owner.query('SELECT DISTINCT signing_secret FROM webhooks WHERE repository_id IS NULL');
    expect(kept).toEqual([{ signing_secret: Buffer.alloc(0) }]);
  });
});
