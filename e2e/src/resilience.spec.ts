import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { openKeptInstallation } from '@latchkey/start/kept-installation';
import type { Page, ProvisionedRepositoryView, RegeneratedSecretView, RepositoryView } from '@latchkey/contracts';
import { startProduct, type Product } from './product.js';
import { freshSlug, Tenant } from './tenant.js';
import { openWebhookReceiver, type WebhookReceiver } from './webhook-receiver.js';

/**
 * Processes are killed while repositories are made and secrets regenerated. Whatever was acknowledged must be there
 * afterwards, whole, and every event must reach its target.
 */
let product: Product;
let receiver: WebhookReceiver;
/** What was acknowledged: each repository with the secret that was shown last. */
const acknowledged = new Map<string, { repository: ProvisionedRepositoryView; secret: string; outdated: string[] }>();

const environment = { WEBHOOK_ALLOW_PRIVATE_ADDRESSES: 'true' };

beforeAll(async () => {
  receiver = await openWebhookReceiver();
  product = await startProduct({ environment });
  const response = await new Tenant(product.credential).call('PATCH', '/v1/tenant', { webhook: { url: receiver.url } });
  receiver.trust(((await response.json()) as { webhookSigningSecret: string }).webhookSigningSecret);
});
afterAll(async () => {
  await product?.stop();
  await product?.clean();
  await receiver?.close();
});

const pause = (millis: number) => new Promise((resolve) => setTimeout(resolve, millis));

/**
 * Makes repositories and regenerates their secrets until told to stop. A call that fails was not acknowledged.
 *
 * @param hurry tells whether the next may follow at once: so that most are under way when something is killed, and not too many made.
 */
async function drive(until: () => boolean, hurry: () => boolean): Promise<void> {
  const tenant = new Tenant(product.credential);
  while (!until()) {
    if (!hurry()) await pause(300);
    const repository = await tenant.createRepository(freshSlug('kill')).catch(() => undefined);
    if (!repository) {
      await pause(50);
      continue;
    }
    const known = { repository, secret: repository.toolClient.secret.value, outdated: [] as string[] };
    acknowledged.set(repository.slug, known);
    const regenerated: RegeneratedSecretView | undefined = await tenant.regenerate(repository).catch(() => undefined);
    // Without an answer it may have happened or not; then which secret is alive is not known here.
    if (regenerated) known.outdated.push(known.secret);
    known.secret = regenerated?.secret.value ?? '';
  }
}

/** The processes that the launcher has recorded, by name. */
async function processes(): Promise<{ name: string; pid: number }[]> {
  return JSON.parse(await readFile(join(product.dataDir, 'processes.json'), 'utf8')) as { name: string; pid: number }[];
}

async function eventually(what: string, holds: () => Promise<boolean>, millis = 30_000): Promise<void> {
  const deadline = Date.now() + millis;
  while (!(await holds().catch(() => false))) {
    if (Date.now() > deadline) throw new Error(`not within ${millis} ms: ${what}\n${product.output().slice(-2000)}`);
    await pause(100);
  }
}

const isReady = async (port: number) => (await fetch(`http://127.0.0.1:${port}/readyz`, { signal: AbortSignal.timeout(2_000) })).ok;
const allReady = async () => (await Promise.all([0, 100, 200, 300].map((offset) => isReady(product.portBase + offset)))).every(Boolean);

