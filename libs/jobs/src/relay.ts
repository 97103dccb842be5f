import { setTimeout as sleep } from 'node:timers/promises';
import { Listener, type Database } from '@latchkey/database';
import type { Logger } from '@latchkey/runtime';
import { jobNames } from './catalogue.js';
import { outboxChannel } from './outbox.js';
import type { JobQueue, WaitingJob } from './queue.js';

/** Rows that one transaction takes. */
const batchSize = 200;

/** How long a row waits at most when its announcement was missed: the connection that listens may have been down. */
const pollMillis = 2_000;

/**
 * Moves one batch of waiting outbox rows into the queue. Rows that another relay has in hand are passed over, and so are
 * jobs that this release does not know: during an upgrade they are for the newer relay.
 *
 * A relay that dies between adding and marking leaves the rows waiting. They are then added again under the same ids,
 * which changes nothing while the job is in the queue; one that was done and forgotten meanwhile runs again, and its
 * handler finds nothing left to do.
 *
 * @returns how many rows it moved.
 */
export async function relayBatch(database: Database, queue: Pick<JobQueue, 'add'>): Promise<number> {
  return database.transaction('system', async (tx) => {
    const rows = await tx.query<WaitingJob[]>(
      `SELECT id, name, data FROM outbox WHERE relayed_at IS NULL AND name = ANY($1)
       ORDER BY created_at, id LIMIT ${batchSize} FOR UPDATE SKIP LOCKED`,
      [jobNames],
    );
    if (rows.length === 0) return 0;
    await queue.add(rows);
    await tx.query('UPDATE outbox SET relayed_at = now() WHERE id = ANY($1)', [rows.map((row) => row.id)]);
    return rows.length;
  });
}

/** Moves outbox rows into the queue as they come, until it is closed. Several at once share the work. */
export class Relay {
  readonly #database: Database;
  readonly #listener: Listener;
  readonly #queue: JobQueue;
  readonly #log: Logger;
  readonly #stopping = new AbortController();
  readonly #finished: Promise<void>;
  #knock = Promise.withResolvers<void>();

  /** Starts at once. What goes wrong is logged and tried again. */
  constructor(options: { database: Database; databaseUrl: string; queue: JobQueue; log: Logger }) {
    this.#database = options.database;
    this.#queue = options.queue;
    this.#log = options.log;
    const knock = () => this.#knock.resolve();
    this.#listener = new Listener({
      url: options.databaseUrl,
      channel: outboxChannel,
      applicationName: 'latchkey-relay',
      onNotification: knock,
      onListening: knock,
      onFault: (error) => this.#log.warn(error, 'cannot listen to the outbox; it is looked through at intervals'),
    });
    this.#finished = this.#run();
  }

  /** Resolves when the batch in hand is done. */
  async close(): Promise<void> {
    this.#stopping.abort();
    this.#knock.resolve();
    await this.#finished;
    await this.#listener.close();
  }

  async #run(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      // Renewed before the look, so that what is announced during the look is looked for again.
      this.#knock = Promise.withResolvers();
      if ((await this.#relay()) < batchSize) await this.#pause();
    }
  }

  async #relay(): Promise<number> {
    try {
      return await relayBatch(this.#database, this.#queue);
    } catch (error) {
      this.#log.error(error, 'outbox rows could not be put into the queue; they wait for the next try');
      return 0;
    }
  }

  async #pause(): Promise<void> {
    const waiting = new AbortController();
    await Promise.race([this.#knock.promise, sleep(pollMillis, undefined, { signal: waiting.signal }).catch(() => undefined)]);
    waiting.abort();
  }
}
