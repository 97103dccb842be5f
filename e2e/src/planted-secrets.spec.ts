import { execFile } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { openKeptInstallation } from '@latchkey/start/kept-installation';
import { startProduct, type Product } from './product.js';
import { freshSlug, Tenant } from './tenant.js';
import { openWebhookReceiver, type WebhookReceiver } from './webhook-receiver.js';

/** Makes every kind of secret there is, uses each, rightly and wrongly, and then looks for it everywhere. */
let product: Product;
let receiver: WebhookReceiver;
const planted = new Map<string, string>();

const password = 'planted-password-which-nobody-may-read';

beforeAll(async () => {
  receiver = await openWebhookReceiver();
  product = await startProduct({ environment: { WEBHOOK_ALLOW_PRIVATE_ADDRESSES: 'true', LOG_LEVEL: 'trace' } });
});
afterAll(async () => {
  await product?.stop();
  await product?.clean();
  await receiver?.close();
});

/** The link of a mail that was sent: mails, which the launcher puts into a folder, are the one place where it may be. */
async function mailedLink(purpose: string): Promise<string> {
  for (const deadline = Date.now() + 20_000; Date.now() < deadline; await new Promise((resolve) => setTimeout(resolve, 100))) {
    for (const file of await files(join(product.dataDir, 'mail')).catch(() => [])) {
      if (!file.endsWith('.eml')) continue; // It is still being written, and about to be renamed.
      const text = (await readFile(file, 'utf8')).replaceAll(/=\r?\n/g, '');
      const [link] = new RegExp(`http://localhost\\S+/${purpose}/[0-9a-f]{72}`).exec(text) ?? [];
      if (link) return link;
    }
  }
  throw new Error(`no mail with a link for ${purpose}`);
}

/** Every table of every schema, as text: what a dump would hold. */
async function dump(): Promise<string> {
  const database = new pg.Client({ connectionString: (await openKeptInstallation(product.dataDir, {})).ownerUrl });
  await database.connect();
  try {
    const { rows: tables } = await database.query<{ name: string }>(
      `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`,
    );
    const texts: string[] = [];
    for (const { name } of tables) {
      const { rows } = await database.query<{ row: string }>(`SELECT to_jsonb(t)::text AS row FROM ${name} t`);
      texts.push(`${name}\n${rows.map(({ row }) => row).join('\n')}`);
    }
    return texts.join('\n');
  } finally {
    await database.end();
  }
}

