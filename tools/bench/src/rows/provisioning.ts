import pg from 'pg';
import { Customer } from '../customer.js';
import { pin, processorMicros, processors } from '../machine.js';
import { median, quantile } from '../statistics.js';
import { millis, perSecond, ratio, type Bench, type Line } from './row.js';

/** Calls at once, for how many there can be each second. */
const atOnce = 8;

/** A repository by the tenant API, ready when the call returns, beside a transaction that inserts as many rows. */
export async function provisioningRow({ installation, rounds, seconds }: Bench): Promise<Line[]> {
  const [node] = installation.of('tenant-api');
  await pin(node!.process.pid!, processors.server);
  const customer = await Customer.of(installation);
  const owner = new pg.Client({ connectionString: installation.postgres.ownerUrl, options: '-c search_path=latchkey' });
  await owner.connect();
  try {
    let made = 0;
    const provision = async () => {
      const begun = performance.now();
      await customer.createRepository(`made-${++made}`);
      return performance.now() - begun;
    };
    await provision();
    const rows = await countRows(owner, 'made-1');
    const transaction = await prepareTransaction(owner, rows);
    for (let i = 0; i < 150; i++) await Promise.all([provision(), transaction()]);
    const times = await rounds.alternately({ ours: provision, bare: transaction }, 40);
    const rates = await rounds.each(() => sustained(provision, seconds, () => processorMicros(node!.process.pid)));
    const [ours, bare] = [quantile(times.ours, 0.5), quantile(times.bare, 0.5)];
    const rate = median(rates.map((each) => each.perSecond));
    return [
      {
        work: `provisioning one repository (${rows} rows), p50`,
        ours: millis(ours),
        yardstick: `transaction of as many rows: ${millis(bare)}`,
        measured: ratio(ours / bare),
        goal: '≤ 3',
        reached: ours <= 3 * bare,
      },
      {
        work: `provisioning, ${atOnce} at once, one core`,
        ours: perSecond(rate),
        yardstick: `by processor time of the tenant API: ${rates.every((each) => each.perCore) ? perSecond(median(rates.map((each) => each.perCore!))) : '–'}`,
        measured: perSecond(rate),
        goal: '≥ 200/s',
        reached: rate >= 200,
      },
    ];
  } finally {
    await owner.end();
    await customer.close();
  }
}

async function sustained(provision: () => Promise<number>, seconds: number, usage: () => number | undefined) {
  const [begun, before] = [performance.now(), usage()];
  const deadline = begun + seconds * 1_000;
  let count = 0;
  const one = async () => {
    while (performance.now() < deadline) {
      await provision();
      count++;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, one));
  const used = usage();
  const perCore = used === undefined || before === undefined ? undefined : (count * 1e6) / (used - before);
  return { perSecond: count / ((performance.now() - begun) / 1_000), perCore };
}

/** Rows that belong to a repository that has just been made. */
async function countRows(owner: pg.Client, slug: string): Promise<number> {
  const { rows: tables } = await owner.query<{ table: string }>(
    `SELECT c.relname AS "table" FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
     WHERE c.relnamespace = 'latchkey'::regnamespace AND c.relkind = 'r' AND a.attname = 'repository_id'`,
  );
  const { rows: ids } = await owner.query<{ id: string }>('SELECT id FROM repositories WHERE slug = $1', [slug]);
  const counts = tables.map(({ table }) => `(SELECT count(*) FROM ${table} WHERE repository_id = '${ids[0]!.id}')`);
  const { rows } = await owner.query<{ count: number }>(`SELECT (1 + ${counts.join(' + ')})::integer AS count`);
  return rows[0]!.count;
}

/** One statement, in a table like those of the product. */
async function prepareTransaction(owner: pg.Client, rows: number): Promise<() => Promise<number>> {
  await owner.query(
    `CREATE TABLE made_rows (repository_id uuid, id uuid DEFAULT gen_random_uuid(), body jsonb, PRIMARY KEY (repository_id, id))`,
  );
  const body = JSON.stringify({ DisplayName: 'Content', text: 'x'.repeat(100) });
  return async () => {
    const begun = performance.now();
    await owner.query('BEGIN');
    await owner.query({
      name: 'insert-rows',
      text: 'INSERT INTO made_rows (repository_id, body) SELECT gen_random_uuid(), $2 FROM generate_series(1, $1::int)',
      values: [rows, body],
    });
    await owner.query('COMMIT');
    return performance.now() - begun;
  };
}
