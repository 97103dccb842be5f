import { once } from 'node:events';
import { newId } from '@latchkey/database';
import { createTestDatabase, type TestDatabase } from '@latchkey/database/testing';
import { createLogger } from '@latchkey/runtime';
import { Redis } from 'ioredis';
import pg from 'pg';
import { catalogue } from './catalogue.js';
import { enqueue } from './outbox.js';
import { migrateQueue } from './migrate.js';
import { JobQueue, queueName, queueSchema, type QueueAddress } from './queue.js';
import { relayBatch } from './relay.js';
import { startWorker, type Handlers, type RunningWorker } from './worker.js';

const log = createLogger('jobs-test', 'silent');
const redisUrl = process.env['REDIS_URL'];
if (!redisUrl) console.log('The queue on Redis was not tested: set REDIS_URL to a Redis server.');

let test: TestDatabase;
let tenantId: string;

beforeAll(async () => {
  test = await createTestDatabase();
  await migrateQueue(test.ownerUrl, test.url);
});
afterAll(() => test.drop());

beforeEach(async () => {
  tenantId = newId();
  await test.owner.query('TRUNCATE outbox');
});

/** A job is asked for and forgotten; what it is about need not exist here. */
async function ask(deliveryId = newId()): Promise<string> {
  await test.database.transaction({ tenantId }, (tx) =>
    enqueue(tx, tenantId, 'webhook.deliver', { tenantId, webhookId: newId(), deliveryId, round: 0 }),
  );
  return deliveryId;
}

async function waitingRows(): Promise<number> {
  const { rows } = await test.owner.query<{ waiting: number }>('SELECT count(*)::int AS waiting FROM outbox WHERE relayed_at IS NULL');
  return rows[0]!.waiting;
}

async function until(reached: () => boolean | Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 60_000; !(await reached()); await new Promise((resolve) => setTimeout(resolve, 20)))
    if (Date.now() > deadline) throw new Error('it did not come to that within a minute');
}

/** Kills the connections of transactions that are under way, as if their process had died. */
async function killTransactions(): Promise<void> {
  await test.owner.query(`
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND state = 'idle in transaction'`);
}

/** As if all attempts of each job but the last had failed. */
async function leaveOneAttempt({ url, prefix }: QueueAddress): Promise<void> {
  const spent = catalogue['webhook.deliver'].attempts - 1;
  if (!prefix) return void (await test.owner.query(`UPDATE ${queueSchema}.job SET attempts_made = $1`, [spent]));
  const redis = new Redis(url);
  const { rows } = await test.owner.query<{ id: string }>('SELECT id FROM outbox');
  for (const { id } of rows) await redis.hset(`${prefix}:${queueName}:${id}`, 'atm', spent);
  await redis.quit();
}

/** Leaves a Redis that is not ours as we found it. */
async function forget({ url, prefix }: QueueAddress): Promise<void> {
  const redis = new Redis(url);
  for await (const keys of redis.scanStream({ match: `${prefix}:*` })) if (keys.length > 0) await redis.del(...keys);
  await redis.quit();
}

