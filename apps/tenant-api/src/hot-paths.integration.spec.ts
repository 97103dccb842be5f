import type { ProvisionedRepositoryView } from '@latchkey/contracts';
import { costOf, documentedCost } from '@latchkey/database/testing';
import { startApi, type RunningApi } from './testing/running-api.js';

let api: RunningApi;
let shop: ProvisionedRepositoryView;
let made = 0;

beforeAll(async () => {
  api = await startApi();
  shop = await provision();
});
afterAll(() => api.close());

async function provision(): Promise<ProvisionedRepositoryView> {
  const body = { slug: `shop-${++made}`, name: 'Shop', environment: 'production' };
  const answer = await api.tenant.call('POST', '/v1/repositories', body);
  expect(answer.status).toBe(201);
  return (await answer.json()) as ProvisionedRepositoryView;
}

async function regenerate(): Promise<void> {
  const path = `/v1/repositories/${shop.slug}/clients/${shop.toolClient.clientId}/secrets/regenerate`;
  const answer = await api.tenant.call('POST', path, {});
  expect(answer.ok).toBe(true);
  await answer.text();
}

describe('what a change at the tenant API costs the database is what docs/hot-paths.md says', () => {
  it.each([
    ['provision a repository', provision],
    ['regenerate a secret', regenerate],
  ])('to %s', async (path, work) => {
    await work();
    expect({ path, ...(await costOf(work)) }).toEqual({ path, ...(await documentedCost(path)) });
  });
});

/** Rows that were read without an index, since the database was made. */
async function readWhole(): Promise<number> {
  // A connection tells what it has counted when it ends, or some seconds after its last statement.
  const apps = `FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND usename = 'latchkey'`;
  for (let left = 1; left > 0; left = (await api.test.owner.query(`SELECT pg_terminate_backend(pid, 1000) ${apps}`)).rowCount ?? 0);
  const { rows } = await api.test.owner.query<{ n: string }>(
    `SELECT sum(seq_tup_read) AS n FROM pg_stat_user_tables WHERE schemaname = 'latchkey' AND relname ~ '^(content|repositor|client|secret|signing)'`,
  );
  return Number(rows[0]?.n);
}

it('a repository is provisioned by indexes alone, also when it was planned while the tables were small', async () => {
  await api.test.owner.query('ANALYZE');
  const before = await readWhole();
  for (let i = 0; i < 20; i++) await provision();
  expect((await readWhole()) - before).toBe(0);
});
