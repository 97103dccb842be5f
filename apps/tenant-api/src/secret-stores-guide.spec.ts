import { generateKeyPairSync } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import type { EncryptionKey } from '@latchkey/contracts';
import { sealSecret } from '@latchkey/credentials';
import { Webhook } from 'standardwebhooks';
import { readGuide, startReceiver } from './testing/guide-receiver.js';

interface Written {
  options: { cas: number };
  data: { secretId: string; secret: string };
}

describe.each(['P-256', 'RSA'])('the guide to secret stores has a receiver in Node that, with a key of kind %s,', (kind) => {
  const signingSecret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
  const { publicKey, privateKey } =
    kind === 'RSA' ? generateKeyPairSync('rsa', { modulusLength: 2048 }) : generateKeyPairSync('ec', { namedCurve: kind });
  const key = publicKey.export({ format: 'jwk' }) as EncryptionKey;
  const clientId = 'tool_1';
  const id = (number: number) => `0198c2f0-0000-7000-8000-00000000000${number}`;
  let store: Server;
  let versions: Written[] = [];
  let receiver: { url: string; stop: () => Promise<void> };

  beforeAll(async () => {
    // Vault's key-value store, version 2, as far as the receiver uses it.
    store = createServer((request, response) => {
      void (async () => {
        const body = request.method === 'POST' ? ((await json(request)) as Written) : undefined;
        const isKnown = request.url === `/v1/secret/data/latchkey/${clientId}` && request.headers['x-vault-token'] === 'token';
        const status = !isKnown ? 403 : body ? (body.options.cas === versions.length ? 200 : 400) : versions.length > 0 ? 200 : 404;
        if (body && status === 200) versions.push(body);
        const latest = { data: versions.at(-1)?.data, metadata: { version: versions.length } };
        response
          .writeHead(status, { 'content-type': 'application/json' })
          .end(JSON.stringify(body || status !== 200 ? {} : { data: latest }));
      })();
    });
    await new Promise<void>((resolve) => void store.listen(0, '127.0.0.1', resolve));
    receiver = await startReceiver(readGuide('secret-stores.md'), {
      WEBHOOK_SECRET: signingSecret,
      PRIVATE_KEY: privateKey.export({ format: 'pem', type: 'pkcs8' }) as string,
      VAULT_ADDR: `http://127.0.0.1:${(store.address() as AddressInfo).port}`,
      VAULT_TOKEN: 'token',
    });
  });
  beforeEach(() => {
    versions = [];
  });
  afterAll(async () => {
    await receiver.stop();
    store.close();
    store.closeAllConnections();
  });

  async function send(data: object): Promise<number> {
    const body = JSON.stringify({ type: 'client.secret.regenerated', data });
    const now = new Date();
    const headers = {
      'webhook-id': 'x',
      'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
      'webhook-signature': new Webhook(signingSecret).sign('x', now, body),
    };
    return (await fetch(receiver.url, { method: 'POST', headers, body })).status;
  }
  const sealed = (secretId: string, secret: string) => sealSecret(key, { clientId, secretId, secret });

  it('puts each new secret into the store, and passes over what is repeated or came late', async () => {
    const [first, second] = [await sealed(id(1), 'one'), await sealed(id(2), 'two')];
    expect(await send({ clientId, secretId: id(1), secret: first })).toBe(204);
    expect(await send({ clientId, secretId: id(2), secret: second })).toBe(204);
    expect(await send({ clientId, secretId: id(1), secret: first })).toBe(204);
    expect(versions.map(({ data }) => data)).toEqual([
      { secretId: id(1), secret: 'one' },
      { secretId: id(2), secret: 'two' },
    ]);
  });

  it('stores nothing of an event without a secret, of a secret of another event, or of one that is sealed to another key', async () => {
    expect(await send({ clientId, secretId: id(1) })).toBe(204);
    expect(await send({ clientId, secretId: id(2), secret: await sealed(id(1), 'one') })).toBe(500);
    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' }) as EncryptionKey;
    expect(await send({ clientId, secretId: id(1), secret: await sealSecret(other, { clientId, secretId: id(1), secret: 'one' }) })).toBe(
      500,
    );
    expect((await fetch(receiver.url, { method: 'POST', body: '{}' })).status).toBe(401);
    expect(versions).toEqual([]);
  });
});
