import { createTestDatabase, type TestDatabase } from '@latchkey/database/testing';
import { newId, type Scope } from '@latchkey/database';
import pg from 'pg';
import { announce } from './announce.js';
import type { JobData } from './catalogue.js';
import { sendMail } from './mail.js';
import { enqueue } from './outbox.js';

let test: TestDatabase;

beforeAll(async () => {
  test = await createTestDatabase();
});
afterAll(() => test.drop());

async function createTenant(): Promise<string> {
  const id = newId();
  await test.owner.query(`INSERT INTO tenants (id, name) VALUES ($1, 'Acme')`, [id]);
  return id;
}

/** Adds a webhook: of the whole tenant if no repository is named, for every event if none are. */
async function createWebhook(
  tenantId: string,
  more: { repositoryId?: string; events?: string[]; disabled?: boolean; deleted?: boolean } = {},
) {
  const id = newId();
  await test.owner.query(
    `INSERT INTO webhooks (tenant_id, id, repository_id, url, events, signing_secret, encryption_key_id, disabled_at, deleted_at)
     VALUES ($1, $2, $3, 'https://example.com/hook', $4, '\\x00', 'k', CASE WHEN $5 THEN now() END, CASE WHEN $6 THEN now() END)`,
    [tenantId, id, more.repositoryId ?? null, more.events ?? null, more.disabled ?? false, more.deleted ?? false],
  );
  return id;
}

const job = (tenantId: string) => ({ tenantId, webhookId: newId(), deliveryId: newId(), round: 0 });

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
    const data = job(tenantId);
    const id = await test.database.transaction({ tenantId }, (tx) => enqueue(tx, tenantId, 'webhook.deliver', data));
    await heard;
    await listener.end();
    expect(await outboxOf(tenantId)).toEqual([{ id, name: 'webhook.deliver', data }]);
  });

  it('keeps nothing when the transaction fails', async () => {
    const tenantId = await createTenant();
    const work = test.database.transaction({ tenantId }, async (tx) => {
      await enqueue(tx, tenantId, 'webhook.deliver', job(tenantId));
      throw new Error('changed my mind');
    });
    await expect(work).rejects.toThrow('changed my mind');
    expect(await outboxOf(tenantId)).toEqual([]);
  });

  it('refuses data that the job does not take', async () => {
    const tenantId = await createTenant();
    const data = { ...job(tenantId), secret: 'hunter2' } as JobData<'webhook.deliver'>;
    await expect(test.database.transaction({ tenantId }, (tx) => enqueue(tx, tenantId, 'webhook.deliver', data))).rejects.toThrow('secret');
  });

  it('refuses a job for another tenant, and shows nobody what waits', async () => {
    const [mine, theirs] = [await createTenant(), await createTenant()];
    await expect(
      test.database.transaction({ tenantId: mine }, (tx) => enqueue(tx, theirs, 'webhook.deliver', job(theirs))),
    ).rejects.toThrow('row-level security');
    await expect(test.database.read({ tenantId: mine }, (tx) => tx.query('SELECT * FROM outbox'))).rejects.toThrow('permission denied');
  });
});

