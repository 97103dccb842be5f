import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { randomBytes } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { KeyRing } from '@latchkey/credentials';
import { Mail, newId, Webhook, WebhookDelivery } from '@latchkey/database';
import { createTestDatabase, type TestDatabase } from '@latchkey/database/testing';
import { announce, type JobData } from '@latchkey/jobs';
import { migrateQueue } from '@latchkey/jobs/migrate';
import { startWorker, type JobQueue, type RunningWorker } from '@latchkey/jobs/worker';
import { createLogger } from '@latchkey/runtime';
import { Webhook as Verifier } from 'standardwebhooks';
import { deliverWebhook } from './deliver-webhook.js';
import { recoverJobs } from './recover-jobs.js';

const encryption = KeyRing.parse(`k1:${randomBytes(32).toString('base64')}`);
const secret = `whsec_${randomBytes(32).toString('base64')}`;
const run = { id: newId(), lastAttempt: false, signal: new AbortController().signal };

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

type Delivery = JobData<'webhook.deliver'>;

async function createWebhook(url = receiverUrl): Promise<{ tenantId: string; webhookId: string }> {
  const [tenantId, webhookId] = [newId(), newId()];
  const { keyId, sealed } = encryption.seal(Buffer.from(secret));
  await test.owner.query(`INSERT INTO tenants (id, name) VALUES ($1, 'Acme')`, [tenantId]);
  await test.owner.query('INSERT INTO webhooks (tenant_id, id, url, signing_secret, encryption_key_id) VALUES ($1, $2, $3, $4, $5)', [
    tenantId,
    webhookId,
    url,
    sealed,
    keyId,
  ]);
  return { tenantId, webhookId };
}

const event = { repositoryId: newId(), slug: 'acme' };

async function announceTo({ tenantId, webhookId }: { tenantId: string; webhookId: string }): Promise<Delivery> {
  const deliveryId = await test.database.transaction({ tenantId }, (tx) => announce(tx, tenantId, 'repository.created', event));
  return { tenantId, webhookId, deliveryId: deliveryId!, round: 0 };
}

const createDelivery = async (url?: string) => announceTo(await createWebhook(url));

const deliver = (allowPrivateAddresses = true) => deliverWebhook({ database: test.database, encryption, allowPrivateAddresses });

const deliveryOf = ({ tenantId, webhookId, deliveryId }: Delivery) =>
  test.database.read({ tenantId }, (tx) => tx.findOneByOrFail(WebhookDelivery, { tenantId, webhookId, id: deliveryId }));

async function stateOf(which: Delivery) {
  const { attempts, status, log } = await deliveryOf(which);
  return { attempts, status, lastError: log.at(-1)?.error ?? null };
}

const webhookOf = ({ tenantId, webhookId }: { tenantId: string; webhookId: string }) =>
  test.database.read({ tenantId }, (tx) => tx.findOneByOrFail(Webhook, { tenantId, id: webhookId }));

