import { setImmediate as turn } from 'node:timers/promises';
import type { Pool } from '@latchkey/database';

/** A statement that answers many questions of one kind. */
export interface Statement<Q> {
  name: string;
  /** Each parameter is an array with a value of each question; a row has the `ordinal` of its question, from 1. */
  text: string;
  /** A question's value for each parameter. Who asks for the same values is given the same row. */
  valuesOf: (question: Q) => (string | number | undefined)[];
}

interface Waiting<Q, R> {
  question: Q;
  resolve: (row: R | undefined) => void;
  reject: (error: unknown) => void;
}

/** Questions that one statement carries at most, so that one slow batch does not hold up everyone. */
const batchSize = 500;

/** Answers that are given at a time, before the event loop turns to others: each may lead to a signature. */
const turnSize = 16;

/** For how long questions wait for the statement that is under way to be answered; then they no longer rely on its connection. */
const usualLateMillis = 20;

/** A statement that answers as many questions or more is followed by a rest: there is work meanwhile, and more will be asked. */
const busyBatch = 4;

/** A rest is as long as the statement took, and no longer than this, unless requests queue for what they need besides. */
const usualMostRestMillis = 5;

/** How often a rest that goes on looks who queues. */
const lookMillis = 1;

/** How questions are gathered. Of times, what is left out is as it is in production. */
export interface GatheringOptions {
  lateMillis?: number;
  mostRestMillis?: number;
  /** How many queue now for what they need besides an answer. */
  backlog?: () => number;
}

/**
 * Asks the primary questions of one kind, many in one statement. Nothing it hears is remembered.
 *
 * The rule that makes a cut-off true: **a check uses only the answer of a statement that was sent after the check began.**
 * Questions that arrive while a statement is under way wait and go out together in the next one; none joins a statement
 * that has been sent. The busier a node is, the more they are: a statement costs as much as what it asks about a dozen
 * credentials, so this is what keeps checks cheap under load. A busy node even lets as much time pass between two statements as
 * the first took, in which twice as many questions come together, and more while requests queue for what they need besides, such
 * as a connection to read with: until they have it, they gain nothing by an answer. Who asks a node that is not busy waits for
 * nothing. Only when the answer is late, as on a connection that hangs, does another statement go out beside it.
 *
 * Why that is enough: let a cut-off commit before its call answers, and let a check begin after that answer. Its statement
 * is sent after the check began, so its snapshot is taken after the commit, and READ COMMITTED on the primary must see it.
 * The only step at which a question and a statement meet is `#send`, which takes the questions out of `#waiting` and hands
 * them to the driver in the same turn; a question that comes later finds them gone and waits for the next.
 *
 * Cost: one statement and one round trip for all questions of a batch, in which those that are alike are looked up once.
 */
export class Gathered<Q, R extends { ordinal: number }> {
  readonly #pool: Pool;
  readonly #statement: Statement<Q>;
  readonly #lateMillis: number;
  readonly #mostRestMillis: number;
  readonly #backlog: () => number;
  #waiting: Waiting<Q, R>[] = [];
  #underWay = 0;
  /** When the latest statement was sent, and whether it is looked at again once it is late. */
  #sentAt = 0;
  #watched = false;
  #resting = false;
  #scheduled = false;

  /** @param pool as many statements run at once as it has connections, while answers are late. */
  constructor(
    pool: Pool,
    statement: Statement<Q>,
    { lateMillis = usualLateMillis, mostRestMillis = usualMostRestMillis, backlog = () => 0 }: GatheringOptions = {},
  ) {
    this.#pool = pool;
    this.#statement = statement;
    this.#lateMillis = lateMillis;
    this.#mostRestMillis = mostRestMillis;
    this.#backlog = backlog;
  }

  /**
   * @returns the question's row, if it has one.
   * @throws the driver's error when the primary cannot be asked: then nothing may be accepted.
   */
  ask(question: Q): Promise<R | undefined> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ question, resolve, reject });
      this.#schedule();
    });
  }

  /** At the end of the turn, so that the questions of all requests that were read in it go out together. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      while (this.#waiting.length > 0 && this.#mayBeSent()) void this.#send(this.#waiting.splice(0, batchSize));
      if (this.#waiting.length > 0) this.#watch();
    });
  }

  #mayBeSent(): boolean {
    if (this.#underWay === 0) return !this.#resting;
    return this.#underWay < this.#pool.options.max && performance.now() - this.#sentAt >= this.#lateMillis;
  }

  /** Looks again when the statement under way is late, unless it is answered before. */
  #watch(): void {
    if (this.#watched) return;
    this.#watched = true;
    setTimeout(() => {
      this.#watched = false;
      if (this.#waiting.length > 0) this.#schedule();
    }, this.#lateMillis).unref();
  }

  #rest(millis: number): void {
    this.#resting = true;
    const begun = performance.now();
    const look = () => {
      // So one half is asked about while the other half has what it needs to go on. Measured, also with four times as many:
      // docs/adr/each-kind-of-credential-is-asked-about-by-itself.md.
      const isQueueLonger = this.#waiting.length < this.#backlog();
      if (isQueueLonger && performance.now() - begun < this.#lateMillis) return void setTimeout(look, lookMillis);
      this.#resting = false;
      if (this.#waiting.length > 0) this.#schedule();
    };
    setTimeout(look, Math.min(millis, this.#mostRestMillis));
  }

  async #send(batch: Waiting<Q, R>[]): Promise<void> {
    this.#underWay++;
    const sentAt = performance.now();
    this.#sentAt = sentAt;
    try {
      const rows = await this.#query(batch.map((waiting) => waiting.question));
      if (batch.length >= busyBatch) this.#rest(performance.now() - sentAt);
      for (const [index, waiting] of batch.entries()) {
        if (index > 0 && index % turnSize === 0) await turn();
        waiting.resolve(rows[index]);
      }
    } catch (error) {
      for (const waiting of batch) waiting.reject(error);
    } finally {
      this.#underWay--;
      if (this.#waiting.length > 0) this.#schedule();
    }
  }

  /** @returns the rows in the order of the questions: one for all that are alike, as about the token of a busy tool. */
  async #query(questions: Q[]): Promise<(R | undefined)[]> {
    const { name, text, valuesOf } = this.#statement;
    const asked: ReturnType<typeof valuesOf>[] = [];
    const ordinalOf = new Map<string, number>();
    const ordinals = questions.map((question) => {
      const values = valuesOf(question);
      const same = JSON.stringify(values);
      const ordinal = ordinalOf.get(same) ?? asked.push(values);
      ordinalOf.set(same, ordinal);
      return ordinal;
    });
    const values = asked[0]?.map((_, column) => asked.map((one) => one[column] ?? null));
    const { rows } = await this.#pool.query<R>({ name, text, values });
    const found = new Map(rows.map((row) => [row.ordinal, row]));
    return ordinals.map((ordinal) => found.get(ordinal));
  }
}
