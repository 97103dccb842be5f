import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { newId } from '@latchkey/database';
import { createTestDatabase, type TestDatabase } from '@latchkey/database/testing';
import { createLogger } from '@latchkey/runtime';
import { fetchKeys } from './fetch-client-keys.js';

let test: TestDatabase;
let server: Server;
let hanging: ServerResponse[];
let read: string[];

beforeAll(async () => {
  test = await createTestDatabase();
  server = createServer(({ url }, response) => {
    if (url?.startsWith('/slow')) return void hanging.push(response);
    read.push(url ?? '');
    return response.end('{"keys":[]}');
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
});
beforeEach(async () => {
  [hanging, read] = [[], []];
  await test.owner.query('DELETE FROM clients');
});
afterAll(async () => {
  server.close();
  server.closeAllConnections();
  await test.drop();
});

/** Clients of one tenant that publish their keys, last read so long ago. */
async function publish(path: string, count: number, minutesAgo: number): Promise<void> {
  const id = newId();
  await test.owner.query(
    `INSERT INTO repository_users (repository_id, tenant_id, id, login_name, name) VALUES ($1, $1, 1, 'robot', 'Robot')`,
    [id],
  );
  await test.owner.query(
    `INSERT INTO clients (repository_id, id, tenant_id, kind, name, user_id, jwks_uri, jwks_fetched_at)
     SELECT $1, $2 || n, $1, 'tool', 'Tool', 1, $3 || n, now() - make_interval(mins => $4) FROM generate_series(1, $5) n`,
    [id, path, `http://localhost:${(server.address() as AddressInfo).port}/${path}`, minutesAgo, count],
  );
}

const fetchAll = (signal: AbortSignal) =>
  fetchKeys({ database: test.database, allowPrivateAddresses: true, log: createLogger('keys-test', 'silent') })(
    {},
    { id: newId(), lastAttempt: false, signal },
  );

async function until(reached: () => boolean): Promise<void> {
  while (!reached()) await new Promise((resolve) => setTimeout(resolve, 20));
}

describe('reading the keys that clients publish', () => {
  it('is not held up by the slow addresses of a tenant, however many there are and however long they have waited', async () => {
    await publish('slow', 11_000, 60);
    await publish('quick', 300, 6);
    const [stopping, began] = [new AbortController(), performance.now()];
    const run = fetchAll(stopping.signal);
    await until(() => read.length === 300);
    // Four at once, each of which is given up after five seconds.
    const most = 4 * Math.ceil((performance.now() - began) / 5_000);
    stopping.abort();
    await run;
    expect(hanging.length).toBeLessThanOrEqual(most);
    expect(new Set(read).size).toBe(300);
  });

  it('reads those of several tenants by turns, and each once', async () => {
    for (const tenant of ['a', 'b', 'c']) await publish(tenant, 100, 6);
    await fetchAll(new AbortController().signal);
    expect(new Set(read).size).toBe(300);
    expect(read).toHaveLength(300);
    for (const tenant of ['/a', '/b', '/c']) {
      const first = read.slice(0, 150).filter((path) => path.startsWith(tenant));
      expect(first.length).toBeGreaterThan(30);
    }
    await fetchAll(new AbortController().signal);
    expect(read).toHaveLength(300);
  });
});
