import type { EntityManager, EntityTarget, ObjectLiteral } from 'typeorm';
import { prepared } from './prepared.js';

/**
 * Stores rows of one table, like `tx.insert`, by one statement that PostgreSQL plans once for each connection: for what is
 * written so often that putting a statement together takes as long as running it. Nothing is read back.
 *
 * @param rows all name the same properties; the database gives the others their defaults.
 */
export async function insertRows<Row extends ObjectLiteral>(
  tx: EntityManager,
  entity: EntityTarget<Row>,
  rows: [Partial<Row>, ...Partial<Row>[]],
): Promise<void> {
  const { tableName, columns } = tx.connection.getMetadata(entity);
  const named = columns.filter(({ propertyName }) => propertyName in rows[0]);
  const values: unknown[] = [];
  const place = (value: unknown) => `$${values.push(value)}`;
  const tuples = rows.map((row) => {
    const each = named.map(({ propertyName, type }) => {
      const value: unknown = row[propertyName];
      // The driver would take an array for one of PostgreSQL's.
      return place(type === 'jsonb' && value !== null ? JSON.stringify(value) : value);
    });
    return `(${each.join(', ')})`;
  });
  const names = named.map(({ databaseName }) => databaseName).join(', ');
  await prepared(tx, `INSERT INTO ${tableName} (${names}) VALUES ${tuples.join(', ')}`, values);
}

/** What to select so that a row of the driver has the properties of an entity. @param alias of the table, as in `FROM table alias`. */
export function columnsOf<Row extends ObjectLiteral>(tx: EntityManager, entity: EntityTarget<Row>, alias: string): string {
  const { columns } = tx.connection.getMetadata(entity);
  return columns.map(({ databaseName, propertyName }) => `${alias}.${databaseName} AS "${propertyName}"`).join(', ');
}
