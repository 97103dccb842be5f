import { connectionsOf, warnOfConnections } from './connections.js';
import { createTestDatabase, type TestDatabase } from './testing/index.js';

let test: TestDatabase;
beforeAll(async () => {
  test = await createTestDatabase();
});
afterAll(() => test.drop());

describe('warnOfConnections', () => {
  const warnings: object[] = [];
  const log = { warn: (about: object) => void warnings.push(about) };

  it('is silent as long as everybody finds a connection, and warns the process with which that ends', async () => {
    const { rows } = await test.owner.query<{ allowed: number }>(
      `SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int AS allowed`,
    );
    const { allowed } = rows[0]!;
    const most = Math.floor((allowed - 16 - connectionsOf(0)) / 2);
    await warnOfConnections(test.database, most, log);
    expect(warnings).toEqual([]);
    await warnOfConnections(test.database, most + 1, log);
    expect(warnings).toMatchObject([{ allowed, processes: 1 }]);
  });

  it('counts the processes that live, and not those that have stopped or gone silent', async () => {
    await test.owner.query(`INSERT INTO nodes (id, name, kind, url, seen_at, stopped_at) VALUES
      (gen_random_uuid(), 'a', 'authority', 'http://a', now(), NULL), (gen_random_uuid(), 'b', 'authority', 'http://b', now(), now()),
      (gen_random_uuid(), 'c', 'authority', 'http://c', now() - interval '1 minute', NULL)`);
    await warnOfConnections(test.database, 1_000, log);
    expect(warnings.at(-1)).toMatchObject({ processes: 2, each: 2_003, wanted: 2 * 2_003 + 16 });
  });
});
