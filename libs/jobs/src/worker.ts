import { setTimeout as wait } from 'node:timers/promises';
import type { Database } from '@latchkey/database';
import type { Logger } from '@latchkey/runtime';
import { DelayedError, UnrecoverableError, Worker, type IQueueBackend, type Job, type JobProgress } from 'bullmq';
import { z } from 'zod';
import { catalogue, jobNames, parseJobData, type JobData, type JobName } from './catalogue.js';
import { createBackend, inTime, JobQueue, queueName, type QueueAddress, type QueueConnection } from './queue.js';
import { Relay } from './relay.js';
import { Turns } from './turns.js';

/** One run of a job. */
export interface Run {
  /** Of the job; also that of its outbox row if a transaction asked for it. */
  id: string;
  /** True when no retry follows if this run fails; false from when it is cut short, which is no attempt. */
  readonly lastAttempt: boolean;
  /** Aborted when the worker must stop and cannot wait any longer. */
  signal: AbortSignal;
}

/**
 * What to do for each job of the catalogue; none may be left out. A handler may be called again after it succeeded, and
 * the error it throws is kept in the queue: it must say nothing secret.
 */
export type Handlers = { [N in JobName]: (data: JobData<N>, run: Run) => Promise<void> };

export interface WorkerOptions {
  database: Database;
  /** Where the outbox is listened to. */
  databaseUrl: string;
  queue: QueueAddress;
  handlers: (queue: JobQueue) => Handlers;
  log: Logger;
  /** Name of this process in the queue. */
  name?: string;
}

/** Jobs are mostly waiting for someone else's server. */
const concurrency = 32;

/** After this long without a sign of life from its worker, a job is given to another; looked for so often. */
const lockMillis = 10_000;
const stalledMillis = 5_000;

/** How long it waits when no job could be taken, since the queue is away. */
const troubleMillis = 1_000;

/** How often the schedule is written anew, in case the queue lost it. */
const scheduleMillis = 300_000;

/** How long jobs may go on once the worker was told to stop. */
const patienceMillis = 5_000;

export interface RunningWorker {
  /** Resolves when the queue answers. @throws when it does not. */
  ping(): Promise<void>;
  /** Takes no more jobs and resolves when those in hand are done or were cut short; the queue keeps the latter. */
  close(): Promise<void>;
}

/**
 * Starts moving outbox rows into the queue, working through it and scheduling what recurs.
 *
 * @throws when the queue does not answer, or its tables are missing.
 */
export async function startWorker(options: WorkerOptions): Promise<RunningWorker> {
  const { log } = options;
  const unreachable = (error: Error) => log.warn({ reason: error.message }, 'the queue cannot be reached');
  const queue = await JobQueue.open(options.queue, unreachable);
  await queue.schedule();
  const worker = makeBullWorker(options, options.handlers(queue));
  // Its connections are its own. Of those that fail at first BullMQ remembers the failure for good: it would never take a job,
  // or ask for one again and again without a pause.
  await inTime(worker.waitUntilReady());
  worker.run().catch((error: Error) => worker.emit('error', error));
  const scheduling = setInterval(() => void queue.schedule().catch(unreachable), scheduleMillis);
  const relay = new Relay({ ...options, queue });
  return {
    ping: () => queue.ping(),
    async close() {
      clearInterval(scheduling);
      await relay.close();
      const cutShort = setTimeout(() => worker.cancelAllJobs('the worker is stopping'), patienceMillis);
      await worker.close();
      clearTimeout(cutShort);
      await queue.close();
    },
  };
}

