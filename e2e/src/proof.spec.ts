import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import pg from 'pg';
import { openKeptInstallation } from '@latchkey/start/kept-installation';
import type {
  CanaryRunView,
  CanaryView,
  CreatedApiKeyView,
  CutoffProofView,
  CutoffView,
  ProvisionedRepositoryView,
} from '@latchkey/contracts';
import { startProduct, type Product } from './product.js';
import { freshSlug, Tenant } from './tenant.js';

/** What a customer sees of a cut-off, on two authorities, two repository APIs and the tenant API. */
let product: Product;
let tenant: Tenant;
let acme: ProvisionedRepositoryView;
let fake: Server | undefined;

beforeAll(async () => {
  product = await startProduct({ arguments: ['--authorities', '2', '--repository-apis', '2'], environment: { CANARY_SECONDS: '2' } });
  tenant = new Tenant(product.credential);
  acme = await tenant.createRepository(freshSlug('proof'));
  // A node serves a moment before it is counted on.
  await eventually(
    () => read<CanaryView>('/v1/canary'),
    ({ nodes }) => nodes.length === allNodes.length,
    15_000,
  );
});
afterAll(async () => {
  fake?.close();
  fake?.closeAllConnections();
  await product?.stop();
  await product?.clean();
});

const pause = (millis: number) => new Promise((resolve) => setTimeout(resolve, millis));

async function read<T>(path: string): Promise<T> {
  const response = await tenant.call('GET', path);
  const text = await response.text();
  if (!response.ok) throw new Error(`GET ${path} answered ${response.status}: ${text}`);
  return JSON.parse(text) as T;
}

async function eventually<T>(look: () => Promise<T>, holds: (seen: T) => boolean, millis: number): Promise<T> {
  for (const deadline = Date.now() + millis; ; await pause(50)) {
    const seen = await look();
    if (holds(seen)) return seen;
    if (Date.now() > deadline)
      throw new Error(`not within ${millis} ms: ${JSON.stringify(seen, null, 1)}\n${product.output().slice(-2000)}`);
  }
}

const proofOf = ({ id }: CutoffView) => read<CutoffProofView>(`/v1/repositories/${acme.slug}/cutoffs/${id}`);
const reported = ({ nodes }: CutoffProofView) => nodes.filter(({ refusedAfterMillis }) => refusedAfterMillis !== null);

const allNodes = [
  ['authority', 'authority-1'],
  ['authority', 'authority-2'],
  ['repository-api', 'repository-api-1'],
  ['repository-api', 'repository-api-2'],
  ['tenant-api', 'tenant-api'],
];

/** Every way in that an old secret could have: by each authority's own port and by the shared one. */
async function statuses(secret: string): Promise<number[]> {
  const answers = [0, 1, 2].map(async (node) => {
    const response = await fetch(`http://localhost:${product.portBase + 100 + node}/${acme.slug}/connect/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`${acme.toolClient.clientId}:${secret}`)}` },
      body: new URLSearchParams({ grant_type: 'client_credentials' }),
      signal: AbortSignal.timeout(10_000),
    }).catch(() => undefined);
    return response?.status ?? 0;
  });
  return Promise.all(answers);
}

