import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { webhookEvents, type WebhookEvent } from '@latchkey/contracts';
import { Webhook } from 'standardwebhooks';

const appFolder = join(import.meta.dirname, '..');
const guide = readFileSync(join(appFolder, '../../docs/guides/webhooks.md'), 'utf8');

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
    let folder: string;
    let receiver: ChildProcess;
    let url: string;

    beforeAll(async () => {
      // Below the app, so that it finds its package.
      folder = await mkdtemp(join(appFolder, 'dist/guide-'));
      const [, code] = /```js\n(.*?)```/s.exec(guide)!;
      await writeFile(join(folder, 'receiver.mjs'), code!);
      const port = await freePort();
      url = `http://localhost:${port}`;
      const env = { PATH: '', WEBHOOK_SECRET: secret, PORT: String(port) };
      receiver = spawn(process.execPath, [join(folder, 'receiver.mjs')], { env, stdio: 'ignore' });
      while (!(await fetch(url).then(Boolean, () => false))) await wait(20);
    });
    afterAll(async () => {
      receiver.kill();
      await rm(folder, { recursive: true });
    });

    const send = async (signature: string, timestamp = new Date()) => {
      const headers = {
        'webhook-id': 'x',
        'webhook-timestamp': String(Math.floor(timestamp.getTime() / 1000)),
        'webhook-signature': signature,
      };
      return (await fetch(url, { method: 'POST', headers, body })).status;
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

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
