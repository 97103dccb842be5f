import { Redis } from 'ioredis';
import type { CreatedWebhookView, DeliveryView, UserView } from '@latchkey/contracts';
import { newId } from '@latchkey/database';
import { startApi, type RunningApi, type TestTenant } from './testing/running-api.js';

/** What reaches others at a tenant's word: anybody can sign up for a tenant. */
let api: RunningApi;

beforeEach(async () => {
  api = await startApi();
});
afterEach(() => api.close());

const invite = (tenant: TestTenant, email: string | undefined, headers?: Record<string, string>) =>
  tenant.call('POST', '/v1/invitations', { role: 'viewer', email }, headers);
const mailsOf = async ({ tenantId }: TestTenant) =>
  (await api.test.owner.query<{ n: number }>('SELECT count(*)::integer AS n FROM mails WHERE tenant_id = $1', [tenantId])).rows[0]?.n;

async function refusal(response: Response): Promise<{ type: string; detail: string; wait: number }> {
  const { type, detail } = (await response.json()) as { type: string; detail: string };
  return { type: type.slice(type.lastIndexOf('/') + 1), detail, wait: Number(response.headers.get('retry-after')) };
}

describe('the mails that a tenant can send to strangers', () => {
  it('are 100 in an hour, after which links without mail can be made still, and other tenants mail theirs', async () => {
    const sent: Response[] = [];
    // No more at once than a slow machine gives connections to in the five seconds that one waits for them; the limit is among the last.
    while (sent.length < 103) {
      const strangers = Array.from({ length: Math.min(12, 103 - sent.length) }, (_, n) => `stranger-${sent.length + n}@example.com`);
      sent.push(...(await Promise.all(strangers.map((email) => invite(api.tenant, email)))));
    }
    const refused = sent.filter(({ status }) => status !== 201);
    expect([sent.length - refused.length, refused.map(({ status }) => status)]).toEqual([100, [429, 429, 429]]);
    const { type, detail, wait } = await refusal(refused[0] as Response);
    expect([type, detail]).toEqual(['too-many-requests', expect.stringContaining('100 invitations in an hour')]);
    expect(wait > 3_000 && wait <= 3_600).toBe(true);
    expect(await mailsOf(api.tenant)).toBe(100);
    expect((await invite(api.tenant, undefined)).status).toBe(201);
    expect((await invite(api.stranger, 'stranger-0@example.com')).status).toBe(201);
  });

  it('are 5 in an hour to one address, however it is written and whatever invites it', async () => {
    await api.tenant.call('POST', '/v1/repositories', { slug: 'acme', name: 'Acme', environment: 'production' });
    const user = { loginName: 'anna', email: 'anna@example.com' };
    const { id } = (await (await api.tenant.call('POST', '/v1/repositories/acme/users', user)).json()) as UserView;
    const again = () => api.tenant.call('POST', `/v1/repositories/acme/users/${id}/invite`);
    const answers = [await again(), await again(), await again(), await invite(api.tenant, 'Anna@example.com')];
    answers.push(await invite(api.tenant, 'ANNA@example.com'), await invite(api.tenant, 'anna@example.com'), await again());
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 201, 201, 429, 429]);
    expect((await refusal(answers[6] as Response)).detail).toContain('to one address');
    expect((await invite(api.tenant, 'berta@example.com')).status).toBe(201);
  });

  it('count once that were sent once, by their Idempotency-Key', async () => {
    const headers = { 'idempotency-key': newId() };
    const statuses = [];
    for (let turn = 0; turn < 7; turn += 1) statuses.push((await invite(api.tenant, 'anna@example.com', headers)).status);
    expect(statuses).toEqual([201, 409, 409, 409, 409, 409, 409]);
    expect((await invite(api.tenant, 'anna@example.com')).status).toBe(201);
  });
});

describe('what a tenant can have sent to webhooks at once', () => {
  it('is 300 tests and redeliveries in an hour, at all its webhooks together', async () => {
    await api.tenant.call('POST', '/v1/repositories', { slug: 'acme', name: 'Acme', environment: 'production' });
    const hooks = '/v1/repositories/acme/webhooks';
    const make = async () =>
      (await (await api.tenant.call('POST', hooks, { url: 'https://example.com/hook' })).json()) as CreatedWebhookView;
    const [first, second] = [await make(), await make()];
    const test = (id: string) => api.tenant.call('POST', `${hooks}/${id}/test`);
    const { id: deliveryId } = (await (await test(first.id)).json()) as DeliveryView;
    for (let turn = 0; turn < 299; turn += 1) expect((await test(turn % 2 ? first.id : second.id)).status).toBe(200);
    const refused = [await test(first.id), await test(second.id)];
    refused.push(await api.tenant.call('POST', `${hooks}/${first.id}/deliveries/${deliveryId}/redeliver`));
    expect(refused.map(({ status }) => status)).toEqual([429, 429, 429]);
    const { type, detail, wait } = await refusal(refused[2] as Response);
    expect([type, detail, wait > 0]).toEqual(['too-many-requests', expect.stringContaining('300 times in an hour'), true]);
    const { rows } = await api.test.owner.query("SELECT FROM webhook_deliveries WHERE event = 'webhook.test'");
    expect(rows).toHaveLength(300);
  });
});

const redisUrl = process.env['REDIS_URL'];
if (!redisUrl) console.log('The count of mails in Redis was not tested: set REDIS_URL to a Redis server.');

(redisUrl ? it : it.skip)('is counted in the Redis of all nodes, where there is one', async () => {
  const node = await startApi({ limitsUrl: redisUrl ?? '' });
  const redis = new Redis(redisUrl ?? '');
  const left = { mails: 0, to: 0 };
  // What Redis does not count within 250 ms, as when this process stands still, the node counts by itself.
  for (let turn = 0; turn < 4 && left.to === 0; turn += 1) {
    expect((await invite(node.tenant, 'Anna@example.com')).status).toBe(201);
    left.mails = Number(await redis.get(`latchkey-mails:${node.tenant.tenantId}`));
    left.to = Number(await redis.get(`latchkey-mails-to:${node.tenant.tenantId} anna@example.com`));
  }
  expect(left).toEqual({ mails: 1, to: 1 });
  redis.disconnect();
  await node.close();
});