describe('an announcement', () => {
  const announceIn = (scope: Scope, tenantId: string, data = event()) =>
    test.database.transaction(scope, (tx) => announce(tx, tenantId, 'repository.created', data));

  async function toldOf(eventId: string | undefined): Promise<string[]> {
    const { rows } = await test.owner.query<{ webhook_id: string }>('SELECT webhook_id FROM webhook_deliveries WHERE id = $1', [eventId]);
    return rows.map((row) => row.webhook_id).toSorted();
  }

  it('becomes a delivery and its job in the same transaction, in any scope that holds tenant and repository', async () => {
    const tenantId = await createTenant();
    const webhookId = await createWebhook(tenantId);
    const data = event();
    for (const scope of ['system' as const, { tenantId }, { tenantId, repositoryId: data.repositoryId }]) {
      const id = await announceIn(scope, tenantId, data);
      const { rows } = await test.owner.query(
        'SELECT webhook_id, repository_id, event, payload, status FROM webhook_deliveries WHERE id = $1',
        [id],
      );
      expect(rows).toEqual([
        {
          webhook_id: webhookId,
          repository_id: data.repositoryId,
          event: 'repository.created',
          payload: { type: 'repository.created', timestamp: expect.stringMatching(/^\d{4}-.*Z$/), data },
          status: 'pending',
        },
      ]);
      const job = { tenantId, webhookId, deliveryId: id, round: 0 };
      expect(await outboxOf(tenantId)).toContainEqual({ id: expect.anything(), name: 'webhook.deliver', data: job });
    }
  });

  it('goes to every webhook of the tenant and of the repository that is enabled and wants it, and to no other', async () => {
    const [tenantId, stranger] = [await createTenant(), await createTenant()];
    const data = event();
    const { repositoryId } = data;
    const wanting = [
      await createWebhook(tenantId),
      await createWebhook(tenantId, { repositoryId }),
      await createWebhook(tenantId, { repositoryId, events: ['client.created', 'repository.created'] }),
    ];
    await createWebhook(tenantId, { repositoryId, events: ['client.created'] });
    await createWebhook(tenantId, { repositoryId, disabled: true });
    await createWebhook(tenantId, { repositoryId, deleted: true });
    await createWebhook(tenantId, { repositoryId: newId() });
    await createWebhook(stranger);
    await createWebhook(stranger, { repositoryId });
    for (const scope of ['system' as const, { tenantId }, { tenantId, repositoryId }]) {
      const id = await announceIn(scope, tenantId, data);
      expect(await toldOf(id)).toEqual(wanting.toSorted());
    }
    expect(await outboxOf(tenantId)).toHaveLength(9);
  });

  it('that belongs to no repository goes to the webhook of the tenant', async () => {
    const tenantId = await createTenant();
    const wide = await createWebhook(tenantId);
    await createWebhook(tenantId, { repositoryId: newId() });
    const data = { clientId: 'tenant_x', secretId: newId() };
    for (const scope of [{ tenantId }, { tenantId, repositoryId: newId() }]) {
      const id = await test.database.transaction(scope, (tx) => announce(tx, tenantId, 'tenant.credential.created', data));
      expect(await toldOf(id)).toEqual([wide]);
    }
  });

  it('for one webhook goes to it alone, whatever events it takes', async () => {
    const tenantId = await createTenant();
    const repositoryId = newId();
    const only = await createWebhook(tenantId, { repositoryId, events: ['client.created'] });
    await createWebhook(tenantId, { repositoryId });
    const id = await test.database.transaction({ tenantId, repositoryId }, (tx) =>
      announce(tx, tenantId, 'webhook.test', { repositoryId, webhookId: only }, { onlyTo: only }),
    );
    expect(await toldOf(id)).toEqual([only]);
  });

  it('is not made when no webhook wants it', async () => {
    const tenantId = await createTenant();
    expect(await announceIn({ tenantId }, tenantId)).toBeUndefined();
    expect(await outboxOf(tenantId)).toEqual([]);
  });

  it('is refused outside the tenant or the repository, instead of being lost', async () => {
    const [mine, theirs] = [await createTenant(), await createTenant()];
    await createWebhook(mine);
    await createWebhook(theirs);
    for (const scope of [{ tenantId: mine }, { repositoryId: newId() }, { tenantId: theirs, repositoryId: newId() }])
      await expect(announceIn(scope, theirs)).rejects.toThrow(/not in the scope|row-level security/);
    expect(await outboxOf(theirs)).toEqual([]);
  });

  it('carries nothing that the event does not have', async () => {
    const tenantId = await createTenant();
    await createWebhook(tenantId);
    await expect(announceIn({ tenantId }, tenantId, { ...event(), secret: 'hunter2' } as never)).rejects.toThrow('secret');
    expect(await outboxOf(tenantId)).toEqual([]);
  });
});

describe('a mail', () => {
  const data = { url: 'https://example.com/hook', repository: 'acme', because: 'gone' as const, failingSince: '2026-01-01T00:00:00.000Z' };

  it('is kept with its job when the transaction commits', async () => {
    const tenantId = await createTenant();
    const mailId = await test.database.transaction({ tenantId }, (tx) => sendMail(tx, tenantId, 'webhook.disabled', data));
    const { rows } = await test.owner.query('SELECT template, data, sent_at FROM mails WHERE tenant_id = $1', [tenantId]);
    expect(rows).toEqual([{ template: 'webhook.disabled', data, sent_at: null }]);
    expect(await outboxOf(tenantId)).toEqual([{ id: expect.anything(), name: 'mail.send', data: { tenantId, mailId } }]);
  });

  it('is refused outside the tenant, and with data that its template does not take', async () => {
    const [mine, theirs] = [await createTenant(), await createTenant()];
    await expect(test.database.transaction({ tenantId: mine }, (tx) => sendMail(tx, theirs, 'webhook.disabled', data))).rejects.toThrow(
      'row-level security',
    );
    const secretive = { ...data, secret: 'hunter2' } as typeof data;
    await expect(test.database.transaction({ tenantId: mine }, (tx) => sendMail(tx, mine, 'webhook.disabled', secretive))).rejects.toThrow(
      'secret',
    );
    expect(await outboxOf(mine)).toEqual([]);
  });
});
