import { createHash } from 'node:crypto';
import type { PoolClient, QueryConfig, QueryResult } from 'pg';
import type { EntityManager, QueryRunner } from 'typeorm';

/** Names of prepared statements by their text. */
const names = new Map<string, string>();

/** Connections of the transactions that are under way. */
const connections = new WeakMap<QueryRunner, PoolClient>();

/** Prepared statements of this transaction go there, until `endOf`. */
export function beginOf(runner: QueryRunner, connection: PoolClient): void {
  connections.set(runner, connection);
}

/**
 * From now on no prepared statement is sent for this transaction: a part of its work that goes on beside another that has
 * failed would write outside of it, and soon on somebody else's connection.
 */
export function endOf(runner: QueryRunner): void {
  connections.delete(runner);
}

/**
 * Sends a statement, together with what else is sent on the connection before the event loop goes on: one packet, for which the
 * server wakes once. Not for what begins a transaction that writes: the server works on its first statements while the next ones
 * are still being put together (with packets, provisioning took a fifth longer).
 */
export function send(connection: PoolClient, statement: string | QueryConfig): Promise<QueryResult> {
  const { stream } = connection.connection;
  stream.cork();
  process.nextTick(() => stream.uncork());
  return connection.query(statement);
}

/**
 * Runs a statement that PostgreSQL plans once for each connection and then remembers. For the hot paths, where planning
 * takes several times as long as running.
 *
 * It has been sent when this returns. So several that are called one after the other without waiting take one round trip, and
 * PostgreSQL runs them in that order.
 *
 * @param text one of a few fixed texts. Each is kept on every connection for good, so it must not be put together from what
 * a caller sent.
 */
export async function prepared<Row>(tx: EntityManager, text: string, values: unknown[]): Promise<Row[]> {
  const connection = tx.queryRunner && connections.get(tx.queryRunner);
  if (!connection) throw new Error('A prepared statement needs a transaction');
  const { rows } = await connection.query({ name: nameOf(text), text, values });
  return rows as Row[];
}

/**
 * Waits for statements that were sent one after the other.
 *
 * @throws what the first of them threw that failed: those behind it failed only because it did.
 */
export async function inTurn<Sent extends readonly unknown[]>(...sent: Sent): Promise<{ -readonly [K in keyof Sent]: Awaited<Sent[K]> }> {
  const answers = await Promise.allSettled(sent);
  return answers.map((answer) => {
    if (answer.status === 'rejected') throw answer.reason;
    return answer.value;
  }) as { -readonly [K in keyof Sent]: Awaited<Sent[K]> };
}

/** A name that no other text has. */
export function nameOf(text: string): string {
  const known = names.get(text);
  if (known) return known;
  const name = createHash('sha256').update(text).digest('base64url').slice(0, 22);
  names.set(text, name);
  return name;
}
