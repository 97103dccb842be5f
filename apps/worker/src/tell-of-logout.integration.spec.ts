import { randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { KeyRing } from '@latchkey/credentials';
import { newId } from '@latchkey/database';
import { createTestDatabase, type TestDatabase } from '@latchkey/database/testing';
import { enqueue } from '@latchkey/jobs';
import { migrateQueue } from '@latchkey/jobs/migrate';
import { startWorker, type JobQueue, type RunningWorker } from '@latchkey/jobs/worker';
import { AddressTemplate, createLogger } from '@latchkey/runtime';
import { install } from '@latchkey/tenancy';
import { recoverJobs } from './recover-jobs.js';
import { tellOfLogout } from './tell-of-logout.js';

const log = createLogger('logout-test', 'silent');
const run = { id: newId(), lastAttempt: false, signal: new AbortController().signal };

let test: TestDatabase;
let app: Server;
let queue: JobQueue;
let worker: RunningWorker;
let tell: ReturnType<typeof tellOfLogout>;
let home: { tenantId: string; repositoryId: string };
let told = 0;
let answers: number[] = [];

beforeAll(async () => {
  test = await createTestDatabase();
  await migrateQueue(test.ownerUrl, test.url);
  const ring = () => KeyRing.parse(`k1:${randomBytes(32).toString('base64')}`);
  const [encryption, authorityUrls] = [ring(), new AddressTemplate('https://{repository}.id.example.com')];
  const urls = { authorityUrls, repositoryUrls: authorityUrls, portalUrl: 'http://localhost:4000' };
  await install({ database: test.database, peppers: ring(), encryption, ...urls });
  app = createServer((_, response) => {
    told += 1;
    response.writeHead(answers.shift() ?? 204).end();
  });
  await new Promise<void>((resolve) => void app.listen(0, '127.0.0.1', resolve));
  const { rows } = await test.owner.query<typeof home>(
    `INSERT INTO clients (tenant_id, repository_id, id, kind, name, backchannel_logout_uri)
     SELECT tenant_id, id, 'app_told', 'app', 'App', $1 FROM repositories WHERE slug = 'console'
     RETURNING tenant_id AS "tenantId", repository_id AS "repositoryId"`,
    [`http://localhost:${(app.address() as AddressInfo).port}/signed-out`],
  );
  home = rows[0]!;
  tell = tellOfLogout({ database: test.database, encryption, authorityUrls, allowPrivateAddresses: true });
  const nothing = async () => undefined;
  worker = await startWorker({
    database: test.database,
    databaseUrl: test.url,
    queue: { url: test.url, prefix: '' },
    handlers: (opened) => {
      queue = opened;
      return {
        'webhook.deliver': nothing,
        'webhook.recover': nothing,
        'mail.send': nothing,
        'logout.tell': tell,
        'credentials.remind': nothing,
        'client-keys.fetch': nothing,
        'domains.look': nothing,
        'signing-keys.tend': nothing,
        'records.sweep': nothing,
      };
    },
    log,
  });
});
beforeEach(() => {
  told = 0;
});
afterAll(async () => {
  await worker.close();
  app.close();
  app.closeAllConnections();
  await test.drop();
});

const signedOut = () => ({ ...home, clientId: 'app_told', userId: 1, sid: newId(), issuer: null });
const ask = async () => test.database.transaction(home, (tx) => enqueue(tx, home.tenantId, 'logout.tell', signedOut()));
const recover = () => recoverJobs({ database: test.database, queue, log })({}, run);

async function rowOf(id: string): Promise<{ relayed: boolean } | undefined> {
  const { rows } = await test.owner.query<{ relayed: boolean }>('SELECT relayed_at IS NOT NULL AS relayed FROM outbox WHERE id = $1', [id]);
  return rows[0];
}

async function until(reached: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await reached())) await new Promise((resolve) => setTimeout(resolve, 20));
}

describe('a sign-out that an app is to be told of', () => {
  it('is put back when the queue lost it before the app was told, and not once it was', async () => {
    answers = [500];
    const id = await ask();
    await until(async () => told === 1 && (await rowOf(id))?.relayed === true);
    await recover();
    expect(await rowOf(id)).toEqual({ relayed: true });
    await test.owner.query('DELETE FROM latchkey_queue.job WHERE id = $1', [id]);
    await recover();
    await until(async () => (await rowOf(id)) === undefined);
    expect(told).toBe(2);
  });

  it('is forgotten when the app did not answer the last time', async () => {
    const id = newId();
    const remember = `INSERT INTO outbox (id, tenant_id, name, data, relayed_at) VALUES ($1, $2, 'logout.tell', '{}', now())`;
    await test.owner.query(remember, [id, home.tenantId]);
    answers = [500, 500];
    await expect(tell(signedOut(), { ...run, id })).rejects.toThrow('500');
    expect(await rowOf(id)).toEqual({ relayed: true });
    await expect(tell(signedOut(), { ...run, id, lastAttempt: true })).rejects.toThrow('500');
    expect(await rowOf(id)).toBeUndefined();
  });
});
