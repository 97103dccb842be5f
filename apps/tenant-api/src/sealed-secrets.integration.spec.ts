import { generateKeyPairSync } from 'node:crypto';
import { compactDecrypt } from 'jose';
import type {
  CreatedClientView,
  CreatedTenantCredentialView,
  CreatedWebhookView,
  DeliveryView,
  NewSecretView,
  Page,
  RegeneratedSecretView,
  WebhookView,
} from '@latchkey/contracts';
import { startApi, type RunningApi } from './testing/running-api.js';

let api: RunningApi;

beforeAll(async () => {
  api = await startApi();
  await api.tenant.call('POST', '/v1/repositories', { slug: 'acme', name: 'Acme', environment: 'production' });
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
const deliveriesOf = (id: string) => call<Page<DeliveryView>>('GET', `${hooks}/${id}/deliveries`);
const remove = (id: string) => call<void>('DELETE', `${hooks}/${id}`, undefined, 204);

describe('a webhook with an encryption key', () => {
  const pair = () => {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    return { encryptionKey: publicKey.export({ format: 'jwk' }), privateKey };
  };
  const clients = '/v1/repositories/acme/clients';
  const sealedOf = async (webhookId: string) => {
    const { rows } = await api.test.owner.query<{ event: string; data: { clientId: string; secretId: string }; sealed: string | null }>(
      `SELECT event, payload->'data' AS data, sealed_secret AS sealed FROM webhook_deliveries WHERE webhook_id = $1 ORDER BY id`,
      [webhookId],
    );
    return rows;
  };

  it('is sent every new secret of a client, sealed so that nobody else can read it, and nothing stores it readably', async () => {
    const { encryptionKey, privateKey } = pair();
    const [keyed, plain] = [await create({ encryptionKey }), await create()];
    const made = await call<CreatedClientView>('POST', clients, { kind: 'tool', name: 'Tool' }, 201);
    const second = await call<NewSecretView>('POST', `${clients}/${made.clientId}/secrets`, {}, 201);
    const { secret: third } = await call<RegeneratedSecretView>('POST', `${clients}/${made.clientId}/secrets/regenerate`, {});
    const values = [made.secret?.value ?? '', second.value, third.value];
    const rows = await sealedOf(keyed.id);
    expect(rows.map(({ event }) => event)).toEqual(['client.created', 'client.secret.created', 'client.secret.regenerated']);
    for (const [index, { data, sealed }] of rows.entries()) {
      const { plaintext } = await compactDecrypt(sealed ?? '', privateKey);
      const { clientId, secretId } = data;
      expect(JSON.parse(new TextDecoder().decode(plaintext))).toEqual({ clientId, secretId, secret: values[index] });
      expect(clientId).toBe(made.clientId);
    }
    expect((await sealedOf(plain.id)).map(({ sealed }) => sealed)).toEqual([null, null, null]);
    const { rows: all } = await api.test.owner.query(
      `SELECT to_jsonb(d)::text AS row FROM webhook_deliveries d UNION ALL SELECT to_jsonb(o)::text FROM outbox o
       UNION ALL SELECT to_jsonb(a)::text FROM audit_events a UNION ALL SELECT to_jsonb(i)::text FROM idempotency_keys i`,
    );
    const list = JSON.stringify(await deliveriesOf(keyed.id));
    for (const value of values) expect(JSON.stringify(all) + list).not.toContain(value.slice(11, 40));
    expect(list).not.toContain(rows[0]?.sealed);
    for (const { id } of [keyed, plain]) await remove(id);
    expect((await sealedOf(keyed.id)).map(({ sealed }) => sealed)).toEqual([null, null, null]);
  });

  it('shows the key and its thumbprint, and tells the audit trail which one it was given', async () => {
    const { encryptionKey } = pair();
    const webhook = await create({ encryptionKey: { ...encryptionKey, kid: 'store', use: 'enc', alg: 'ECDH-ES+A256KW' } });
    expect(webhook).toMatchObject({
      encryptionKey: { ...encryptionKey, kid: 'store' },
      encryptionKeyThumbprint: expect.any(String) as string,
    });
    const other = await call<WebhookView>('PATCH', `${hooks}/${webhook.id}`, { encryptionKey: pair().encryptionKey });
    const { rows } = await api.test.owner.query<{ thumbprint: string }>(
      `SELECT details->>'encryptionKeyThumbprint' AS thumbprint FROM audit_events WHERE target_id = $1 ORDER BY id`,
      [webhook.id],
    );
    expect(rows.map(({ thumbprint }) => thumbprint)).toEqual([webhook.encryptionKeyThumbprint, other.encryptionKeyThumbprint]);
    expect(webhook.encryptionKeyThumbprint).not.toBe(other.encryptionKeyThumbprint);
    await remove(webhook.id);
  });

  it('that gets another key, or none, is not sent what was sealed to the earlier one', async () => {
    for (const change of [{ encryptionKey: pair().encryptionKey }, { encryptionKey: null }]) {
      const webhook = await create({ encryptionKey: pair().encryptionKey });
      await call('POST', clients, { kind: 'tool', name: 'Tool' }, 201);
      expect((await sealedOf(webhook.id))[0]?.sealed).toEqual(expect.any(String));
      await call('PATCH', `${hooks}/${webhook.id}`, { description: 'The key stays' });
      expect((await sealedOf(webhook.id))[0]?.sealed).toEqual(expect.any(String));
      await call('PATCH', `${hooks}/${webhook.id}`, change);
      expect((await sealedOf(webhook.id))[0]?.sealed).toBeNull();
      await remove(webhook.id);
    }
  });

  it('is refused a key with a private part, of another kind, or that nothing can be encrypted to', async () => {
    const { encryptionKey, privateKey } = pair();
    const webhook = await create();
    for (const key of [
      privateKey.export({ format: 'jwk' }),
      { kty: 'oct', k: 'AAAA' },
      { ...encryptionKey, use: 'sig' },
      { ...encryptionKey, alg: 'dir' },
      { ...encryptionKey, y: encryptionKey.x },
      { kty: 'EC' },
      'text',
      [],
    ]) {
      await call('POST', hooks, { url: 'https://example.com/hook', encryptionKey: key }, 400);
      await call('PATCH', `${hooks}/${webhook.id}`, { encryptionKey: key }, 400);
    }
    await remove(webhook.id);
  });

  it('is made by nobody who could not make a secret, since the holder of the key gets to know them', async () => {
    const { encryptionKey } = pair();
    const body = { name: 'Hooks', permissions: ['repositories:read', 'webhooks:write'] };
    const { clientId, secret } = await call<CreatedTenantCredentialView>('POST', '/v1/credentials', body, 201);
    const lesser = await api.withCredential({ clientId, secretId: secret.id });
    const webhook = await create();
    expect((await lesser.call('POST', hooks, { url: 'https://example.com/hook', encryptionKey })).status).toBe(403);
    expect((await lesser.call('PATCH', `${hooks}/${webhook.id}`, { encryptionKey })).status).toBe(403);
    expect((await lesser.call('PATCH', `${hooks}/${webhook.id}`, { encryptionKey: null })).status).toBe(200);
    await remove(webhook.id);
  });

  it('whose key has become unusable keeps nobody from ending a secret', async () => {
    const webhook = await create({ encryptionKey: pair().encryptionKey });
    const made = await call<CreatedClientView>('POST', clients, { kind: 'tool', name: 'Tool' }, 201);
    await api.test.owner.query(`UPDATE webhooks SET encryption_key = '{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}' WHERE id = $1`, [
      webhook.id,
    ]);
    await call('POST', `${clients}/${made.clientId}/secrets/regenerate`, {});
    expect((await sealedOf(webhook.id)).at(-1)).toMatchObject({ event: 'client.secret.regenerated', sealed: null });
    await api.test.owner.query(`UPDATE webhooks SET encryption_key = NULL WHERE id = $1`, [webhook.id]);
    await remove(webhook.id);
  });
});
