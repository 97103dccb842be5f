import { createPostgresBackend, createRedisBackend, Queue, type BackendFactory, type IQueueBackend, type JobsOptions } from 'bullmq';
import { catalogue, jobNames, type JobName } from './catalogue.js';

/** BullMQ's tables live in this schema and are used by the role of the same name; `migrateQueue` makes both. */
export const queueSchema = 'latchkey_queue';

export const queueName = 'jobs';

/** How long the queue may take to answer before it counts as unreachable. */
const patienceMillis = 5_000;

/** Which queue it is. */
export interface QueueAddress {
  /** `redis://`, `rediss://` or `postgres://`. */
  url: string;
  /** What its keys begin with on Redis, so that several installations can share one; no meaning on PostgreSQL. */
  prefix: string;
}

/** What every part of BullMQ makes its own connections from. */
export interface QueueConnection {
  url: string;
  /** Connections that it may hold at most, the one that waits for jobs aside. On PostgreSQL only. */
  poolSize: number;
}

/** Chooses between Redis and PostgreSQL by the URL. */
export const createBackend: BackendFactory<IQueueBackend, QueueConnection> = (name, options, kind) => {
  const { url, poolSize } = options.connection;
  if (!/^postgres(?:ql)?:/.test(url)) return createRedisBackend(name, { ...options, connection: { url } }, kind);
  const connection = {
    connectionString: url,
    schema: queueSchema,
    options: `-c role=${queueSchema}`,
    application_name: 'latchkey-queue',
    connectionTimeoutMillis: patienceMillis,
    keepAlive: true,
    max: poolSize,
  };
  return createPostgresBackend(name, { ...options, connection }, kind);
};

type BullQueue = Queue<object, void, string, object, void, string, IQueueBackend, QueueConnection>;

/** A job that is ready to go into the queue. */
export interface WaitingJob {
  id: string;
  name: JobName;
  data: object;
}

/** The side of the queue that puts jobs in. */
export class JobQueue {
  readonly #queue: BullQueue;

  private constructor(queue: BullQueue) {
    this.#queue = queue;
  }

  /** @throws when the queue does not answer, or its tables are missing (`migrateQueue` makes them). */
  static async open({ url, prefix }: QueueAddress, onError: (error: Error) => void): Promise<JobQueue> {
    const queue = new Queue(queueName, { connection: { url, poolSize: 2 }, prefix }, createBackend);
    queue.on('error', onError);
    await inTime(queue.waitUntilReady());
    return new JobQueue(queue);
  }

  /** Puts jobs in, each under its id: one that is there already is left as it is. @throws when the queue does not answer. */
  async add(jobs: WaitingJob[]): Promise<void> {
    await inTime(this.#queue.addBulk(jobs.map(({ id, name, data }) => ({ name, data, opts: { ...optionsOf(name), jobId: id } }))));
  }

  /**
   * Makes the scheduled jobs of the catalogue run. Safe to repeat, and on every worker. One that would run much later than it recurs was
   * put there while a clock was ahead, and would not run until that time has come: it begins anew.
   */
  async schedule(): Promise<void> {
    for (const name of jobNames) {
      const definition = catalogue[name];
      if (!('everySeconds' in definition)) continue;
      const everyMillis = definition.everySeconds * 1000;
      const known = await inTime(this.#queue.getJobScheduler(name));
      if ((known?.next ?? 0) > Date.now() + 2 * everyMillis) await inTime(this.#queue.removeJobScheduler(name));
      await inTime(this.#queue.upsertJobScheduler(name, { every: everyMillis }, { name, data: {}, opts: optionsOf(name) }));
    }
  }

  /** @returns which of these jobs the queue does not hold, neither as waiting nor as failed. */
  async missing(ids: string[]): Promise<string[]> {
    const jobs = await inTime(Promise.all(ids.map((id) => this.#queue.getJob(id))));
    return ids.filter((_, index) => !jobs[index]);
  }

  /** Forgets at most `limit` jobs that failed for good, longer ago than that. @returns how many. */
  async forgetFailed(olderThanSeconds: number, limit: number): Promise<number> {
    const ids = await inTime(this.#queue.clean(olderThanSeconds * 1000, limit, 'failed'));
    return ids.length;
  }

  /** Resolves when the queue answers. @throws when it does not. */
  async ping(): Promise<void> {
    await inTime(this.#queue.getJobCountByTypes('wait'));
  }

  async close(): Promise<void> {
    await this.#queue.close();
  }
}

/**
 * A job that is done leaves nothing behind: keeping some by count or age deadlocks on PostgreSQL. One that failed stays
 * for people to look at, until the sweep.
 */
function optionsOf(name: JobName): JobsOptions {
  const { attempts, firstRetrySeconds } = catalogue[name];
  return {
    attempts,
    backoff: { type: 'exponential', delay: firstRetrySeconds * 1000, jitter: 0.2 },
    removeOnComplete: true,
    removeOnFail: false,
  };
}

/** BullMQ waits for a lost connection as long as it takes; we had rather know. What comes too late is left to itself. */
export async function inTime<T>(answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`The queue did not answer within ${patienceMillis} ms. Is QUEUE_URL right, and is its server up?`)),
      patienceMillis,
    );
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
    answer.catch(() => undefined);
  }
}
