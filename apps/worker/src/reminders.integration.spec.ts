import { newId, Repository, RepositorySlug, RepositoryUser, Tenant } from '@latchkey/database';
import { createTestDatabase, type TestDatabase } from '@latchkey/database/testing';
import { createLogger, exposeMetrics } from '@latchkey/runtime';
import { remindOfCredentials } from './reminders.js';

let test: TestDatabase;

beforeAll(async () => {
  test = await createTestDatabase();
  const [tenantId, id] = [newId(), newId()];
  const client = { repository_id: id, client_id: 'tool_one', tenant_id: tenantId };
  await test.database.transaction('system', async (tx) => {
    await tx.insert(Tenant, { id: tenantId, name: 'Acme' });
    await tx.insert(RepositorySlug, { slug: 'acme', repositoryId: id, tenantId });
    await tx.insert(Repository, { tenantId, id, slug: 'acme', name: 'Acme', environment: 'production', settings: {} as never });
    await tx.insert(RepositoryUser, { repositoryId: id, id: 1, tenantId, loginName: 'tool', name: 'Tool', technical: true });
  });
  await test.owner.query(
    `INSERT INTO clients (repository_id, id, tenant_id, kind, name, user_id) VALUES ($1, $2, $3, 'tool', 'Tool', 1)`,
    Object.values(client),
  );
  await test.owner.query(
    `INSERT INTO secret_versions (repository_id, client_id, tenant_id, id, hash, pepper_id, hint, created_at, expires_at)
     SELECT $1, $2, $3, gen_random_uuid(), decode(repeat('00', 32), 'hex'), 'k1', 'lk_live_cs_…abcd', now() - interval '60 days', now() + make_interval(days => n)
     FROM unnest(ARRAY[20, 25, 6, 300]) n`,
    Object.values(client),
  );
});
afterAll(() => test.drop());

describe('reminders', () => {
  it('are counted, and so is what is due, where Prometheus reads it', async () => {
    const handle = remindOfCredentials({ database: test.database, log: createLogger('test', 'silent') });
    const run = { id: newId(), lastAttempt: false, signal: new AbortController().signal };
    await handle({}, run);
    await handle({}, run);
    const { body } = await exposeMetrics();
    const value = (name: string, because: string, days: number) =>
      new RegExp(`^${name}\\{because="${because}",days="${days}"\\} (\\d+)$`, 'm').exec(body)?.[1];
    expect([30, 7, 1].map((days) => value('latchkey_credential_reminders_total', 'expiry', days))).toEqual(['2', '1', undefined]);
    expect([30, 7, 1].map((days) => value('latchkey_credentials_due', 'expiry', days))).toEqual(['3', '1', '0']);
    expect(value('latchkey_credentials_due', 'age', 30)).toBe('0');
  });
});