describe('the proof', () => {
  it('shows within two seconds that all five nodes refuse a regenerated secret, and after how long', async () => {
    let cutoff!: CutoffView;
    let nodes: CutoffProofView['nodes'] = [];
    // A machine that stands still for two seconds does not do so twice.
    for (let tries = 0; tries === 0 || (tries < 3 && nodes.some(({ refusedAfterMillis }) => (refusedAfterMillis ?? 0) >= 2_000)); tries++) {
      ({ cutoff } = await tenant.regenerate(acme));
      ({ nodes } = await eventually(
        () => proofOf(cutoff),
        (proof) => reported(proof).length === 5,
        15_000,
      ));
    }
    expect(nodes.map(({ kind, node }) => [kind, node])).toEqual(allNodes);
    for (const { refusedAfterMillis } of nodes) {
      expect(refusedAfterMillis).toBeGreaterThanOrEqual(0);
      expect(refusedAfterMillis).toBeLessThan(2_000);
    }
    const { items } = await read<{ items: CutoffProofView[] }>(`/v1/repositories/${acme.slug}/cutoffs?limit=1`);
    expect(items.map(({ id }) => id)).toEqual([cutoff.id]);
  });

  it('shows the same of a deleted API key, a disabled user and a suspended repository', async () => {
    const users = `/v1/repositories/${acme.slug}/users`;
    const anna = await tenant.createUser(acme.slug, { loginName: 'anna', password: 'correct horse battery staple' });
    const key = (await (await tenant.call('POST', `${users}/${anna.id}/api-keys`, { name: 'Key' })).json()) as CreatedApiKeyView;
    const acts = [
      await tenant.call('DELETE', `${users}/${anna.id}/api-keys/${key.id}`),
      await tenant.call('PATCH', `${users}/${anna.id}`, { enabled: false }),
      await tenant.call('POST', `/v1/repositories/${acme.slug}/suspend`),
    ];
    for (const act of acts) {
      const { cutoff } = (await act.json()) as { cutoff: CutoffView };
      await eventually(
        () => proofOf(cutoff),
        (proof) => reported(proof).length === 5,
        15_000,
      );
    }
    await tenant.call('POST', `/v1/repositories/${acme.slug}/resume`);
  });

  it('comes live, and the stream ends when it is complete', async () => {
    const { cutoff } = await tenant.regenerate(acme);
    const response = await tenant.call('GET', `/v1/repositories/${acme.slug}/cutoffs/${cutoff.id}/events`);
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    const events = (await response.text()).split('\n\n').filter(Boolean);
    const last = JSON.parse((events.at(-1) ?? '').replace(/^data: /, '')) as CutoffProofView;
    expect(reported(last)).toHaveLength(5);
  });

  it('shows a node that was killed as one that has not reported, and the promise holds all the same', async () => {
    const first = await tenant.regenerate(acme);
    const whole = await eventually(
      () => proofOf(first.cutoff),
      (proof) => reported(proof).length === 5,
      15_000,
    );
    const victim = whole.nodes.find(({ node }) => node === 'authority-2');
    const processes = JSON.parse(await readFile(join(product.dataDir, 'processes.json'), 'utf8')) as { name: string; pid: number }[];
    process.kill(processes.find(({ name }) => name === 'authority-2')!.pid, 'SIGKILL');

    const { cutoff } = await tenant.regenerate(acme);
    for (const status of await statuses(first.secret.value)) expect([0, 401, 503]).toContain(status);
    const proof = await eventually(
      () => proofOf(cutoff),
      (seen) => reported(seen).length >= 4,
      5_000,
    );
    expect(proof.nodes.find(({ id }) => id === victim?.id)).toMatchObject({ node: 'authority-2', refusedAfterMillis: null });

    // The one that was started in its place refuses too, and is counted on from then on.
    const after = await eventually(
      () => statuses(first.secret.value),
      (seen) => seen.every((status) => status === 401),
      20_000,
    );
    expect(after).toEqual([401, 401, 401]);
    const next = await eventually(
      async () => {
        const { cutoff: again } = await tenant.regenerate(acme);
        await pause(500);
        return proofOf(again);
      },
      (seen) => reported(seen).length === 5,
      20_000,
    );
    expect(reported(next).map(({ node }) => node)).toContain('authority-2');
  });
});

describe('the canary', () => {
  const look = () => read<CanaryView>('/v1/canary');
  const covers = (run: CanaryRunView) => run.nodes.every(({ acceptedBefore, refused }) => acceptedBefore > 0 && refused > 0);

  it('flies all the time: every node accepts before, refuses after, and nothing violates the promise', async () => {
    const seen = await eventually(
      look,
      ({ runs }) => ['canary', 'console'].every((each) => runs.filter((run) => run.repository === each && covers(run)).length >= 2),
      30_000,
    );
    expect(seen.violations).toBe(0);
    const kinds = (repository: string) => new Set(seen.runs.find((run) => run.repository === repository)?.nodes.map(({ kind }) => kind));
    expect([kinds('canary'), kinds('console')]).toEqual([new Set(['authority', 'repository-api']), new Set(['authority', 'tenant-api'])]);
    expect(seen.nodes.map(({ node }) => node)).toEqual(expect.arrayContaining(allNodes.map(([, node]) => node)));
  });

  it('counts what a node accepts that should not: shown to every caller, in the metrics, and for ever', async () => {
    fake = createServer((_, response) => response.end(JSON.stringify({ access_token: 'anything', active: true })));
    await new Promise<void>((resolve) => void fake?.listen(0, '127.0.0.1', resolve));
    const database = new pg.Client({ connectionString: (await openKeptInstallation(product.dataDir, {})).ownerUrl });
    await database.connect();
    await database.query(
      `INSERT INTO latchkey.nodes (id, name, kind, url, seen_at) VALUES (gen_random_uuid(), 'planted', 'repository-api', $1, now() + interval '1 hour')`,
      [`http://127.0.0.1:${(fake.address() as AddressInfo).port}`],
    );
    const seen = await eventually(look, ({ violations }) => violations > 0, 20_000);
    await database.query(`DELETE FROM latchkey.nodes WHERE name = 'planted'`);
    await database.end();
    const run = seen.runs.find(({ violations }) => violations > 0);
    expect(run?.acceptedForMillis).toBeGreaterThan(900);
    for (const node of run?.nodes ?? []) expect([node.node, node.accepted > 0]).toEqual([node.node, node.node === 'planted']);
    const metrics = await (
      await fetch(`http://localhost:${product.portBase + 300}/metrics`, { signal: AbortSignal.timeout(5_000) })
    ).text();
    expect(Number(/^latchkey_canary_violations_total (\d+)$/m.exec(metrics)?.[1])).toBeGreaterThan(0);
  });
});