async function files(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

/** Whether a webhook has brought a sealed secret, a JWE. */
const carriesSealed = () => receiver.bodies.some((body) => body.includes('client.secret.regenerated') && body.includes('"secret":"eyJ'));

describe('a secret', () => {
  beforeAll(async () => {
    const tenant = new Tenant(product.credential);
    planted.set('tenant credential', product.credential.clientSecret);
    const tenantView = (await (await tenant.call('PATCH', '/v1/tenant', { webhook: { url: receiver.url } })).json()) as {
      webhookSigningSecret: string;
    };
    receiver.trust(tenantView.webhookSigningSecret);
    planted.set('webhook signing secret', tenantView.webhookSigningSecret);

    const key = { 'idempotency-key': 'planted' };
    const slug = freshSlug('planted');
    const repository = (await (
      await tenant.call('POST', '/v1/repositories', { slug, name: 'Planted', environment: 'production' }, key)
    ).json()) as { toolClient: { clientId: string; secret: { value: string } }; authorityUrl: string; repositoryUrl: string };
    planted.set('first secret', repository.toolClient.secret.value);
    const hooks = `/v1/repositories/${slug}/webhooks`;
    // Every secret that is made below goes through this webhook, too, sealed.
    const encryptionKey = generateKeyPairSync('x25519').publicKey.export({ format: 'jwk' });
    const hook = (await (
      await tenant.call('POST', hooks, { url: receiver.url, encryptionKey }, { 'idempotency-key': 'planted-hook' })
    ).json()) as {
      id: string;
      signingSecret: string;
    };
    planted.set('signing secret of a repository', hook.signingSecret);
    const rotated = (await (await tenant.call('POST', `${hooks}/${hook.id}/rotate`, {})).json()) as { signingSecret: string };
    planted.set('rotated signing secret', rotated.signingSecret);
    await tenant.call('POST', `${hooks}/${hook.id}/test`);
    const user = await tenant.createUser(slug, { loginName: 'anna', password, email: 'anna@example.com' });
    planted.set('password', password);
    const invited = (await (await tenant.call('POST', `/v1/repositories/${slug}/users/${user.id}/invite`)).json()) as { link: string };
    planted.set('invitation', invited.link.slice(invited.link.lastIndexOf('/') + 1));
    await fetch(invited.link, { signal: AbortSignal.timeout(10_000) });
    const asking = { method: 'POST', body: new URLSearchParams({ login: 'anna' }), signal: AbortSignal.timeout(10_000) };
    await fetch(`${repository.authorityUrl}/forgotten-password`, asking);
    for (const purpose of ['invitation', 'new-password']) {
      const link = await mailedLink(purpose);
      planted.set(`mailed ${purpose}`, link.slice(link.lastIndexOf('/') + 1));
      await fetch(link, { signal: AbortSignal.timeout(10_000) });
    }
    const pipeline = (await (
      await tenant.call(
        'POST',
        '/v1/credentials',
        { name: 'Pipeline', permissions: ['tenant:read'] },
        { 'idempotency-key': 'planted-pipeline' },
      )
    ).json()) as { clientId: string; secret: { value: string } };
    planted.set('credential of a pipeline', pipeline.secret.value);
    const refreshed = (await (await tenant.call('POST', `/v1/credentials/${pipeline.clientId}/regenerate`, {})).json()) as {
      secret: { value: string };
    };
    planted.set('refreshed credential of a pipeline', refreshed.secret.value);
    const asked = (await (await tenant.call('POST', '/v1/invitations', { role: 'viewer' })).json()) as { link: string };
    planted.set('invitation of a member', asked.link.slice(asked.link.lastIndexOf('/') + 1));
    await fetch(asked.link, { signal: AbortSignal.timeout(10_000) });
    const { secret } = await tenant.regenerate({ slug, toolClient: repository.toolClient });
    planted.set('regenerated secret', secret.value);

    for (const value of [secret.value, repository.toolClient.secret.value, `${secret.value.slice(0, -1)}!`]) {
      for (const how of ['basic', 'form', 'query'] as const) {
        const { clientId } = repository.toolClient;
        const form = new URLSearchParams({
          grant_type: 'client_credentials',
          ...(how === 'basic' ? {} : { client_id: clientId, client_secret: value }),
        });
        const response = await fetch(`${repository.authorityUrl}/connect/token${how === 'query' ? `?${form.toString()}` : ''}`, {
          method: 'POST',
          headers: how === 'basic' ? { authorization: `Basic ${btoa(`${clientId}:${value}`)}` } : {},
          body: how === 'query' ? '' : form,
          signal: AbortSignal.timeout(10_000),
        });
        const body = (await response.json()) as { access_token?: string };
        if (!body.access_token) continue;
        planted.set(`access token by ${how}`, body.access_token);
        await fetch(`${repository.repositoryUrl}/odata.svc/('Root')?apikey=${value}`, {
          headers: { authorization: `Bearer ${body.access_token}` },
          signal: AbortSignal.timeout(10_000),
        });
        await fetch(`${repository.repositoryUrl}/odata.svc/('Root')?apikey=${value}`, {
          headers: { apikey: value },
          signal: AbortSignal.timeout(10_000),
        });
        await fetch(`${product.tenantApiUrl}/v1/repositories?access_token=${body.access_token}`, {
          headers: { authorization: `Bearer ${body.access_token}` },
          signal: AbortSignal.timeout(10_000),
        });
      }
    }
    const deadline = Date.now() + 20_000;
    while (!carriesSealed() && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 100));
  });

  /** A mailed link begins with the id of its row, which is no secret. */
  const macOf = (value: string) => (/^[0-9a-f]{72}$/.test(value) ? value.slice(32) : value);

  /** What to look for: the part of a value that nothing else would have, and its usual disguises. */
  const needles = () =>
    [...planted].flatMap(([name, value]) => {
      const part = value.startsWith('lk_') ? value.slice(11) : value.startsWith('whsec_') ? value.slice(6) : macOf(value);
      return [part, encodeURIComponent(part), Buffer.from(part).toString('hex')].map((needle) => ({ name, needle }));
    });

  const found = (text: string) =>
    needles()
      .filter(({ needle }) => text.includes(needle))
      .map(({ name }) => name);

  it('was really planted: each kind is there to be found', () => {
    expect([...planted.keys()]).toEqual(
      expect.arrayContaining([
        'tenant credential',
        'webhook signing secret',
        'signing secret of a repository',
        'rotated signing secret',
        'first secret',
        'regenerated secret',
        'password',
        'invitation',
        'mailed invitation',
        'mailed new-password',
        'access token by basic',
      ]),
    );
    expect(found(`x${planted.get('first secret')}y`)).toContain('first secret');
  });

  it('is in no row of any table, the queue’s included', async () => {
    const text = await dump();
    expect(text).toContain('client.secret.regenerated');
    expect(found(text)).toEqual([]);
  });

  it('is in no log and in nothing that the launcher keeps, but for the file that was asked for', async () => {
    const kept = (await files(product.dataDir)).filter(
      (file) => !/\/(?:postgres|mail)\//.test(file) && !file.endsWith('first-credential.json'),
    );
    expect(kept.filter((file) => file.endsWith('.log')).length).toBeGreaterThanOrEqual(4);
    for (const file of kept) expect([file, found(await readFile(file, 'utf8'))]).toEqual([file, []]);
  });

  it('is in no webhook, but sealed', () => {
    expect(carriesSealed()).toBe(true);
    expect(found(receiver.bodies.join('\n'))).toEqual([]);
  });

  it('is in no file of the database, its write-ahead log included', async () => {
    const cluster = join(product.dataDir, 'postgres', 'cluster');
    // It complains of a file that went away while it looked, and says all the same where it found something.
    const isThere = (text: string) =>
      promisify(execFile)('grep', ['-rslaF', text, cluster]).then(
        () => true,
        (ended: { stdout: string }) => ended.stdout !== '',
      );
    expect(await isThere('client.secret.regenerated')).toBe(true);
    for (const { name, needle } of needles()) expect([name, await isThere(needle)]).toEqual([name, false]);
  });

  it('was printed by the launcher only if it is the first credential', () => {
    const printed = found(product.output());
    expect(printed.filter((name) => name !== 'tenant credential')).toEqual([]);
  });
});
