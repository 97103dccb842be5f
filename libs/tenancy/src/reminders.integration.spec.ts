import { randomBytes } from 'node:crypto';
import { tenantPermissions, type ProvisionedRepositoryView } from '@latchkey/contracts';
import { machineActor, type Actor } from '@latchkey/access';
import { ApiKeys, CredentialCheck, KeyRing, RepositoryDirectory } from '@latchkey/credentials';
import { connectForChecks, newId, type Pool } from '@latchkey/database';
import { createTestDatabase, type TestDatabase } from '@latchkey/database/testing';
import { AddressTemplate } from '@latchkey/runtime';
import { addTenant, consoleSlug, install, remind, Repositories, Tenants, Users, Webhooks } from './index.js';
import type { Reminded } from './reminders.js';

let test: TestDatabase;
let pool: Pool;
let actor: Actor;
let clientId: string;
let repository: ProvisionedRepositoryView;
let secretId: string;

const ring = () => KeyRing.parse(`k1:${randomBytes(32).toString('base64')}`);
const [peppers, encryption] = [ring(), ring()];
const urls = {
  authorityUrls: new AddressTemplate('http://localhost:4100/{repository}'),
  repositoryUrls: new AddressTemplate('http://localhost:4200/{repository}'),
};
const day = 86_400_000;
/** Long before anything else in the database gets old. */
const born = new Date(Math.floor(Date.now() / 1000) * 1000);
const after = (days: number) => new Date(born.getTime() + days * day);
const run = (now: Date) => remind(test.database, new AbortController().signal, now);

interface Mail {
  kind: string;
  name: string;
  hint: string;
  repository: string | null;
  because: string;
  dueAt: string;
  daysLeft: number;
}
/** What was decided on so far, mails and events alike, about one credential. */
async function told(versionId: string): Promise<{ because: string; daysLeft: number }[]> {
  const events = await test.owner.query<{ because: string; daysLeft: number }>(
    `SELECT payload->'data'->>'because' AS because, (payload->'data'->>'daysLeft')::int AS "daysLeft"
     FROM webhook_deliveries WHERE event = 'credential.due' AND payload->'data'->>'versionId' = $1 ORDER BY created_at, id`,
    [versionId],
  );
  return events.rows;
}
async function mailsAbout(hint: string): Promise<Mail[]> {
  const { rows } = await test.owner.query<{ data: Mail }>(
    `SELECT data FROM mails WHERE template = 'credential.due' AND data->>'hint' = $1 ORDER BY id`,
    [hint],
  );
  return rows.map(({ data }) => data);
}

beforeEach(async () => {
  test = await createTestDatabase();
  pool = connectForChecks({ url: test.url });
  const options = { database: test.database, peppers, encryption, ...urls, portalUrl: 'http://localhost:4000' };
  await install(options);
  const made = await addTenant(options, 'Acme');
  clientId = made.credential.clientId;
  const directory = new RepositoryDirectory(pool);
  const home = await directory.find(consoleSlug);
  const answer = await new CredentialCheck(pool).ask({ repositoryId: home?.id ?? '', clientId });
  actor = machineActor(answer?.client?.tenantId ?? '', clientId, tenantPermissions, { requestId: newId() });
  const webhooks = new Webhooks(test.database, encryption);
  await new Tenants(test.database, webhooks).update(actor, { webhook: { url: 'https://example.com/hook' } });
  repository = await new Repositories({ database: test.database, peppers, encryption, ...urls }).create(actor, {
    slug: 'acme',
    name: 'Acme',
    environment: 'production',
  });
  secretId = repository.toolClient.secret.id;
  await test.owner.query('UPDATE secret_versions SET created_at = $1', [born]);
});
afterEach(async () => {
  await pool.end();
  await test.drop();
});

const expire = (days: number) => test.owner.query('UPDATE secret_versions SET expires_at = $2 WHERE id = $1', [secretId, after(days)]);

