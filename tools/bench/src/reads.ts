import type { Installation } from '@latchkey/chaos/installation';
import { Pool } from 'undici';
import type { BenchRepository, Customer } from './customer.js';
import { processorMicros } from './machine.js';
import { rawLoad, written } from './raw-load.js';
import type { Rounds } from './rounds.js';
import { median, quantile } from './statistics.js';

/** Who reads. */
export const readers = ['anonymous', 'token', 'API key'] as const;
export type Reader = (typeof readers)[number];

/** What one reader got of one small content; medians over the rounds. */
export interface Reads {
  reader: Reader;
  connections: number;
  perSecond: number;
  p50Millis: number;
  /** Of reads per second, to those of anonymous ones; the median of the ratios of each round. */
  ratio: number;
}

/**
 * Reads one public content over HTTP, with a token, with an API key and without either, by turns, so that what else happens on
 * the machine happens to all.
 *
 * @param connections at once, one measurement for each.
 */
export async function measureReads(
  installation: Installation,
  customer: Customer,
  repository: BenchRepository,
  { connections, rounds, seconds, say }: { connections: number[]; rounds: Rounds; seconds: number; say: (line: string) => void },
): Promise<Reads[]> {
  const [node] = installation.of('repository-api');
  if (!node) throw new Error('There is no repository API');
  const headersOf = await publishContent(node.origin, repository, await customer.token(repository));
  const path = `/${repository.slug}/odata.svc/Root/Content('public')?metadata=no&$select=Id,Name`;
  const measure = (reader: Reader, count: number, forSeconds: number) => {
    const request = written({ method: 'GET', path, headers: headersOf[reader] });
    return rawLoad(node.origin, count, forSeconds, [request], () => processorMicros(node.process.pid));
  };
  const results: Reads[] = [];
  for (const count of connections) {
    for (const reader of readers) await measure(reader, count, seconds);
    const measured = await rounds.byTurns(readers, (reader) => measure(reader, count, seconds));
    for (const reader of readers) {
      const own = measured[reader];
      results.push({
        reader,
        connections: count,
        perSecond: median(own.map((each) => each.perSecond)),
        p50Millis: median(own.map(({ latencies }) => quantile(latencies, 0.5))),
        ratio: median(own.map((each, round) => each.perSecond / measured.anonymous[round]!.perSecond)),
      });
    }
    say(`reads over ${count} connections: measured`);
  }
  return results;
}

/** Makes a content that everyone may read, and an API key. @returns the headers with which each reader reads. */
async function publishContent(origin: string, { slug }: BenchRepository, token: string): Promise<Record<Reader, Record<string, string>>> {
  const pool = new Pool(origin, { connections: 1 });
  const headers = { authorization: `Bearer ${token}` };
  const post = async (path: string, body: object) => {
    const response = await pool.request({ method: 'POST', path: `/${slug}/odata.svc${path}`, headers, body: JSON.stringify(body) });
    const text = await response.body.text();
    if (response.statusCode >= 300) throw new Error(`${path} answered ${response.statusCode}: ${text}`);
    return text;
  };
  await post('/Root/Content', { __ContentType: 'Folder', Name: 'public' });
  const visitor = '/Root/IMS/BuiltIn/Portal/Visitor';
  await post(`/Root/Content('public')/SetPermissions`, { r: [{ identity: visitor, See: 'allow', Open: 'allow' }] });
  const key = JSON.parse(await post(`/Root/IMS/BuiltIn/Portal('PublicAdmin')/CreateApiKey`, {})) as { Value: string };
  await pool.destroy();
  return { anonymous: {}, token: headers, 'API key': { apikey: key.Value } };
}
