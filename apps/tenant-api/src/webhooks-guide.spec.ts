import { webhookEvents, type WebhookEvent } from '@latchkey/contracts';
import { Webhook } from 'standardwebhooks';
import { readGuide, startReceiver } from './testing/guide-receiver.js';

const guide = readGuide('webhooks.md');

describe('the guide to webhooks', () => {
  it('lists every event with its data, and no other', () => {
    const rows = [...guide.matchAll(/^\| `([\w.-]+)` \| ([\w, ?]+) \|/gm)].map(([, name, data]) => [
      name,
      data!.replaceAll('?', '').split(', '),
    ]);
    const events = (Object.keys(webhookEvents) as WebhookEvent[]).map((name) => [name, Object.keys(webhookEvents[name].shape)]);
    expect(Object.fromEntries(rows)).toEqual(Object.fromEntries(events));
  });

  describe('has a receiver in Node that', () => {
    const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
    let receiver: { url: string; stop: () => Promise<void> };

    beforeAll(async () => {
      receiver = await startReceiver(guide, { WEBHOOK_SECRET: secret });
    });
    afterAll(() => receiver.stop());

    const send = async (signature: string, timestamp = new Date()) => {
      const headers = {
        'webhook-id': 'x',
        'webhook-timestamp': String(Math.floor(timestamp.getTime() / 1000)),
        'webhook-signature': signature,
      };
      return (await fetch(receiver.url, { method: 'POST', headers, body })).status;
    };
    const body = '{"type":"webhook.test","data":{}}';

    it('takes what is signed, also with one of two secrets, and nothing else', async () => {
      const now = new Date();
      const right = new Webhook(secret).sign('x', now, body);
      const other = new Webhook('whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA').sign('x', now, body);
      expect(await send(right, now)).toBe(204);
      expect(await send(`${other} ${right}`, now)).toBe(204);
      expect(await send(other, now)).toBe(401);
      expect(await send('')).toBe(401);
      const old = new Date(now.getTime() - 600_000);
      expect(await send(new Webhook(secret).sign('x', old, body), old)).toBe(401);
    });
  });
});