function makeBullWorker({ queue, name, log }: WorkerOptions, handlers: Handlers) {
  const turns = new Map<JobName, Turns>(
    jobNames.flatMap((job) => {
      const definition = catalogue[job];
      return 'runsPerTenant' in definition ? [[job, new Turns(definition.runsPerTenant)]] : [];
    }),
  );
  const worker = new Worker<object, void, string, IQueueBackend, JobProgress, QueueConnection>(
    queueName,
    // With a default value for the signal it would take two arguments by its length, and get none.
    (job, token, signal) => {
      const given = signal ?? new AbortController().signal;
      return unlessCutShort(job, token, given, () => takeTurn(turns, job, token, () => handle(handlers, job, given)));
    },
    {
      connection: { url: queue.url, poolSize: 4 },
      prefix: queue.prefix,
      ...(name && { name }),
      concurrency,
      autorun: false,
      runRetryDelay: troubleMillis,
      lockDuration: lockMillis,
      stalledInterval: stalledMillis,
      // A process that is killed takes its jobs with it through no fault of theirs. Ten in a row are the job's own fault.
      maxStalledCount: 10,
    },
    createPatientBackend,
  );
  worker.on('error', (error) => log.warn({ reason: error.message }, 'the queue cannot be worked on'));
  worker.on('failed', (job, error) =>
    log.warn({ job: job?.name, id: job?.id, attempt: job?.attemptsMade, reason: error.message }, 'a job failed'),
  );
  return worker;
}

/**
 * A backend for the worker, which waits when no job can be taken. BullMQ does so by itself where the connection is refused; after
 * all else, as while PostgreSQL starts or a proxy in front of it closes what it has taken, it asks again at once, thousands of
 * times a second, and says so each time.
 */
const createPatientBackend: typeof createBackend = (...about) => {
  const backend = createBackend(...about);
  const take = backend.moveToActive.bind(backend);
  backend.moveToActive = async (...asked) => {
    try {
      return await take(...asked);
    } catch (error) {
      await wait(troubleMillis);
      throw error;
    }
  };
  return backend;
};

/** Runs the job; one that failed because the worker stops is for the next worker, also when it was its last attempt. */
async function unlessCutShort(
  job: Job<object, void>,
  token: string | undefined,
  signal: AbortSignal,
  run: () => Promise<void>,
): Promise<void> {
  try {
    await run();
  } catch (error) {
    if (!signal.aborted || error instanceof DelayedError) throw error;
    await putOff(job, token, 0);
  }
}

/** Gives the job back to the queue, which is no attempt: `skipAttempt` is what BullMQ does for `moveToDelayed` on both backends. */
async function putOff(job: Job<object, void>, token: string | undefined, waitMillis: number): Promise<never> {
  await job.moveToDelayed(Date.now() + waitMillis, token);
  throw new DelayedError();
}

/** Runs the job, or puts it off when its tenant has as many runs as it may have. */
async function takeTurn(
  turnsOf: Map<JobName, Turns>,
  job: Job<object, void>,
  token: string | undefined,
  run: () => Promise<void>,
): Promise<void> {
  const turns = turnsOf.get(job.name as JobName);
  const tenantId = 'tenantId' in job.data ? String(job.data.tenantId) : '';
  if (!turns) return run();
  const startedAt = Date.now();
  const waitMillis = turns.begin(tenantId, startedAt);
  if (waitMillis !== undefined) return putOff(job, token, waitMillis);
  try {
    await run();
    turns.end(tenantId, 'succeeded', startedAt);
  } catch (error) {
    turns.end(tenantId, 'failed', startedAt);
    throw error;
  }
}

async function handle(handlers: Handlers, job: Job<object, void>, signal: AbortSignal): Promise<void> {
  const name = jobNames.find((known) => known === job.name);
  // A newer release put it there; the retry may find a worker that knows it.
  if (!name) throw new Error(`This release knows no job ${job.name}`);
  const run: Run = {
    id: job.id ?? '',
    signal,
    get lastAttempt() {
      return !signal.aborted && job.attemptsMade + 1 >= catalogue[name].attempts;
    },
  };
  await call(handlers, name, job.data, run);
}

/** Its own function, so that TypeScript sees that data and handler belong to the same name. */
async function call<N extends JobName>(handlers: Handlers, name: N, data: unknown, run: Run): Promise<void> {
  let parsed: JobData<N>;
  try {
    parsed = parseJobData(name, data);
  } catch (error) {
    throw new UnrecoverableError(
      error instanceof z.ZodError ? `The data is not what ${name} takes: ${z.prettifyError(error)}` : String(error),
    );
  }
  await handlers[name](parsed, run);
}

export { relayBatch } from './relay.js';
export type { JobQueue, QueueAddress } from './queue.js';
