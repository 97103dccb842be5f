import { createHash } from 'node:crypto';
import type { EntityManager } from 'typeorm';

/** Names of prepared statements by their text. */
const names = new Map<string, string>();

/** What can run a statement under a name: the driver's connection below a transaction. */
interface Connection {
  query(statement: { name: string; text: string; values: unknown[] }): Promise<{ rows: unknown[] }>;
}

/**
 * Runs a statement that PostgreSQL plans once for each connection and then remembers. For the hot paths, where planning
 * takes several times as long as running.
 *
 * @param text one of a few fixed texts. Each is kept on every connection for good, so it must not be put together from what
 * a caller sent.
 */
export async function prepared<Row>(tx: EntityManager, text: string, values: unknown[]): Promise<Row[]> {
  if (!tx.queryRunner) throw new Error('A prepared statement needs a transaction');
  const connection = (await tx.queryRunner.connect()) as Connection;
  const { rows } = await connection.query({ name: nameOf(text), text, values });
  return rows as Row[];
}

/** A name that no other text has. */
export function nameOf(text: string): string {
  const known = names.get(text);
  if (known) return known;
  const name = createHash('sha256').update(text).digest('base64url').slice(0, 22);
  names.set(text, name);
  return name;
}