describe('a secret that will expire', () => {
  it('is told of 30 days, 7 days and a day before, once each, however often anyone looks', async () => {
    await expire(100);
    for (const days of [69, 70, 70.5, 80, 92.9, 93, 95, 98.9, 99, 99.5, 100, 101]) {
      await run(after(days));
      await run(after(days));
    }
    expect(await told(secretId)).toEqual([
      { because: 'expiry', daysLeft: 30 },
      { because: 'expiry', daysLeft: 7 },
      { because: 'expiry', daysLeft: 1 },
    ]);
  });

  it('is told of by mail and webhook, which name it and say when', async () => {
    await expire(100);
    await run(after(70));
    const { hint } = repository.toolClient.secret;
    expect(await mailsAbout(hint)).toEqual([
      { kind: 'client secret', name: 'Tool', hint, repository: 'acme', because: 'expiry', dueAt: after(100).toISOString(), daysLeft: 30 },
    ]);
    const { rows } = await test.owner.query(`SELECT payload->'data' AS data FROM webhook_deliveries WHERE event = 'credential.due'`);
    expect(rows).toEqual([
      {
        data: {
          kind: 'client-secret',
          repositoryId: repository.id,
          clientId: repository.toolClient.clientId,
          versionId: secretId,
          because: 'expiry',
          dueAt: after(100).toISOString(),
          daysLeft: 30,
        },
      },
    ]);
  });

  it('is told of once when several workers look at the same moment', async () => {
    await expire(100);
    await Promise.all([1, 2, 3, 4].map(() => run(after(70))));
    expect(await told(secretId)).toHaveLength(1);
    expect(await mailsAbout(repository.toolClient.secret.hint)).toHaveLength(1);
  });

  it('is told of once when nobody looked for a long time: the nearest reminder stands for all', async () => {
    await expire(100);
    await run(after(99.5));
    await run(after(99.6));
    expect(await told(secretId)).toEqual([{ because: 'expiry', daysLeft: 1 }]);
  });

  it('is not told of at once when it was made for a short time', async () => {
    await expire(5);
    await run(after(0.1));
    expect(await told(secretId)).toEqual([]);
    await run(after(4.1));
    expect(await told(secretId)).toEqual([{ because: 'expiry', daysLeft: 1 }]);
  });

  it('is not told of any more once it has ended, is being replaced, or its client or repository is gone', async () => {
    await expire(100);
    for (const end of [
      'UPDATE secret_versions SET ended_at = now()',
      `UPDATE secret_versions SET overlap_ends_at = now() + interval '1 day'`,
      'UPDATE clients SET deleted_at = now()',
      'UPDATE repositories SET deleted_at = now()',
    ]) {
      const client = await test.owner.connect();
      await client.query(end);
      client.release();
      await run(after(70));
      expect([end, await told(secretId)]).toEqual([end, []]);
      await test.owner.query(
        'UPDATE secret_versions SET ended_at = NULL, overlap_ends_at = NULL; UPDATE clients SET deleted_at = NULL; UPDATE repositories SET deleted_at = NULL',
      );
    }
  });

  it('is told of with the reminder that remembers it or not at all', async () => {
    await expire(100);
    await test.owner.query('ALTER TABLE mails ADD CONSTRAINT broken CHECK (false) NOT VALID');
    await expect(run(after(70))).rejects.toThrow();
    await test.owner.query('ALTER TABLE mails DROP CONSTRAINT broken');
    expect(await told(secretId)).toEqual([]);
    await run(after(70));
    expect(await told(secretId)).toHaveLength(1);
  });
});

describe('a secret that grows old', () => {
  it('is told of 30 days, 7 days and a day before its first birthday, once each', async () => {
    for (const days of [330, 335, 340, 358, 360, 364, 365, 370, 500]) await run(after(days));
    expect(await told(secretId)).toEqual([
      { because: 'age', daysLeft: 30 },
      { because: 'age', daysLeft: 7 },
      { because: 'age', daysLeft: 1 },
    ]);
  });

  it('is told of although it is older already, when nobody looked in time', async () => {
    await run(after(400));
    expect(await told(secretId)).toEqual([{ because: 'age', daysLeft: 0 }]);
  });

  it('is not told of for its age when it ends before or then', async () => {
    await expire(365);
    for (const days of [335, 358, 364]) await run(after(days));
    expect((await told(secretId)).map(({ because }) => because)).toEqual(['expiry', 'expiry', 'expiry']);
  });

  it('is told of as what it is: a tenant’s credential names no repository', async () => {
    await run(after(336));
    const { rows } = await test.owner.query(
      `SELECT payload->'data' AS data FROM webhook_deliveries WHERE event = 'credential.due' AND payload->'data'->>'kind' = 'tenant-credential'`,
    );
    expect(rows).toEqual([
      {
        data: {
          kind: 'tenant-credential',
          clientId,
          versionId: expect.any(String) as string,
          because: 'age',
          dueAt: after(365).toISOString(),
          daysLeft: 29,
        },
      },
    ]);
  });
});

describe('an API key', () => {
  it('is told of before it expires, which by default is in a year, and not for its age', async () => {
    const user = await new Users(test.database, peppers, urls.authorityUrls).create(actor, 'acme', {
      loginName: 'anna',
      administrator: false,
    });
    const key = await new ApiKeys(test.database, peppers).create(actor, 'acme', user.id, { name: 'Import', permissions: ['content:read'] });
    const end = Date.parse(key.expiresAt);
    for (const days of [31, 30, 7, 1, 0.5]) await run(new Date(end - days * day));
    expect(await told(key.id)).toEqual([30, 7, 1].map((daysLeft) => ({ because: 'expiry', daysLeft })));
    expect((await mailsAbout(key.hint))[0]).toMatchObject({ kind: 'API key', name: 'Import', repository: 'acme', daysLeft: 30 });
  });
});

describe('a pass over all credentials', () => {
  it('counts what is due and what it sent, across as many batches as it takes', async () => {
    await test.owner.query(
      `INSERT INTO secret_versions (repository_id, client_id, id, tenant_id, hash, pepper_id, hint, created_at, expires_at)
       SELECT repository_id, client_id, gen_random_uuid(), tenant_id, hash, pepper_id, 'many', $2, $3 FROM secret_versions, generate_series(1, 600) WHERE id = $1`,
      [secretId, born, after(100)],
    );
    const { due, sent }: Reminded = await run(after(94));
    expect(sent).toHaveLength(600);
    expect(new Set(sent.map(({ because, days }) => `${because} ${days}`))).toEqual(new Set(['expiry 7']));
    expect(due).toEqual(
      expect.arrayContaining([
        { because: 'expiry', withinDays: 30, count: 600 },
        { because: 'expiry', withinDays: 7, count: 600 },
        { because: 'expiry', withinDays: 1, count: 0 },
        { because: 'age', withinDays: 30, count: 0 },
      ]) as Reminded['due'],
    );
    expect((await run(after(94))).sent).toEqual([]);
  });

  it('stops between two batches when the worker must', async () => {
    await expire(100);
    const { sent } = await remind(test.database, AbortSignal.abort(), after(70));
    expect(sent).toEqual([]);
  });
});
