import { Customer } from '../customer.js';
import { measureRefusing } from '../refusing.js';
import { measureRegenerating } from '../regenerating.js';
import { benchRepository, millis, ratio, type Bench, type Line } from './row.js';

/** What `npm run bench:cutoff` measures of a regeneration, with four authorities. */
export async function regenerateRow({ installation, seeded, rounds, say }: Bench): Promise<Line[]> {
  const { tenant } = seeded[0]!;
  const repositories = seeded.filter((each) => each.tenant.id === tenant.id).map(benchRepository);
  const customer = await Customer.of(installation, { clientId: tenant.clientId!, clientSecret: tenant.clientSecret! });
  const { rows, regenerate, transaction } = await measureRegenerating(installation, customer, repositories[0]!, rounds);
  say('  regenerations: measured');
  const nodes = installation.of('authority');
  const refusing = await measureRefusing(nodes, customer, repositories, rounds);
  await customer.close();
  return [
    {
      work: `regenerate, from call to answer (${rows.inserted} rows new, ${rows.updated} changed), p99`,
      ours: millis(regenerate.p99),
      yardstick: `transaction of as many rows: ${millis(transaction.p99)}`,
      measured: ratio(regenerate.p99 / transaction.p99),
      goal: '≤ 2',
      reached: regenerate.p99 <= 2 * transaction.p99,
    },
    {
      work: 'same, p50',
      ours: millis(regenerate.p50),
      yardstick: `transaction of as many rows: ${millis(transaction.p50)}`,
      measured: ratio(regenerate.p50 / transaction.p50),
      goal: '',
    },
    {
      work: `until ${nodes.length} nodes of this machine have refused, from the answer, p99`,
      ours: `p50 ${millis(refusing.p50)}`,
      yardstick: `accepted after the answer: ${refusing.accepted}`,
      measured: millis(refusing.p99),
      goal: '≤ 15 ms, none accepted',
      reached: refusing.p99 <= 15 && refusing.accepted === 0,
    },
  ];
}
