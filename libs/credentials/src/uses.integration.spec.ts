import { ClientSecrets } from './client-secret.js';
import { openFixture, type CredentialsFixture, type RepositoryFixture } from './testing/fixture.js';
import { consumerOf, UseRecorder } from './uses.js';

let fixture: CredentialsFixture;
let acme: RepositoryFixture;
let recorder: UseRecorder;

beforeAll(async () => {
  fixture = await openFixture();
  acme = await fixture.newRepository('acme');
  recorder = new UseRecorder(fixture.pool, (error) => {
    throw error;
  });
});
afterAll(async () => {
  await recorder.close();
  await fixture.close();
});

const use = (more: { consumer?: string; outcome?: 'accepted' | 'replaced'; address?: string } = {}) => ({
  repositoryId: acme.id,
  credentialId: acme.toolId,
  versionId: acme.secret.id,
  outcome: 'accepted' as const,
  consumer: 'importer',
  address: '192.0.2.1',
  ...more,
});

describe('uses of a secret', () => {
  it('are added up per consumer, address and outcome, over batches and processes', async () => {
    const another = new UseRecorder(fixture.pool, () => undefined);
    for (const each of [recorder, another]) {
      for (let i = 0; i < 500; i++) each.record(use());
      each.record(use({ outcome: 'replaced' }));
      each.record(use({ consumer: 'exporter' }));
    }
    await Promise.all([recorder.flush(), another.flush()]);
    recorder.record(use());
    await recorder.flush();
    await another.close();
    const secrets = new ClientSecrets(fixture.database, fixture.peppers);
    const consumers = await secrets.consumers(acme.actor, acme.slug, acme.toolId);
    const counted = Object.fromEntries(consumers.map((each) => [`${each.consumer} ${each.outcome}`, each.uses]));
    expect(counted).toEqual({ 'importer accepted': 1001, 'importer replaced': 2, 'exporter accepted': 2 });
    expect(consumers[0]).toMatchObject({ secretId: acme.secret.id, secretHint: acme.secret.hint, address: '192.0.2.1' });
    const [version] = await secrets.list(acme.actor, acme.slug, acme.toolId);
    expect(Date.parse(version?.lastUsedAt ?? '')).toBeGreaterThan(Date.now() - 60_000);
  });

  it('take any text that a caller sends as its name', async () => {
    for (const consumer of ['', '\u0000', '\ud800', 'x'.repeat(10_000), "'; DROP TABLE credential_uses; --", '💥'])
      recorder.record(use({ consumer }));
    await recorder.flush();
    const { rows } = await fixture.owner.query<{ consumer: string }>('SELECT consumer FROM credential_uses');
    expect(rows.map((row) => row.consumer)).toEqual(expect.arrayContaining(['unknown', '💥', "'; DROP TABLE credential_uses; --"]));
    expect(Math.max(...rows.map((row) => row.consumer.length))).toBeLessThanOrEqual(200);
  });

  it('can be written by no application role but through the function', async () => {
    const write = fixture.database.transaction({ tenantId: acme.tenantId, repositoryId: acme.id }, (tx) =>
      tx.query('UPDATE credential_uses SET uses = 0'),
    );
    await expect(write).rejects.toThrow('permission denied');
  });

  it('that cannot be written are given up, and say so', async () => {
    const faults: unknown[] = [];
    const broken = new UseRecorder(new Proxy(fixture.pool, { get: () => async () => Promise.reject(new Error('gone')) }), (error) =>
      faults.push(error),
    );
    broken.record(use());
    await broken.close();
    expect(faults).toHaveLength(1);
  });
});

describe('a consumer', () => {
  it.each([
    [{ 'latchkey-consumer': 'importer', 'user-agent': 'curl' }, 'importer'],
    [{ 'user-agent': 'curl' }, 'curl'],
    [{}, undefined],
  ])('with the headers %j is called %s', (headers, name) => expect(consumerOf(headers)).toBe(name));
});