async function mint(repository: RepositoryView, secret: string): Promise<Response> {
  return fetch(`${repository.authorityUrl}/connect/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${repository.toolClient.clientId}:${secret}`)}` },
    body: new URLSearchParams({ grant_type: 'client_credentials' }),
    signal: AbortSignal.timeout(10_000),
  });
}

async function expectWhole(repository: RepositoryView, secret: string): Promise<void> {
  const token = await mint(repository, secret);
  expect([repository.slug, token.status]).toEqual([repository.slug, 200]);
  const { access_token: accessToken } = (await token.json()) as { access_token: string };
  const read = await fetch(`${repository.repositoryUrl}/odata.svc/Root/('Content')`, {
    headers: { authorization: `Bearer ${accessToken}` },
    signal: AbortSignal.timeout(10_000),
  });
  expect([repository.slug, read.status]).toEqual([repository.slug, 200]);
}

describe('after kill -9', () => {
  it.each(['tenant-api', 'authority', 'repository-api', 'worker'])(
    'of the %s, in the middle of provisioning and regenerating, everything serves again',
    async (app) => {
      let [killed, over] = [false, false];
      const before = acknowledged.size;
      const driving = Promise.all(
        [1, 2].map(() =>
          drive(
            () => over,
            () => !killed,
          ),
        ),
      );
      await eventually('repositories are made', async () => acknowledged.size > before + 4);
      const victim = (await processes()).find(({ name }) => name.startsWith(app));
      process.kill(victim!.pid, 'SIGKILL');
      killed = true;
      await eventually(`another ${app} has taken over`, async () => {
        const successor = (await processes()).find(({ name }) => name.startsWith(app));
        return successor !== undefined && successor.pid !== victim!.pid && allReady();
      });
      const afterwards = acknowledged.size;
      await eventually('repositories are made again', async () => acknowledged.size > afterwards + 2);
      over = true;
      await driving;
    },
  );

  it('of the launcher itself, in the middle of provisioning and regenerating, the next start serves', async () => {
    let over = false;
    const before = acknowledged.size;
    const driving = Promise.all(
      [1, 2].map(() =>
        drive(
          () => over,
          () => !over,
        ),
      ),
    );
    await eventually('repositories are made', async () => acknowledged.size > before + 4);
    const ended = new Promise((resolve) => product.process.once('exit', resolve));
    product.process.kill('SIGKILL');
    await ended;
    over = true;
    await driving;
    const { credential } = product;
    product = await startProduct({ dataDir: product.dataDir, portBase: product.portBase, environment });
    expect(product.credential).toEqual(credential);
    expect(product.ownerLink).toBe('');
  });

  it('every acknowledged repository is whole and every acknowledged regeneration holds', async () => {
    expect(acknowledged.size).toBeGreaterThan(25);
    for (const { repository, secret, outdated } of acknowledged.values()) {
      if (secret) await expectWhole(repository, secret);
      for (const old of outdated) expect([repository.slug, (await mint(repository, old)).status]).toEqual([repository.slug, 401]);
    }
  });

  it('no repository is half made: each that is listed answers with its default clients and a key', async () => {
    const tenant = new Tenant(product.credential);
    let after = '';
    let listed = 0;
    do {
      const page = (await (await tenant.call('GET', `/v1/repositories?limit=200${after}`)).json()) as Page<RepositoryView>;
      for (const repository of page.items) {
        const keys = await fetch(`${repository.authorityUrl}/.well-known/jwks`, { signal: AbortSignal.timeout(10_000) });
        expect([repository.slug, ((await keys.json()) as { keys: unknown[] }).keys.length]).toEqual([repository.slug, 1]);
      }
      listed += page.items.length;
      after = page.next === null ? '' : `&after=${page.next}`;
    } while (after);
    expect(listed).toBeGreaterThanOrEqual(acknowledged.size);
  });

  it('every outbox row is relayed and every acknowledged repository is announced, signed, with its id', async () => {
    const database = new pg.Client({ connectionString: (await openKeptInstallation(product.dataDir, {})).ownerUrl });
    await database.connect();
    try {
      await eventually('the outbox is empty', async () => {
        const { rows } = await database.query<{ waiting: number }>(
          'SELECT count(*)::int AS waiting FROM latchkey.outbox WHERE relayed_at IS NULL',
        );
        return rows[0]?.waiting === 0;
      });
      const announced = () =>
        new Set([...receiver.events.values()].filter(({ type }) => type === 'repository.created').map(({ data }) => data['repositoryId']));
      await eventually(
        'every repository is announced',
        async () => [...acknowledged.values()].every(({ repository }) => announced().has(repository.id)),
        60_000,
      );
      await eventually(
        'every delivery is done',
        async () => {
          const { rows } = await database.query<{ open: number }>(
            'SELECT count(*)::int AS open FROM latchkey.webhook_deliveries WHERE delivered_at IS NULL',
          );
          return rows[0]?.open === 0;
        },
        60_000,
      );
    } finally {
      await database.end();
    }
  });
});
