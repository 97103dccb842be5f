/*
 * Says whether Citus could distribute the schema as it is: what belongs to a repository by the repository, other things of a tenant
 * by the tenant, and what everybody looks up as reference tables, on every node. Citus asks two things of a distributed table:
 * every unique key holds the distribution column, and a foreign key leads to a reference table, or by that column to a table that
 * is distributed by it too.
 *
 *   node tools/seed/distribution.mjs postgres://owner@host/latchkey
 *
 * Exits 0 when what stands against it is what is known, below; else 1. Asking changes nothing. docs/guides/several-machines.md
 * says what the findings mean.
 */
import pg from 'pg';

/** Small, seldom written, looked up by whatever comes: whose is this address? */
const onEveryNode = ['tenants', 'repositories', 'repository_slugs', 'custom_domains'];

/** Of the installation itself. */
const onOneNode = ['migrations', 'nodes', 'canary_runs', 'prepared_keys'];

/** What would have to change first. A line that is new fails, and one that is gone too: then it is to be taken out here. */
const known = [
  'invitations_id on invitations is unique by tenant_id, id, without repository_id',
  'members_pkey on members is unique by tenant_id, id, without repository_id',
  'outbox_pkey on outbox is unique by id, without tenant_id',
];

const [url] = process.argv.slice(2);
if (!url) throw new Error('Name the database: postgres://…');
const client = new pg.Client({ connectionString: url });
await client.connect();
const ask = async (text) => (await client.query(text)).rows;

/** Each with the column by which it would be distributed. Partitions are distributed with their tables. */
const tables = await ask(`
  SELECT relname AS name, (
    SELECT attname FROM pg_attribute
    WHERE attrelid = c.oid AND attname IN ('repository_id', 'tenant_id') AND attnotnull AND NOT attisdropped ORDER BY attname LIMIT 1) AS column
  FROM pg_class c WHERE relnamespace = 'latchkey'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY relname`);
const columnsOf = (relation, numbers) => `array(
  SELECT attname::text FROM unnest(${numbers}) WITH ORDINALITY AS k (number, place)
  JOIN pg_attribute ON attrelid = ${relation} AND attnum = k.number ORDER BY place)`;
const keys = await ask(`
  SELECT t.relname AS table, i.relname AS name, ${columnsOf('t.oid', 'x.indkey[0:x.indnkeyatts - 1]')} AS columns
  FROM pg_index x JOIN pg_class t ON t.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
  WHERE t.relnamespace = 'latchkey'::regnamespace AND x.indisunique AND NOT t.relispartition ORDER BY 1, 2`);
const references = await ask(`
  SELECT t.relname AS table, r.relname AS target, conname AS name,
    ${columnsOf('t.oid', 'conkey')} AS columns, ${columnsOf('r.oid', 'confkey')} AS "targetColumns"
  FROM pg_constraint f JOIN pg_class t ON t.oid = conrelid JOIN pg_class r ON r.oid = confrelid
  WHERE contype = 'f' AND t.relnamespace = 'latchkey'::regnamespace AND conparentid = 0 AND NOT t.relispartition ORDER BY 1, 3`);
await client.end();

const notDistributed = new Set([...onEveryNode, ...onOneNode]);
const column = new Map(tables.filter(({ name }) => !notDistributed.has(name)).map((table) => [table.name, table.column]));

const ofTables = [...column].filter(([, by]) => by === null).map(([name]) => `${name} has neither repository_id nor tenant_id`);
const ofKeys = keys
  .filter((key) => column.get(key.table) && !key.columns.includes(column.get(key.table)))
  .map((key) => `${key.name} on ${key.table} is unique by ${key.columns.join(', ')}, without ${column.get(key.table)}`);
const ofReferences = references.filter(leadsAstray).map(({ name, table, target }) => `${name} leads from ${table} to ${target}`);

function leadsAstray({ table, target, columns, targetColumns }) {
  const [from, to] = [column.get(table), column.get(target)];
  if (from === undefined) return to !== undefined;
  if (to === undefined) return !onEveryNode.includes(target);
  return from !== to || !columns.some((name, place) => name === from && targetColumns[place] === to);
}

const count = (by) => [...column.values()].filter((one) => one === by).length;
console.log(
  `${tables.length} tables: ${count('repository_id')} by repository, ${count('tenant_id')} by tenant, the rest on every node or on one.`,
);
console.log(`${keys.length} unique keys and ${references.length} foreign keys.`);
const found = [...ofTables, ...ofKeys, ...ofReferences];
for (const fault of found) console.log(`${known.includes(fault) ? 'known' : 'NEW'}: ${fault}`);
const gone = known.filter((fault) => !found.includes(fault));
for (const fault of gone) console.log(`GONE: ${fault}`);
process.exitCode = gone.length > 0 || found.some((fault) => !known.includes(fault)) ? 1 : 0;
