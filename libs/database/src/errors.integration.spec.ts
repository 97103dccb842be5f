import { isNoText, isUnavailable } from './errors.js';
import { createTestDatabase, type TestDatabase } from './testing/index.js';

let test: TestDatabase;

beforeAll(async () => {
  test = await createTestDatabase();
});
afterAll(() => test.drop());

/** What a transaction throws that goes on after `loss` has happened to its connection. */
async function thrownAfter(loss: (pid: number) => Promise<unknown>, goOn: 'query' | 'repository'): Promise<unknown> {
  const broken = test.database.transaction('system', async (tx) => {
    const [{ pid }] = await tx.query<[{ pid: number }]>('SELECT pg_backend_pid() AS pid');
    await loss(pid);
    if (goOn === 'query') return tx.query('SELECT 1');
    return tx.createQueryBuilder().select('1').from('tenants', 't').getRawMany();
  });
  return broken.then(
    () => undefined,
    (error: unknown) => error,
  );
}

/** Ends the connection, and waits until the driver has noticed. */
const loseNoticed = async (pid: number) => {
  await test.owner.query('SELECT pg_terminate_backend($1)', [pid]);
  await new Promise((resolve) => setTimeout(resolve, 200));
};
const loseUnnoticed = (pid: number) => test.owner.query('SELECT pg_terminate_backend($1)', [pid]);

describe('that the database is away', () => {
  it.each([
    ['between two statements, by the next', loseNoticed, 'query'],
    ['between two statements, by the next of a query builder', loseNoticed, 'repository'],
    ['just before a statement', loseUnnoticed, 'query'],
  ] as const)('is seen in the fault of a transaction that loses its connection %s', async (_, loss, goOn) => {
    const thrown = await thrownAfter(loss, goOn);
    expect(thrown).toBeInstanceOf(Error);
    expect([String(thrown), isUnavailable(thrown)]).toEqual([String(thrown), true]);
  });

  it('is what a transaction is told that was undone because it and another waited for each other, as it may be tried again', async () => {
    await test.owner.query('CREATE TABLE pairs (id integer PRIMARY KEY); INSERT INTO pairs VALUES (1), (2); GRANT ALL ON pairs TO PUBLIC');
    const met = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const lockBoth = (ids: [number, number], [mine, theirs]: typeof met) =>
      test.database.transaction('system', async (tx) => {
        await tx.query('SELECT FROM pairs WHERE id = $1 FOR UPDATE', [ids[0]]);
        mine?.resolve();
        await theirs?.promise;
        await tx.query('SELECT FROM pairs WHERE id = $1 FOR UPDATE', [ids[1]]);
      });
    const ended = await Promise.allSettled([lockBoth([1, 2], met), lockBoth([2, 1], met.toReversed())]);
    const thrown: unknown[] = ended.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []));
    expect(thrown.map((error) => [String(error), isUnavailable(error)])).toEqual([[expect.stringContaining('deadlock detected'), true]]);
  });

  it('is not seen in a statement that is wrong', async () => {
    const thrown = await test.database.transaction('system', (tx) => tx.query('SELECT nonsense')).catch((error: unknown) => error);
    expect(isUnavailable(thrown)).toBe(false);
  });
});

describe('that a text holds a zero', () => {
  const thrownBy = (text: string, values: unknown[]) =>
    test.database.transaction('system', (tx) => tx.query(text, values)).catch((error: unknown) => error);

  it('is seen in the fault of the statement, as a text and within JSON, and in no other', async () => {
    const seen = [await thrownBy('SELECT $1::text', ['a\0']), await thrownBy('SELECT $1::jsonb', [JSON.stringify({ a: '\0' })])];
    expect(seen.map((error) => [isNoText(error), isUnavailable(error)])).toEqual([
      [true, false],
      [true, false],
    ]);
    expect(isNoText(await thrownBy('SELECT $1::uuid', ['a']))).toBe(false);
  });
});