const change = ({ tenantId, webhookId }: { tenantId: string; webhookId: string }, assignments: string, values: unknown[] = []) =>
  test.owner.query(`UPDATE webhooks SET ${assignments} WHERE tenant_id = $1 AND id = $2`, [tenantId, webhookId, ...values]);

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
    expect(await stateOf(delivery)).toEqual({ attempts: 1, status: 'delivered', lastError: null });
  });

  it('carries a secret that was sealed for its receiver, signed with the rest, in every attempt until it was taken', async () => {
    const delivery = await createDelivery();
    const sealed = () =>
      test.owner.query<{ secret: string | null }>('SELECT sealed_secret AS secret FROM webhook_deliveries WHERE id = $1', [
        delivery.deliveryId,
      ]);
    await test.owner.query(`UPDATE webhook_deliveries SET sealed_secret = 'a.b.c.d.e' WHERE id = $1`, [delivery.deliveryId]);
    answers = [500, 204, 204];
    await expect(deliver()(delivery, run)).rejects.toThrow('500');
    expect((await sealed()).rows).toEqual([{ secret: 'a.b.c.d.e' }]);
    await deliver()(delivery, run);
    for (const { headers, body } of received)
      expect(new Verifier(secret).verify(body, headers as Record<string, string>)).toMatchObject({
        data: { ...event, secret: 'a.b.c.d.e' },
      });
    expect([received.length, (await sealed()).rows]).toEqual([2, [{ secret: null }]]);
    // Sent again by hand it tells that there is a new secret, and no more which.
    await test.owner.query('UPDATE webhook_deliveries SET round = 1, delivered_at = NULL WHERE id = $1', [delivery.deliveryId]);
    await deliver()({ ...delivery, round: 1 }, run);
    expect(JSON.parse(received[2]!.body)).toMatchObject({ data: event });
    expect(received[2]!.body).not.toContain('secret');
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
    expect(await stateOf(delivery)).toEqual({ attempts: 1, status: 'pending', lastError: 'The receiver answered 500' });
    await deliver()(delivery, run);
    expect(await stateOf(delivery)).toEqual({ attempts: 2, status: 'delivered', lastError: null });
    expect(new Set(received.map(({ headers }) => headers['webhook-id']))).toEqual(new Set([delivery.deliveryId]));
    expect(received[0]!.body).toBe(received[1]!.body);
  });

  it('is given up after the last attempt, and not sent any more', async () => {
    answers = [503];
    const delivery = await createDelivery();
    await expect(deliver()(delivery, { ...run, lastAttempt: true })).rejects.toThrow('503');
    await deliver()(delivery, run);
    expect(received).toHaveLength(1);
    expect(await stateOf(delivery)).toEqual({ attempts: 1, status: 'failed', lastError: 'The receiver answered 503' });
  });

  it('does not reach an address inside unless that was allowed', async () => {
    const delivery = await createDelivery();
    await expect(deliver(false)(delivery, run)).rejects.toThrow('not public');
    expect(received).toEqual([]);
    expect(await stateOf(delivery)).toMatchObject({ attempts: 1, status: 'pending' });
  });

  it('is logged with time, status and duration, attempt by attempt', async () => {
    answers = [500, 200];
    const delivery = await createDelivery();
    await expect(deliver()(delivery, run)).rejects.toThrow();
    await deliver()(delivery, run);
    const [at, durationMillis] = [expect.stringMatching(/^\d{4}-.*Z$/), expect.any(Number)];
    expect((await deliveryOf(delivery)).log).toEqual([
      { at, statusCode: 500, durationMillis, error: 'The receiver answered 500' },
      { at, statusCode: 200, durationMillis, error: null },
    ]);
  });

  it('keeps the latest attempts in its log, however many there are', async () => {
    const delivery = await createDelivery();
    await test.owner.query(`UPDATE webhook_deliveries SET log = (SELECT jsonb_agg(n) FROM generate_series(1, 30) n) WHERE id = $1`, [
      delivery.deliveryId,
    ]);
    await deliver()(delivery, run);
    const { log } = await deliveryOf(delivery);
    expect(log).toHaveLength(30);
    expect([log[0], log.at(-1)]).toEqual([2, expect.objectContaining({ statusCode: 204 })]);
  });

  it('is signed with both secrets while a rotation overlaps, and with the new one alone afterwards', async () => {
    const webhook = await createWebhook();
    const next = `whsec_${randomBytes(32).toString('base64')}`;
    const { keyId, sealed } = encryption.seal(Buffer.from(next));
    await change(
      webhook,
      `previous_signing_secret = signing_secret, previous_encryption_key_id = encryption_key_id,
       previous_secret_ends_at = now() + interval '1 minute', signing_secret = $3, encryption_key_id = $4`,
      [sealed, keyId],
    );
    await deliver()(await announceTo(webhook), run);
    await change(webhook, 'previous_secret_ends_at = now()');
    await deliver()(await announceTo(webhook), run);
    const verifies = (which: string, { body, headers }: (typeof received)[0]) => {
      try {
        return Boolean(new Verifier(which).verify(body, headers as Record<string, string>));
      } catch {
        return false;
      }
    };
    expect(received.map((each) => [verifies(next, each), verifies(secret, each)])).toEqual([
      [true, true],
      [true, false],
    ]);
  });

  it.each([
    ['the webhook was removed', 'deleted_at = now(), signing_secret = $3', [Buffer.alloc(0)], 'The webhook was removed'],
    ['the webhook is disabled', `disabled_at = now(), disabled_because = 'asked'`, [], 'The webhook is disabled'],
  ])('is given up without an attempt when %s', async (_, assignments, values, lastError) => {
    const delivery = await createDelivery();
    await change(delivery, assignments, values);
    await deliver()(delivery, run);
    expect(received).toEqual([]);
    expect(await stateOf(delivery)).toEqual({ attempts: 0, status: 'failed', lastError });
  });

  it('is left to the later job once it was begun anew by hand', async () => {
    const delivery = await createDelivery();
    await test.owner.query('UPDATE webhook_deliveries SET round = 1 WHERE id = $1', [delivery.deliveryId]);
    await deliver()(delivery, run);
    expect(received).toEqual([]);
    await deliver()({ ...delivery, round: 1 }, run);
    expect(received).toHaveLength(1);
  });

  it('is nothing to another tenant', async () => {
    const delivery = await createDelivery();
    await deliver()({ ...delivery, ...(await createWebhook()) }, run);
    await deliver()({ ...delivery, tenantId: (await createWebhook()).tenantId }, run);
    expect(received).toEqual([]);
  });
});

