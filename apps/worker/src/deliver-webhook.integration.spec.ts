import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { randomBytes } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { KeyRing } from '@latchkey/credentials';
import { newId, WebhookDelivery } from '@latchkey/database';
import { createTestDatabase, type TestDatabase } from '@latchkey/database/testing';
import { announce } from '@latchkey/jobs';
import { migrateQueue } from '@latchkey/jobs/migrate';
import { startWorker, type JobQueue, type RunningWorker } from '@latchkey/jobs/worker';
import { createLogger } from '@latchkey/runtime';
import { Webhook as Verifier } from 'standardwebhooks';
import { deliverWebhook } from './deliver-webhook.js';
import { recoverDeliveries } from './recover-deliveries.js';

const encryption = KeyRing.parse(`k1:${randomBytes(32).toString('base64')}`);
const secret = `whsec_${randomBytes(32).toString('base64')}`;
const run = { lastAttempt: false, signal: new AbortController().signal };

let test: TestDatabase;
let receiver: Server;
let receiverUrl: string;
let received: { headers: IncomingHttpHeaders; body: string }[] = [];
let answers: number[] = [];

beforeAll(async () => {
  test = await createTestDatabase();
  receiver = createServer((request, response) => {
    void text(request).then((body) => {
      received.push({ headers: request.headers, body });
      response.writeHead(answers.shift() ?? 204).end();
    });
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  receiverUrl = `http://localhost:${(receiver.address() as AddressInfo).port}/hook`;
});
beforeEach(() => {
  received = [];
  answers = [];
});
afterAll(async () => {
  receiver.close();
  receiver.closeAllConnections();
  await test.drop();
});

async function createTenant(url = receiverUrl): Promise<string> {
  const id = newId();
  const { keyId, sealed } = encryption.seal(Buffer.from(secret));
  await test.owner.query(`INSERT INTO tenants (id, name) VALUES ($1, 'Acme')`, [id]);
  await test.owner.query('INSERT INTO webhooks (tenant_id, url, signing_secret, encryption_key_id) VALUES ($1, $2, $3, $4)', [
    id,
    url,
    sealed,
    keyId,
  ]);
  return id;
}

const event = { repositoryId: newId(), slug: 'acme' };

async function createDelivery(url?: string): Promise<{ tenantId: string; deliveryId: string }> {
  const tenantId = await createTenant(url);
  const deliveryId = await test.database.transaction({ tenantId }, (tx) => announce(tx, tenantId, 'repository.created', event));
  return { tenantId, deliveryId: deliveryId! };
}

const deliver = (allowPrivateAddresses = true) => deliverWebhook({ database: test.database, encryption, allowPrivateAddresses });

async function stateOf({ tenantId, deliveryId }: { tenantId: string; deliveryId: string }) {
  const delivery = await test.database.read({ tenantId }, (tx) => tx.findOneByOrFail(WebhookDelivery, { tenantId, id: deliveryId }));
  return {
    attempts: delivery.attempts,
    delivered: delivery.deliveredAt !== null,
    failed: delivery.failedAt !== null,
    lastError: delivery.lastError,
  };
}

describe('the delivery of an event', () => {
  it('reaches the webhook once, signed so that Standard Webhooks accepts it', async () => {
    const delivery = await createDelivery();
    await deliver()(delivery, run);
    await deliver()(delivery, run);
    expect(received).toHaveLength(1);
    const [{ headers, body }] = received as [(typeof received)[0]];
    expect(new Verifier(secret).verify(body, headers as Record<string, string>)).toEqual({
      type: 'repository.created',
      timestamp: expect.any(String),
      data: event,
    });
    expect(headers['webhook-id']).toBe(delivery.deliveryId);
    expect(headers['content-type']).toBe('application/json');
    expect(await stateOf(delivery)).toEqual({ attempts: 1, delivered: true, failed: false, lastError: null });
  });

  it('is refused by a receiver that holds another secret', async () => {
    await deliver()(await createDelivery(), run);
    const [{ headers, body }] = received as [(typeof received)[0]];
    const other = new Verifier(`whsec_${randomBytes(32).toString('base64')}`);
    expect(() => other.verify(body, headers as Record<string, string>)).toThrow('No matching signature');
  });

  it('is tried again under the same id when the receiver fails, and then counts as delivered', async () => {
    answers = [500, 200];
    const delivery = await createDelivery();
    await expect(deliver()(delivery, run)).rejects.toThrow('The receiver answered 500');
    expect(await stateOf(delivery)).toEqual({ attempts: 1, delivered: false, failed: false, lastError: 'The receiver answered 500' });
    await deliver()(delivery, run);
    expect(await stateOf(delivery)).toEqual({ attempts: 2, delivered: true, failed: false, lastError: null });
    expect(new Set(received.map(({ headers }) => headers['webhook-id']))).toEqual(new Set([delivery.deliveryId]));
    expect(received[0]!.body).toBe(received[1]!.body);
  });

  it('is given up after the last attempt, and not sent any more', async () => {
    answers = [503];
    const delivery = await createDelivery();
    await expect(deliver()(delivery, { ...run, lastAttempt: true })).rejects.toThrow('503');
    await deliver()(delivery, run);
    expect(received).toHaveLength(1);
    expect(await stateOf(delivery)).toEqual({ attempts: 1, delivered: false, failed: true, lastError: 'The receiver answered 503' });
  });

  it('does not reach an address inside unless that was allowed', async () => {
    const delivery = await createDelivery();
    await expect(deliver(false)(delivery, run)).rejects.toThrow('not public');
    expect(received).toEqual([]);
    expect(await stateOf(delivery)).toMatchObject({ attempts: 1, delivered: false });
  });

  it('is given up without an attempt to retry when the tenant took its webhook away', async () => {
    const delivery = await createDelivery();
    await test.owner.query('DELETE FROM webhooks WHERE tenant_id = $1', [delivery.tenantId]);
    await deliver()(delivery, run);
    expect(await stateOf(delivery)).toMatchObject({ failed: true, lastError: 'The tenant has no webhook any more' });
  });

  it('is nothing to another tenant', async () => {
    const { deliveryId } = await createDelivery();
    await deliver()({ tenantId: await createTenant(), deliveryId }, run);
    expect(received).toEqual([]);
  });
});

describe('an event that a transaction announced', () => {
  let queue: JobQueue;
  let worker: RunningWorker;

  beforeAll(async () => {
    await migrateQueue(test.ownerUrl, test.url);
    // What the tests above announced shall not get in the way of what is counted here.
    await test.owner.query('TRUNCATE outbox');
    worker = await startWorker({
      database: test.database,
      databaseUrl: test.url,
      queue: { url: test.url, prefix: '' },
      handlers: (opened) => {
        queue = opened;
        return { 'webhook.deliver': deliver(), 'webhook.recover': async () => undefined, 'records.sweep': async () => undefined };
      },
      log: createLogger('worker-test', 'silent'),
    });
  });
  afterAll(() => worker.close());

  const until = async (reached: () => Promise<boolean>) => {
    while (!(await reached())) await new Promise((resolve) => setTimeout(resolve, 20));
  };
  const receivedOf = (deliveryId: string) => received.filter(({ headers }) => headers['webhook-id'] === deliveryId).length;

  it('goes through outbox and queue to the webhook, and leaves no secret behind', async () => {
    const delivery = await createDelivery();
    await until(async () => (await stateOf(delivery)).delivered);
    expect(receivedOf(delivery.deliveryId)).toBe(1);
    const { rows } = await test.owner.query(`
      SELECT to_jsonb(d) FROM webhook_deliveries d UNION ALL SELECT to_jsonb(o) FROM outbox o UNION ALL SELECT to_jsonb(w) FROM webhooks w
      UNION ALL SELECT to_jsonb(j) FROM latchkey_queue.job j UNION ALL SELECT to_jsonb(e) FROM latchkey_queue.event e`);
    const written = JSON.stringify(rows);
    for (const form of [secret, secret.slice(6), Buffer.from(secret).toString('hex')]) expect(written).not.toContain(form);
  });

  it('is put back when the queue lost it, and is left alone while the queue holds it', async () => {
    const recover = recoverDeliveries({ database: test.database, queue, log: createLogger('worker-test', 'silent') });
    answers = [500];
    const delivery = await createDelivery();
    await until(async () => (await stateOf(delivery)).attempts === 1);
    const waiting = async () =>
      (await test.owner.query(`SELECT FROM outbox WHERE data->>'deliveryId' = $1 AND relayed_at IS NULL`, [delivery.deliveryId])).rowCount;

    await recover({}, run);
    expect(await waiting()).toBe(0);
    await test.owner.query(`DELETE FROM latchkey_queue.job WHERE data->>'deliveryId' = $1`, [delivery.deliveryId]);
    await recover({}, run);
    await until(async () => (await stateOf(delivery)).delivered);
    expect(receivedOf(delivery.deliveryId)).toBe(2);
  });
});
