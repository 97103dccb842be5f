import { createTestDatabase, type TestDatabase } from '@latchkey/database/testing';
import { newId } from '@latchkey/database';
import pg from 'pg';
import { announce } from './announce.js';
import type { JobData } from './catalogue.js';
import { enqueue } from './outbox.js';

let test: TestDatabase;

beforeAll(async () => {
  test = await createTestDatabase();
});
afterAll(() => test.drop());

async function createTenant(webhook?: string): Promise<string> {
  const id = newId();
  await test.owner.query(`INSERT INTO tenants (id, name) VALUES ($1, 'Acme')`, [id]);
  if (webhook)
    await test.owner.query(`INSERT INTO webhooks (tenant_id, url, signing_secret, encryption_key_id) VALUES ($1, $2, '\\x00', 'k')`, [
      id,
      webhook,
    ]);
  return id;
}

async function outboxOf(tenantId: string) {
  const { rows } = await test.owner.query<{ id: string; name: string; data: unknown }>(
    'SELECT id, name, data FROM outbox WHERE tenant_id = $1',
    [tenantId],
  );
  return rows;
}

const event = () => ({ repositoryId: newId(), slug: 'acme' });

describe('the outbox', () => {
  it('keeps a job when the transaction commits, and announces it then', async () => {
    const tenantId = await createTenant();
    const listener = new pg.Client({ connectionString: test.url });
    await listener.connect();
    await listener.query('LISTEN outbox');
    const heard = new Promise<void>((resolve) => listener.once('notification', () => resolve()));
    const data = { tenantId, deliveryId: newId() };
    const id = await test.database.transaction({ tenantId }, (tx) => enqueue(tx, tenantId, 'webhook.deliver', data));
    await heard;
    await listener.end();
    expect(await outboxOf(tenantId)).toEqual([{ id, name: 'webhook.deliver', data }]);
  });

  it('keeps nothing when the transaction fails', async () => {
    const tenantId = await createTenant();
    const work = test.database.transaction({ tenantId }, async (tx) => {
      await enqueue(tx, tenantId, 'webhook.deliver', { tenantId, deliveryId: newId() });
      throw new Error('changed my mind');
    });
    await expect(work).rejects.toThrow('changed my mind');
    expect(await outboxOf(tenantId)).toEqual([]);
  });

  it('refuses data that the job does not take', async () => {
    const tenantId = await createTenant();
    const data = { tenantId, deliveryId: newId(), secret: 'hunter2' } as JobData<'webhook.deliver'>;
    await expect(test.database.transaction({ tenantId }, (tx) => enqueue(tx, tenantId, 'webhook.deliver', data))).rejects.toThrow('secret');
  });

  it('refuses a job for another tenant, and shows nobody what waits', async () => {
    const [mine, theirs] = [await createTenant(), await createTenant()];
    await expect(
      test.database.transaction({ tenantId: mine }, (tx) =>
        enqueue(tx, theirs, 'webhook.deliver', { tenantId: theirs, deliveryId: newId() }),
      ),
    ).rejects.toThrow('row-level security');
    await expect(test.database.read({ tenantId: mine }, (tx) => tx.query('SELECT * FROM outbox'))).rejects.toThrow('permission denied');
  });
});

describe('an announcement', () => {
  it('becomes a delivery and its job in the same transaction, in any scope that holds the tenant', async () => {
    const tenantId = await createTenant('https://example.com/hook');
    const data = event();
    for (const scope of ['system' as const, { tenantId }, { tenantId, repositoryId: data.repositoryId }]) {
      const deliveryId = await test.database.transaction(scope, (tx) => announce(tx, tenantId, 'repository.created', data));
      const { rows } = await test.owner.query('SELECT event, payload, attempts FROM webhook_deliveries WHERE id = $1', [deliveryId]);
      expect(rows).toEqual([
        {
          event: 'repository.created',
          payload: { type: 'repository.created', timestamp: expect.stringMatching(/^\d{4}-.*Z$/), data },
          attempts: 0,
        },
      ]);
      expect(await outboxOf(tenantId)).toContainEqual({ id: expect.anything(), name: 'webhook.deliver', data: { tenantId, deliveryId } });
    }
  });

  it('is not made for a tenant without a webhook', async () => {
    const tenantId = await createTenant();
    expect(await test.database.transaction({ tenantId }, (tx) => announce(tx, tenantId, 'repository.created', event()))).toBeUndefined();
    expect(await outboxOf(tenantId)).toEqual([]);
  });

  it('is refused outside the tenant, instead of being lost', async () => {
    const [mine, theirs] = [await createTenant('https://example.com/a'), await createTenant('https://example.com/b')];
    for (const scope of [{ tenantId: mine }, { repositoryId: newId() }]) {
      await expect(test.database.transaction(scope, (tx) => announce(tx, theirs, 'repository.created', event()))).rejects.toThrow(
        'not in the scope',
      );
    }
    expect(await outboxOf(theirs)).toEqual([]);
  });

  it('carries nothing that the event does not have', async () => {
    const tenantId = await createTenant('https://example.com/hook');
    const data = { ...event(), secret: 'hunter2' };
    await expect(test.database.transaction({ tenantId }, (tx) => announce(tx, tenantId, 'repository.created', data))).rejects.toThrow(
      'secret',
    );
    expect(await outboxOf(tenantId)).toEqual([]);
  });
});
