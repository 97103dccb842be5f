import { tokenRequest } from '../customer.js';
import { probe } from '../probe.js';
import { RawConnection, written } from '../raw-load.js';
import { benchRepository, tokenBytes, type Bench, type Line } from './row.js';

const hot = 1_000;

/** What an authority holds: idle, and for each repository that has become hot, by tokens alone and by a whole issuer. */
export async function memoryRow({ installation, seeded }: Bench): Promise<Line[]> {
  const [node] = installation.of('authority');
  const pid = node!.process.pid!;
  const idle = await probe(pid);
  // Those at the end, which no other row has made hot; the first make the process warm.
  const repositories = seeded.slice(-hot);
  const [warm, measured] = [
    repositories.slice(0, Math.floor(repositories.length / 10)),
    repositories.slice(Math.floor(repositories.length / 10)),
  ];
  const whole = (repository: (typeof seeded)[number]) => {
    const { path, headers, body } = tokenRequest(benchRepository(repository));
    // What the express lane does not know.
    return written({ method: 'POST', path, headers, body: `${body}&unknown=parameter` });
  };
  const visit = async (requests: Buffer[]) => {
    const { hostname, port } = new URL(node!.origin);
    const connection = await RawConnection.open(hostname, Number(port));
    for (const request of requests) await connection.send(request);
    connection.close();
    return probe(pid);
  };
  await visit(warm.flatMap((repository) => [tokenBytes(repository), whole(repository)]));
  const before = await visit(warm.map(tokenBytes));
  const byTokens = await visit(measured.map(tokenBytes));
  const byIssuers = await visit(measured.map(whole));
  const kilobytes = (bytes: number) => `${(bytes / measured.length / 1024).toFixed(1)} KB`;
  const each = (byIssuers.heapUsed - before.heapUsed) / measured.length / 1024;
  const idleMegabytes = idle.rss / 1024 / 1024;
  return [
    {
      work: `memory of the authority for each hot repository, of ${measured.length}: heap, a whole issuer`,
      ours: `by tokens alone ${kilobytes(byTokens.heapUsed - before.heapUsed)}`,
      yardstick: `resident: ${kilobytes(byIssuers.rss - before.rss)}`,
      measured: kilobytes(byIssuers.heapUsed - before.heapUsed),
      goal: '≤ 150 KB',
      reached: each <= 150,
    },
    {
      work: 'idle authority, resident',
      ours: `heap ${Math.round(idle.heapUsed / 1024 / 1024)} MB`,
      yardstick: '–',
      measured: `${Math.round(idleMegabytes)} MB`,
      goal: '≤ 150 MB',
      reached: idleMegabytes <= 150,
    },
  ];
}
