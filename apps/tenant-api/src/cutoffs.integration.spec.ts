import type { CreatedTenantCredentialView, CutoffProofView, ProvisionedRepositoryView, RegeneratedSecretView } from '@latchkey/contracts';
import { newId } from '@latchkey/database';
import { startApi, type RunningApi } from './testing/running-api.js';

let api: RunningApi;
let acme: ProvisionedRepositoryView;
let cutoffId: string;

beforeAll(async () => {
  api = await startApi();
  const body = { slug: 'acme', name: 'Acme', environment: 'production' };
  acme = (await (await api.tenant.call('POST', '/v1/repositories', body)).json()) as ProvisionedRepositoryView;
});
afterAll(() => api.close());

beforeEach(async () => {
  await api.test.owner.query('DELETE FROM nodes');
  const regenerate = `/v1/repositories/acme/clients/${acme.toolClient.clientId}/secrets/regenerate`;
  cutoffId = ((await (await api.tenant.call('POST', regenerate, {})).json()) as RegeneratedSecretView).cutoff.id;
});

/** A node that was alive then and has not reported. */
const silentNode = () =>
  api.test.owner.query(
    `INSERT INTO nodes (id, name, kind, url, started_at, seen_at) VALUES ($1, 'killed', 'authority', 'http://127.0.0.1:1', now() - interval '1 minute', now())`,
    [newId()],
  );

const states = (text: string) =>
  text
    .split('\n\n')
    .filter(Boolean)
    .map((event) => JSON.parse(event.replace(/^data: /, '')) as CutoffProofView);

describe('whom a tool acts as', () => {
  it('is the default administrator again when one says nobody, and what the tool got as another ends', async () => {
    const path = `/v1/repositories/acme/clients/${acme.toolClient.clientId}`;
    const { userId: first } = (await (await api.tenant.call('GET', path)).json()) as { userId: number };
    const added = await api.tenant.call('POST', '/v1/repositories/acme/users', { loginName: 'anna' });
    const anna = (await added.json()) as { id: number };
    const actAs = async (userId: number | null) =>
      (await (await api.tenant.call('PATCH', path, { userId })).json()) as { userId: number; cutoff?: object };
    expect(await actAs(anna.id)).toMatchObject({ userId: anna.id });
    expect(await actAs(null)).toMatchObject({ userId: first, cutoff: expect.anything() as object });
    expect(await actAs(null)).not.toHaveProperty('cutoff');
  });
});

describe('the live proof', () => {
  it('comes as server-sent events and ends at once when there is nothing to wait for', async () => {
    const response = await api.tenant.call('GET', `/v1/repositories/acme/cutoffs/${cutoffId}/events`);
    expect([response.status, response.headers.get('content-type'), response.headers.get('cache-control')]).toEqual([
      200,
      'text/event-stream',
      'no-store',
    ]);
    const proof = await (await api.tenant.call('GET', `/v1/cutoffs/${cutoffId}`)).json();
    expect(states(await response.text())).toEqual([proof]);
  });

  it('goes on while a node has not reported, and frees its place when the caller goes away', async () => {
    await silentNode();
    for (let i = 0; i < 150; i++) {
      const going = new AbortController();
      const response = await fetch(`${api.url}/v1/cutoffs/${cutoffId}/events`, {
        headers: { authorization: `Bearer ${api.tenant.token}` },
        signal: going.signal,
      });
      // Were a place not freed, the hundred-and-first caller would be turned away.
      expect([i, response.status]).toEqual([i, 200]);
      const { value } = (await response.body?.getReader().read()) ?? {};
      expect(states(new TextDecoder().decode(value))[0]?.nodes).toMatchObject([{ node: 'killed', refusedAfterMillis: null }]);
      going.abort();
    }
  });

  it('tells nothing more once the credential of whoever follows it has ended', async () => {
    await silentNode();
    const body = { name: 'follower', permissions: ['repositories:read'] };
    const { clientId, secret } = (await (await api.tenant.call('POST', '/v1/credentials', body)).json()) as CreatedTenantCredentialView;
    const { call } = await api.withCredential({ clientId, secretId: secret.id });
    const reader = (await call('GET', `/v1/cutoffs/${cutoffId}/events`)).body?.getReader();
    await reader?.read();
    expect((await api.tenant.call('DELETE', `/v1/credentials/${clientId}`)).status).toBe(200);
    await api.test.owner.query('DELETE FROM nodes');
    await expect(reader?.read()).rejects.toThrow('terminated');
  });

  it('answers with a problem, not with a stream, when there is no such cut-off', async () => {
    const response = await api.tenant.call('GET', `/v1/cutoffs/${newId()}/events`);
    expect([response.status, response.headers.get('content-type')]).toEqual([404, 'application/problem+json; charset=utf-8']);
  });

  it('does not keep the process from stopping', async () => {
    const other = await startApi();
    await other.tenant.call('POST', '/v1/repositories', { slug: 'acme', name: 'Acme', environment: 'production' });
    const suspended = await (await other.tenant.call('POST', '/v1/repositories/acme/suspend')).json();
    await other.test.owner.query(
      `INSERT INTO nodes (id, name, kind, url, started_at, seen_at) VALUES ($1, 'killed', 'authority', 'http://127.0.0.1:1', now() - interval '1 minute', now())`,
      [newId()],
    );
    const { id } = (suspended as { cutoff: { id: string } }).cutoff;
    const response = await other.tenant.call('GET', `/v1/cutoffs/${id}/events`);
    const began = performance.now();
    await other.app.close();
    // Left alone, it would go on for half a minute.
    expect(performance.now() - began).toBeLessThan(20_000);
    expect(states(await response.text())).toHaveLength(1);
    await other.close();
  });
});
