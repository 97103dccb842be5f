import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import { setTimeout as wait } from 'node:timers/promises';
import { RawConnection } from './raw-load.js';

/** What became of a load so far. */
export interface Held {
  /** How many were due: fewer than by the rate, by what the host gave to others. */
  planned: number;
  sent: number;
  failed: number;
  /** What the first failures said. */
  faults: string[];
  /** From the moment at which each was due, in microseconds: a server that lags cannot hide it by being asked less. */
  latencies: RecordableHistogram;
}

/** How far behind it may be before it is given up: a shared machine stands still for seconds. What was late is in the latencies. */
const mostSecondsBehind = 30;
const tickMillis = 4;

/** Sends requests at a given rate, whether or not those before have been answered, until it is stopped. */
export class OpenLoad {
  readonly held: Held = { planned: 0, sent: 0, failed: 0, faults: [], latencies: createHistogram() };
  readonly #origin: URL;
  readonly #idle: RawConnection[] = [];
  readonly #overdue: number[] = [];
  readonly #next: () => Buffer;
  #stopped = false;
  #underWay = 0;

  /** @param next gives the next request. */
  constructor(origin: string, next: () => Buffer) {
    this.#origin = new URL(origin);
    this.#next = next;
  }

  /**
   * Resolves when it has been stopped.
   * @param givenShare is asked each second for the share of the machine that is there to be loaded; the rate is less by the rest.
   * @throws when so much is overdue that the load is not held.
   */
  async run(perSecond: number, connections: number, givenShare: () => number = () => 1): Promise<void> {
    for (let i = 0; i < connections; i++) this.#idle.push(await this.#connect());
    const mostOverdue = perSecond * mostSecondsBehind;
    let at = performance.now();
    let [share, askedAt] = [givenShare(), at];
    for (; !this.#stopped; await wait(tickMillis)) {
      const now = performance.now();
      const perMilli = (perSecond * share) / 1_000;
      const { planned } = this.held;
      const until = planned + (now - at) * perMilli;
      for (let due = Math.floor(planned) + 1; due <= until; due++) this.#overdue.push(at + (due - planned) / perMilli);
      [this.held.planned, at] = [until, now];
      if (now - askedAt >= 1_000) [share, askedAt] = [givenShare(), now];
      if (this.#overdue.length > mostOverdue) {
        this.stop();
        throw new Error(`${this.#overdue.length} requests are overdue: the load is not held`);
      }
      this.#begin();
    }
    while (this.#underWay > 0) await wait(10);
    for (const connection of this.#idle) connection.close();
  }

  stop(): void {
    this.#stopped = true;
  }

  /** The connections take turns, so that none is idle for long enough to be closed. */
  #begin(): void {
    while (this.#overdue.length > 0 && this.#idle.length > 0) void this.#send(this.#idle.shift()!, this.#overdue.shift()!);
  }

  async #send(connection: RawConnection, due: number): Promise<void> {
    this.#underWay++;
    this.held.sent++;
    let usable: RawConnection | undefined = connection;
    try {
      await connection.send(this.#next());
      this.held.latencies.record(Math.max(1, Math.round((performance.now() - due) * 1_000)));
    } catch (error) {
      this.held.failed++;
      if (this.held.faults.length < 5) this.held.faults.push((error as Error).message.slice(0, 300));
      connection.close();
      usable = await this.#connect().catch(() => undefined);
    }
    if (usable) this.#idle.push(usable);
    this.#underWay--;
    if (!this.#stopped) this.#begin();
  }

  #connect(): Promise<RawConnection> {
    return RawConnection.open(this.#origin.hostname, Number(this.#origin.port));
  }
}
