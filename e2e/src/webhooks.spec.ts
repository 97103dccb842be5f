import { readdir, readFile } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type {
  CreatedWebhookView,
  DeliveryView,
  Page,
  ProvisionedRepositoryView,
  RotatedWebhookView,
  WebhookView,
} from '@latchkey/contracts';
import { Webhook } from 'standardwebhooks';
import type { RunningProduct } from './product.js';
import { sharedProductWithTenant } from './shared-product.js';
import { freshSlug, Tenant } from './tenant.js';

/** What a customer does with webhooks, from the first test event to the mail about a receiver that is gone. */
let product: RunningProduct;
let tenant: Tenant;
let acme: ProvisionedRepositoryView;
let receiver: Server;
let url: string;
let received: { headers: IncomingHttpHeaders; body: string }[] = [];
let answer = 204;

beforeAll(async () => {
  receiver = createServer((request, response) => {
    void text(request).then((body) => {
      received.push({ headers: request.headers, body });
      response.writeHead(answer).end();
    });
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`;
  product = await sharedProductWithTenant('Hooks');
  tenant = new Tenant(product.credential);
  acme = await tenant.createRepository(freshSlug('hooks'));
});
beforeEach(() => {
  received = [];
  answer = 204;
});
afterAll(async () => {
  receiver.closeAllConnections();
  receiver.close();
});

const hooks = () => `/v1/repositories/${acme.slug}/webhooks`;

async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  const response = await tenant.call(method, path, body);
  if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${await response.text()}`);
  return (await response.json()) as T;
}

const addWebhook = () => call<CreatedWebhookView>('POST', hooks(), { url });
const remove = (id: string) => tenant.call('DELETE', `${hooks()}/${id}`);

async function until(reached: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!(await reached())) {
    if (Date.now() > deadline) throw new Error('It did not come about within 20 seconds');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const isSignedWith = (secret: string, { headers, body }: (typeof received)[0]) => {
  try {
    return Boolean(new Webhook(secret).verify(body, headers as Record<string, string>));
  } catch {
    return false;
  }
};

const deliveryOf = async (webhookId: string, id: string) => {
  const { items } = await call<Page<DeliveryView>>('GET', `${hooks()}/${webhookId}/deliveries`);
  return items.find((delivery) => delivery.id === id)!;
};

describe('a webhook of a repository', () => {
  it('gets a test, and then what happens to a credential, signed and logged', async () => {
    const webhook = await addWebhook();
    const test = await call<DeliveryView>('POST', `${hooks()}/${webhook.id}/test`);
    await until(() => received.length === 1);
    expect(received[0]!.headers['webhook-id']).toBe(test.id);
    const { cutoff } = await tenant.regenerate(acme);
    await until(() => received.length === 2);
    expect(JSON.parse(received[1]!.body)).toMatchObject({
      type: 'client.secret.regenerated',
      data: { cutoffId: cutoff.id, plannedFor: null },
    });
    expect(received.map((each) => isSignedWith(webhook.signingSecret, each))).toEqual([true, true]);
    await until(async () => (await deliveryOf(webhook.id, test.id)).status === 'delivered');
    expect(await deliveryOf(webhook.id, test.id)).toMatchObject({ attempts: 1, log: [{ statusCode: 204, error: null }] });
    await remove(webhook.id);
  });

  it('changes its signing secret without a gap', async () => {
    const webhook = await addWebhook();
    const { signingSecret } = await call<RotatedWebhookView>('POST', `${hooks()}/${webhook.id}/rotate`, {});
    await call('POST', `${hooks()}/${webhook.id}/test`);
    await until(() => received.length === 1);
    expect([webhook.signingSecret, signingSecret].map((secret) => isSignedWith(secret, received[0]!))).toEqual([true, true]);
    await call('POST', `${hooks()}/${webhook.id}/rotate`, { overlapSeconds: 0 });
    await call('POST', `${hooks()}/${webhook.id}/test`);
    await until(() => received.length === 2);
    expect([webhook.signingSecret, signingSecret].map((secret) => isSignedWith(secret, received[1]!))).toEqual([false, false]);
    await remove(webhook.id);
  });

  it('gets again by hand what it missed, under the same id', async () => {
    const webhook = await addWebhook();
    answer = 500;
    const { id } = await call<DeliveryView>('POST', `${hooks()}/${webhook.id}/test`);
    await until(async () => (await deliveryOf(webhook.id, id)).log.length === 1);
    expect(await deliveryOf(webhook.id, id)).toMatchObject({ status: 'pending', log: [{ statusCode: 500 }] });
    answer = 204;
    await call('POST', `${hooks()}/${webhook.id}/deliveries/${id}/redeliver`);
    await until(async () => (await deliveryOf(webhook.id, id)).status === 'delivered');
    expect(new Set(received.map(({ headers }) => headers['webhook-id']))).toEqual(new Set([id]));
    await remove(webhook.id);
  });

  it('is disabled when its receiver is gone, and the owner finds a mail about it', async () => {
    const password = 'correct horse battery staple';
    const form = { login: 'wanda', name: 'Wanda Owner', email: 'wanda@hooks.example', password, again: password };
    const joined = await fetch(product.ownerLink, { method: 'POST', body: new URLSearchParams(form), redirect: 'manual' });
    expect(joined.status).toBeLessThan(400);
    const webhook = await addWebhook();
    answer = 410;
    await call('POST', `${hooks()}/${webhook.id}/test`);
    await until(async () => !(await call<WebhookView>('GET', `${hooks()}/${webhook.id}`)).enabled);
    const folder = join(product.dataDir, 'mail');
    const subject = `Subject: A webhook of ${acme.slug} was disabled`;
    const mails = async () => {
      const names = (await readdir(folder)).filter((name) => name.endsWith('.eml'));
      return Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')));
    };
    await until(async () => (await mails()).some((mail) => mail.includes(subject)));
    const [mail, ...more] = (await mails()).filter((each) => each.includes(subject));
    for (const part of ['wanda@hooks.example', '410 Gone', url, product.tenantApiUrl]) expect(mail).toContain(part);
    expect(more).toEqual([]);
    await tenant.regenerate(acme);
    expect(received).toHaveLength(1);
    await remove(webhook.id);
  });
});
