import type { ApiKeyView, ConsumerView, CreatedApiKeyView, ProvisionedRepositoryView } from '@latchkey/contracts';
import type { RunningProduct } from './product.js';
import { sharedProduct } from './shared-product.js';
import { freshSlug, Tenant } from './tenant.js';

/** API keys, consumers and guessing, on two authorities and two repository APIs. */
let product: RunningProduct;
let tenant: Tenant;
let acme: ProvisionedRepositoryView;
let userId: number;

const patience = () => AbortSignal.timeout(10_000);

beforeAll(async () => {
  product = sharedProduct();
  tenant = new Tenant(product.credential);
  acme = await tenant.createRepository(freshSlug('acme'));
  userId = (await tenant.createUser(acme.slug, { loginName: 'robot', password: 'correct horse battery', administrator: true })).id;
});

const keys = () => `/v1/repositories/${acme.slug}/users/${userId}/api-keys`;
const createKey = async (body: Record<string, unknown> = {}) =>
  (await (await tenant.call('POST', keys(), { name: 'Blog', ...body })).json()) as CreatedApiKeyView;
const nodes = (offset: number) => [0, 1, 2].map((node) => `http://localhost:${product.portBase + offset + node}/${acme.slug}`);
const read = async (url: string, headers: Record<string, string>, query = '') =>
  (await fetch(`${url}/odata.svc/('Root')/GetCurrentUser${query}`, { headers, signal: patience() })).status;
const mint = (authority: string, secret: string, headers: Record<string, string> = {}, clientId = acme.toolClient.clientId) =>
  fetch(`${authority}/connect/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${clientId}:${secret}`)}`, ...headers },
    body: new URLSearchParams({ grant_type: 'client_credentials' }),
    signal: patience(),
  });

describe('an API key', () => {
  it('works on every node when it was made, in the header and the URL, and is refused on every node when its deletion answers', async () => {
    const key = await createKey();
    for (const url of nodes(200))
      expect([await read(url, { apikey: key.value }), await read(url, {}, `?apikey=${key.value}`)]).toEqual([200, 200]);
    const ended = await tenant.call('DELETE', `${keys()}/${key.id}`);
    expect(await ended.json()).toMatchObject({ cutoff: { effectiveAt: expect.any(String) as string } });
    for (const url of nodes(200))
      expect([await read(url, { apikey: key.value }), await read(url, {}, `?apikey=${key.value}`)]).toEqual([401, 401]);
  });

  it('is listed masked, and all of a user’s or a repository’s can be ended at once', async () => {
    const made = [await createKey(), await createKey({ permissions: ['content:read'] })];
    const { items } = (await (await tenant.call('GET', keys())).json()) as { items: ApiKeyView[] };
    expect(items.map(({ hint }) => hint).toSorted()).toEqual(made.map(({ value }) => `lk_live_ak_…${value.slice(-4)}`).toSorted());
    expect((await tenant.call('DELETE', keys())).status).toBe(200);
    const last = await createKey();
    expect((await tenant.call('DELETE', `/v1/repositories/${acme.slug}/api-keys`)).status).toBe(200);
    for (const { value } of [...made, last]) expect(await read(acme.repositoryUrl, { apikey: value })).toBe(401);
  });

  it('of an integration repository is refused by a production one, and the reverse', async () => {
    const test = await tenant.createRepository(freshSlug('test'), { environment: 'integration' });
    const user = await tenant.createUser(test.slug, { loginName: 'robot', password: 'correct horse battery' });
    const key = (await (
      await tenant.call('POST', `/v1/repositories/${test.slug}/users/${user.id}/api-keys`, { name: 'x' })
    ).json()) as CreatedApiKeyView;
    expect(key.value).toMatch(/^lk_test_ak_/);
    expect(await read(test.repositoryUrl, { apikey: key.value })).toBe(200);
    expect(await read(acme.repositoryUrl, { apikey: key.value })).toBe(401);
    expect(await read(test.repositoryUrl, { apikey: (await createKey()).value })).toBe(401);
    expect((await mint(acme.authorityUrl, test.toolClient.secret.value)).status).toBe(401);
  });
});

describe('the consumers of a secret', () => {
  it('name who uses which version, from where, and who is still on the old one', async () => {
    const old = acme.toolClient.secret.value;
    await mint(acme.authorityUrl, old, { 'latchkey-consumer': 'nightly import' });
    const { secret } = await tenant.regenerate(acme);
    await mint(acme.authorityUrl, old, { 'latchkey-consumer': 'nightly import' });
    await mint(acme.authorityUrl, secret.value, { 'user-agent': 'reports/2.0' });
    let seen: string[] = [];
    const deadline = Date.now() + 10_000;
    while (seen.length < 3 && Date.now() < deadline) {
      const answer = await tenant.call('GET', `/v1/repositories/${acme.slug}/clients/${acme.toolClient.clientId}/consumers`);
      const { items } = (await answer.json()) as { items: ConsumerView[] };
      for (const item of items) expect(item).toMatchObject({ address: '127.0.0.1', uses: 1 });
      seen = items.map(({ consumer, outcome, secretHint }) => `${consumer} ${outcome} ${secretHint.slice(-4)}`).toSorted();
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect(seen).toEqual([
      `nightly import accepted ${old.slice(-4)}`,
      `nightly import replaced ${old.slice(-4)}`,
      `reports/2.0 accepted ${secret.value.slice(-4)}`,
    ]);
    acme.toolClient.secret = secret;
  });
});

describe('guessing', () => {
  it('at one client’s secret is slowed, and another client from the same address is not', async () => {
    const victim = await tenant.createRepository(freshSlug('victim'));
    const { clientId, secret } = victim.toolClient;
    const [, authority = ''] = nodes(100);
    const node = authority.replace(acme.slug, victim.slug);
    const answers: Response[] = [];
    for (let i = 0; i < 12; i++) answers.push(await mint(node, `${secret.value.slice(0, -8)}00000000`, {}, clientId));
    expect(answers.slice(0, 10).map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => 401));
    expect(answers.slice(10).map(({ status }) => status)).toEqual([429, 429]);
    expect(Number(answers.at(-1)?.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await mint(authority, acme.toolClient.secret.value)).status).toBe(200);
  });
});
