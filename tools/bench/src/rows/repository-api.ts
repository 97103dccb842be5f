import pg from 'pg';
import { wellKnown } from '@latchkey/content';
import { Customer, type BenchRepository } from '../customer.js';
import { processorMicros } from '../machine.js';
import { rawLoad, written } from '../raw-load.js';
import { median } from '../statistics.js';
import { benchRepository, perSecond, ratio, type Bench, type Line } from './row.js';

const connections = 64;
const repositoryCount = 50;
/** Of the first person in a seeded repository. */
const personId = 1_000;

/** One small read by token and by API key, beside the same read by nobody in particular. */
export async function repositoryApiRow({ installation, seeded, rounds, seconds }: Bench): Promise<Line[]> {
  const [node] = installation.of('repository-api');
  const { tenant } = seeded[0]!;
  const repositories = seeded
    .filter((each) => each.tenant.id === tenant.id)
    .slice(0, repositoryCount)
    .map(benchRepository);
  await letVisitorsRead(installation.postgres.ownerUrl, repositories);
  const customer = await Customer.of(installation, { clientId: tenant.clientId!, clientSecret: tenant.clientSecret! });
  const tokens = await Promise.all(repositories.map((repository) => customer.token(repository)));
  const keys: string[] = [];
  for (const repository of repositories) keys.push(await customer.createApiKey(repository, personId));
  await customer.close();
  const read = ({ slug }: BenchRepository, headers: Record<string, string>) =>
    written({ method: 'GET', path: `/${slug}/odata.svc/Root('Content')?metadata=no&$select=Id,Name`, headers });
  const requests = {
    nobody: repositories.map((repository) => read(repository, {})),
    token: repositories.map((repository, index) => read(repository, { authorization: `Bearer ${tokens[index]}` })),
    key: repositories.map((repository, index) => read(repository, { apikey: keys[index]! })),
  };
  const names = Object.keys(requests) as (keyof typeof requests)[];
  const measure = (name: keyof typeof requests, forSeconds = seconds) =>
    rawLoad(node!.origin, connections, forSeconds, requests[name], () => processorMicros(node!.process.pid));
  for (const name of names) await measure(name, 3);
  const measured = await rounds.byTurns(names, (name) => measure(name));
  const speed = (name: keyof typeof requests) => median(measured[name].map((each) => each.perSecond));
  return (['token', 'key'] as const).map((name) => {
    const value = median(measured[name].map((each, round) => each.perSecond / measured.nobody[round]!.perSecond));
    return {
      work: `repository API, one small read by ${name === 'token' ? 'token' : 'API key'}`,
      ours: perSecond(speed(name)),
      yardstick: `without authentication: ${perSecond(speed('nobody'))}`,
      measured: ratio(value),
      goal: '≥ 0.80',
      reached: value >= 0.8,
    };
  });
}

/** As an administrator may, in each of them. */
async function letVisitorsRead(ownerUrl: string, repositories: BenchRepository[]): Promise<void> {
  const owner = new pg.Client({ connectionString: ownerUrl, options: '-c search_path=latchkey' });
  await owner.connect();
  await owner.query(
    `INSERT INTO content_permissions (repository_id, tenant_id, node_id, identity_id, bits)
     SELECT id, tenant_id, $2, $3, 3 FROM repositories WHERE slug = ANY ($1) ON CONFLICT DO NOTHING`,
    [repositories.map(({ slug }) => slug), wellKnown.content, wellKnown.visitor],
  );
  await owner.end();
}