describe.each(redisUrl ? ['PostgreSQL', 'Redis'] : ['PostgreSQL'])('the queue on %s', (kind) => {
  let address: QueueAddress;
  let delivered: string[];
  let deliver: Handlers['webhook.deliver'];
  let sweeps: number;
  const running: RunningWorker[] = [];

  async function start(): Promise<void> {
    const handlers: Handlers = {
      'webhook.deliver': async (data, run) => {
        await deliver(data, run);
        delivered.push(data.deliveryId);
      },
      'webhook.recover': async () => undefined,
      'logout.tell': async () => undefined,
      'mail.send': async () => undefined,
      'credentials.remind': async () => undefined,
      'client-keys.fetch': async () => undefined,
      'domains.look': async () => undefined,
      'signing-keys.tend': async () => undefined,
      'records.sweep': async () => void (sweeps += 1),
    };
    running.push(await startWorker({ database: test.database, databaseUrl: test.url, queue: address, handlers: () => handlers, log }));
  }

  async function openQueue(): Promise<JobQueue> {
    return JobQueue.open(address, () => undefined);
  }

  beforeEach(async () => {
    address = kind === 'Redis' ? { url: redisUrl!, prefix: `test-${newId()}` } : { url: test.url, prefix: '' };
    await test.owner.query(`TRUNCATE ${queueSchema}.job, ${queueSchema}.scheduler CASCADE`);
    delivered = [];
    sweeps = 0;
    deliver = async () => undefined;
  });
  afterEach(async () => {
    await Promise.all(running.splice(0).map((worker) => worker.close()));
    if (kind === 'Redis') await forget(address);
  });

  it('runs a job that a transaction asked for', async () => {
    await start();
    const id = await ask();
    await until(() => delivered.length > 0);
    expect(delivered).toEqual([id]);
    // It may be done before the row that asked for it is marked.
    await until(async () => (await waitingRows()) === 0);
    await running[0]!.ping();
  });

  it('runs what was asked for while no worker was there', async () => {
    const ids = [await ask(), await ask(), await ask()];
    await start();
    await until(() => delivered.length === 3);
    expect(delivered.toSorted()).toEqual(ids.toSorted());
  });

  it('shares the work among several workers, each job done by one', async () => {
    await Promise.all([start(), start(), start()]);
    const ids = await Promise.all(Array.from({ length: 100 }, () => ask()));
    await until(() => delivered.length >= 100);
    await until(async () => (await waitingRows()) === 0);
    expect(delivered.toSorted()).toEqual(ids.toSorted());
  });

  it('loses nothing and does nothing twice when a relay dies after it put a job into the queue', async () => {
    const id = await ask();
    const queue = await openQueue();
    const dying = relayBatch(test.database, {
      async add(jobs) {
        await queue.add(jobs);
        await killTransactions();
      },
    });
    await expect(dying).rejects.toThrow();
    expect(await waitingRows()).toBe(1);
    expect(await relayBatch(test.database, queue)).toBe(1);
    await queue.close();
    const second = await ask();
    await start();
    await until(() => delivered.includes(second));
    expect(delivered.toSorted()).toEqual([id, second].toSorted());
  });

  it('keeps the rows when the queue refuses them', async () => {
    await ask();
    const refused = relayBatch(test.database, { add: () => Promise.reject(new Error('the queue is gone')) });
    await expect(refused).rejects.toThrow('the queue is gone');
    expect(await waitingRows()).toBe(1);
  });

  it('tries a failed job again, and says that it is not the last time', async () => {
    const last: boolean[] = [];
    deliver = async (_, run) => {
      last.push(run.lastAttempt);
      if (last.length === 1) throw new Error('not today');
    };
    await start();
    const id = await ask();
    await until(() => delivered.length > 0);
    expect(delivered).toEqual([id]);
    expect(last).toEqual([false, false]);
  });

  it('lets no tenant hold up the others: its jobs wait while its receivers hang, and are all done in the end', async () => {
    const [slow, quick] = [newId(), newId()];
    const hang = Promise.withResolvers<void>();
    let hanging = 0;
    deliver = async (data) => {
      if (data.tenantId !== slow) return;
      hanging += 1;
      await hang.promise;
    };
    const askFor = (id: string) => {
      tenantId = id;
      return ask();
    };
    const slowOnes: string[] = [];
    for (let job = 0; job < 40; job += 1) slowOnes.push(await askFor(slow));
    await start();
    await until(() => hanging > 0);
    const quickOnes = [await askFor(quick), await askFor(quick)];
    await until(() => quickOnes.every((id) => delivered.includes(id)));
    expect(hanging).toBeLessThanOrEqual(4);
    hang.resolve();
    await until(() => delivered.length >= 42);
    expect(delivered.toSorted()).toEqual([...slowOnes, ...quickOnes].toSorted());
  });

  it('does not count it as an attempt when a job has to wait for its turn', async () => {
    const hang = Promise.withResolvers<void>();
    const last: boolean[] = [];
    deliver = async (_, run) => {
      last.push(run.lastAttempt);
      await hang.promise;
    };
    await start();
    for (let job = 0; job < 8; job += 1) await ask();
    await until(() => last.length >= 4);
    // The others are sent away meanwhile, and come back in vain.
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    const begun = last.length;
    hang.resolve();
    expect(begun).toBe(4);
    await until(() => delivered.length === 8);
    expect(last).toEqual(Array.from({ length: 8 }, () => false));
    expect(new Set(delivered).size).toBe(8);
  });

  it('tries a job again whose last attempt a stopping worker cut short', async () => {
    const last: boolean[] = [];
    deliver = async (_, run) => {
      last.push(run.lastAttempt);
      if (last.length > 1) return;
      await once(run.signal, 'abort');
      last.push(run.lastAttempt);
      throw new Error('cut short');
    };
    const id = await ask();
    const queue = await openQueue();
    await relayBatch(test.database, queue);
    await queue.close();
    await leaveOneAttempt(address);
    await start();
    await until(() => last.length > 0);
    await running.pop()!.close();
    expect(last).toEqual([true, false]);
    await start();
    await until(() => delivered.length > 0);
    expect([delivered, last]).toEqual([[id], [true, false, true]]);
  });

  it('gives no handler data that the job does not take, and goes on with the next', async () => {
    await start();
    await test.owner.query(`INSERT INTO outbox (id, tenant_id, name, data) VALUES ($1, $2, 'webhook.deliver', '{"deliveryId": 7}')`, [
      newId(),
      tenantId,
    ]);
    const id = await ask();
    await until(() => delivered.length > 0);
    expect(delivered).toEqual([id]);
    const queue = await openQueue();
    await until(async () => (await queue.forgetFailed(0, 10)) === 1);
    await queue.close();
  });

  it('leaves a job that this release does not know to a newer one, and is not held up by it', async () => {
    await test.owner.query(
      `INSERT INTO outbox (id, tenant_id, name, data) SELECT gen_random_uuid(), $1, 'from.another.release', '{}' FROM generate_series(1, 300)`,
      [tenantId],
    );
    await start();
    const id = await ask();
    await until(() => delivered.length > 0);
    expect(delivered).toEqual([id]);
    // It may be done before the row that asked for it is marked.
    await until(async () => (await waitingRows()) <= 300);
    expect(await waitingRows()).toBe(300);
  });

  it('runs a scheduled job at the first start, and not at every later one', async () => {
    await start();
    await until(() => sweeps > 0);
    await start();
    await ask();
    await until(() => delivered.length > 0);
    expect(sweeps).toBe(1);
  });

  it('runs a scheduled job again although it was last run by a clock that was far ahead', async () => {
    const day = 86_400_000;
    const now = Date.now;
    Date.now = () => now() + day;
    try {
      await start();
      await until(() => sweeps > 0);
    } finally {
      Date.now = now;
    }
    await start();
    await until(() => sweeps > 1);
    expect(sweeps).toBe(2);
  });
});

describe('the login of the apps', () => {
  it('may use the tables of the queue through one role and see nothing else through it', async () => {
    const client = new pg.Client({ connectionString: test.url, options: `-c role=${queueSchema}` });
    await client.connect();
    await expect(client.query('SELECT * FROM latchkey.outbox')).rejects.toThrow('permission denied');
    await expect(client.query(`DROP TABLE ${queueSchema}.job`)).rejects.toThrow('must be owner');
    await expect(client.query(`SELECT count(*) FROM ${queueSchema}.job`)).resolves.toBeDefined();
    await client.query('RESET ROLE');
    await client.end();
  });

  it('is told what to do when the tables of the queue are missing', async () => {
    const other = await createTestDatabase();
    await expect(JobQueue.open({ url: other.url, prefix: '' }, () => undefined)).rejects.toThrow(/migrat/i);
    await other.drop();
  });
});

describe('making the tables of the queue', () => {
  it('may be started twice at once and repeated', async () => {
    const other = await createTestDatabase();
    await Promise.all([migrateQueue(other.ownerUrl, other.url), migrateQueue(other.ownerUrl, other.url)]);
    await migrateQueue(other.ownerUrl);
    await other.drop();
  });
});
