import { Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import pg from 'pg';
import type { DatabaseRole } from './database.js';
import { nameOf } from './prepared.js';

export interface ListenerOptions {
  /** Connection string of a login. */
  url: string;
  /** The channel that is listened to. */
  channel: string;
  /** As whom; as the login itself if absent. Listening takes no right. */
  role?: DatabaseRole;
  /** Name in `pg_stat_activity`. */
  applicationName: string;
  onNotification: (payload: string) => void;
  /** It listens, for the first time or again: what was announced meanwhile was not heard and must be looked for. */
  onListening?: () => void;
  /** It has ceased to listen, or could not begin. Called once, however many attempts it takes to listen again. */
  onFault: (error: Error) => void;
}

/** How long the server may take to answer before the connection counts as broken. */
const patienceMillis = 2_000;

/** How often a connection must prove that it is there: one that a network has swallowed says nothing. */
const proofMillis = 5_000;

/** The pause before the next attempt. */
const retryMillis = 500;

/**
 * A connection to the primary that listens to one channel, and another when that breaks, until it is closed. Announcements
 * are not kept for it: what is announced while it is away is lost.
 */
export class Listener {
  readonly #options: ListenerOptions;
  readonly #stopping = new AbortController();
  readonly #finished: Promise<void>;
  #client: pg.Client | undefined;
  /** The latest statement: the driver is to be given the next one when it has done with this one. */
  #latest: Promise<unknown> = Promise.resolve();
  #faulty = false;

  /** Starts at once. */
  constructor(options: ListenerOptions) {
    this.#options = options;
    this.#finished = this.#run();
  }

  /** Runs a statement on the connection that listens. @throws when there is none now, or it does not answer in time. */
  async query<Row extends object>(text: string, values: unknown[]): Promise<Row[]> {
    // The SQLSTATE says that it is a matter of the connection (see `isUnavailable`).
    if (!this.#client) throw Object.assign(new Error(`There is no connection that listens to ${this.#options.channel}`), { code: '08003' });
    return this.#inTurn(this.#client, text, values);
  }

  async #inTurn<Row extends object>(client: pg.Client, text: string, values: unknown[] = []): Promise<Row[]> {
    const answer = this.#latest.then(() => client.query<Row>({ name: nameOf(text), text, values }));
    this.#latest = answer.catch(() => undefined);
    return (await answer).rows;
  }

  /** Ends the connection. What is announced from now on is not passed on. */
  async close(): Promise<void> {
    this.#stopping.abort();
    await this.#finished;
  }

  async #run(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      await this.#listen().catch((error: Error) => this.#fault(error));
      await pause(retryMillis, this.#stopping.signal);
    }
  }

  #fault(error: Error): void {
    if (this.#faulty || this.#stopping.signal.aborted) return;
    this.#faulty = true;
    this.#options.onFault(error);
  }

  /** Resolves when it is told to stop. @throws when the connection breaks. */
  async #listen(): Promise<void> {
    const { url, channel, role, applicationName, onNotification, onListening } = this.#options;
    const socket = new Socket();
    const client = new pg.Client({
      connectionString: url,
      stream: () => socket,
      ...(role && { options: `-c role=${role} -c search_path=latchkey` }),
      application_name: applicationName,
      connectionTimeoutMillis: patienceMillis,
      query_timeout: patienceMillis,
    });
    const broken = new AbortController();
    const lost = new Promise<never>((_, reject) => {
      client.on('error', reject).on('end', () => reject(new Error('the server has closed the connection')));
    });
    lost.catch(() => broken.abort());
    client.on('notification', ({ payload }) => onNotification(payload ?? ''));
    try {
      await client.connect();
      await client.query(`LISTEN ${pg.escapeIdentifier(channel)}`);
      this.#client = client;
      this.#faulty = false;
      onListening?.();
      while (!this.#stopping.signal.aborted) {
        await Promise.race([lost, pause(proofMillis, AbortSignal.any([this.#stopping.signal, broken.signal]))]);
        if (!this.#stopping.signal.aborted) await this.#inTurn(client, 'SELECT 1');
      }
    } finally {
      this.#client = undefined;
      const farewell = client.end().catch(() => undefined);
      // A broken connection would wait for its farewell for good.
      const impatience = setTimeout(() => socket.destroy(), patienceMillis);
      void farewell.then(() => clearTimeout(impatience));
      if (this.#stopping.signal.aborted) await farewell;
    }
  }
}

async function pause(millis: number, signal: AbortSignal): Promise<void> {
  await wait(millis, undefined, { signal }).catch(() => undefined);
}