describe('a webhook that fails', () => {
  const mailsOf = ({ tenantId }: { tenantId: string }) => test.database.read({ tenantId }, (tx) => tx.findBy(Mail, { tenantId }));
  const fail = async (webhook: { tenantId: string; webhookId: string }, status = 500) => {
    answers = [status];
    const delivery = await announceTo(webhook);
    await deliver()(delivery, run).catch(() => undefined);
    return delivery;
  };

  it('goes on being tried for days, and one success makes good for all failures', async () => {
    const webhook = await createWebhook();
    await fail(webhook);
    const { failingSince } = await webhookOf(webhook);
    expect(failingSince).not.toBeNull();
    await fail(webhook);
    expect((await webhookOf(webhook)).failingSince).toEqual(failingSince);
    await change(webhook, `failing_since = now() - interval '119 hours'`);
    await fail(webhook);
    expect(await webhookOf(webhook)).toMatchObject({ disabledAt: null });
    await deliver()(await announceTo(webhook), run);
    expect(await webhookOf(webhook)).toMatchObject({ failingSince: null, disabledAt: null });
    expect(await mailsOf(webhook)).toEqual([]);
  });

  it('is disabled after five days of nothing else, with an audit row and one mail to the owners', async () => {
    const webhook = await createWebhook(`${receiverUrl}?password=hidden`);
    await fail(webhook);
    await change(webhook, `failing_since = now() - interval '121 hours'`);
    const [one, two] = [await announceTo(webhook), await announceTo(webhook)];
    answers = [500, 500];
    await Promise.allSettled([deliver()(one, run), deliver()(two, run)]);
    expect(await webhookOf(webhook)).toMatchObject({ disabledAt: expect.any(Date), disabledBecause: 'failing' });
    const { rows } = await test.owner.query('SELECT actor_kind, action, target_id FROM audit_events WHERE tenant_id = $1', [
      webhook.tenantId,
    ]);
    expect(rows).toEqual([{ actor_kind: 'system', action: 'webhook.disabled', target_id: webhook.webhookId }]);
    expect(await mailsOf(webhook)).toEqual([
      expect.objectContaining({
        template: 'webhook.disabled',
        data: { url: receiverUrl, repository: null, because: 'failing', failingSince: expect.any(String) },
      }),
    ]);
    await fail(webhook);
    expect(await mailsOf(webhook)).toHaveLength(1);
  });

  it('is disabled at once when it answers 410 Gone, and the event is not tried again', async () => {
    const webhook = await createWebhook();
    const delivery = await fail(webhook, 410);
    expect(await webhookOf(webhook)).toMatchObject({ disabledBecause: 'gone' });
    expect(await stateOf(delivery)).toEqual({ attempts: 1, status: 'failed', lastError: 'The receiver answered 410' });
    expect(await mailsOf(webhook)).toHaveLength(1);
  });

  it('is not blamed for what the stopping worker broke off', async () => {
    const webhook = await createWebhook();
    const delivery = await announceTo(webhook);
    await expect(deliver()(delivery, { id: newId(), lastAttempt: false, signal: AbortSignal.abort() })).rejects.toThrow(
      'the worker was stopping',
    );
    expect(await webhookOf(webhook)).toMatchObject({ failingSince: null });
    expect(await stateOf(delivery)).toMatchObject({ status: 'pending' });
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
        const nothing = async () => undefined;
        return {
          'webhook.deliver': deliver(),
          'webhook.recover': nothing,
          'mail.send': nothing,
          'logout.tell': nothing,
          'credentials.remind': nothing,
          'client-keys.fetch': nothing,
          'domains.look': nothing,
          'signing-keys.tend': nothing,
          'records.sweep': nothing,
        };
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
    await until(async () => (await stateOf(delivery)).status === 'delivered');
    expect(receivedOf(delivery.deliveryId)).toBe(1);
    const { rows } = await test.owner.query(`
      SELECT to_jsonb(d) FROM webhook_deliveries d UNION ALL SELECT to_jsonb(o) FROM outbox o UNION ALL SELECT to_jsonb(w) FROM webhooks w
      UNION ALL SELECT to_jsonb(j) FROM latchkey_queue.job j UNION ALL SELECT to_jsonb(e) FROM latchkey_queue.event e`);
    const written = JSON.stringify(rows);
    for (const form of [secret, secret.slice(6), Buffer.from(secret).toString('hex')]) expect(written).not.toContain(form);
  });

  it('is put back when the queue lost it, and is left alone while the queue holds it', async () => {
    const recover = recoverJobs({ database: test.database, queue, log: createLogger('worker-test', 'silent') });
    answers = [500];
    const delivery = await createDelivery();
    await until(async () => (await stateOf(delivery)).attempts === 1);
    const waiting = async () =>
      (await test.owner.query(`SELECT FROM outbox WHERE data->>'deliveryId' = $1 AND relayed_at IS NULL`, [delivery.deliveryId])).rowCount;
    // It may be delivered before the row that asked for it is marked.
    await until(async () => (await waiting()) === 0);

    await recover({}, run);
    expect(await waiting()).toBe(0);
    await test.owner.query(`DELETE FROM latchkey_queue.job WHERE data->>'deliveryId' = $1`, [delivery.deliveryId]);
    await recover({}, run);
    await until(async () => (await stateOf(delivery)).status === 'delivered');
    expect(receivedOf(delivery.deliveryId)).toBe(2);
  });
});
