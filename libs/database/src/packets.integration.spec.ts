import { Socket } from 'node:net';
import { Database } from './database.js';
import { newId } from './new-id.js';
import { inTurn, prepared } from './prepared.js';
import { createTestDatabase, type TestDatabase } from './testing/index.js';

/** Counts, until it stops, what is handed to the system to be sent there, by anybody in this process: each is a packet. */
function countPackets(port: number): { sent: () => number; stop: () => void } {
  let packets = 0;
  const { _write, _writev } = Socket.prototype;
  const counting = (write: unknown) =>
    function (this: Socket, ...args: unknown[]) {
      if (this.remotePort === port) packets += 1;
      (write as (...all: unknown[]) => void).apply(this, args);
    };
  Object.assign(Socket.prototype, { _write: counting(_write), _writev: counting(_writev) });
  return { sent: () => packets, stop: () => Object.assign(Socket.prototype, { _write, _writev }) };
}

describe('A transaction, of which each packet wakes the server once,', () => {
  let test: TestDatabase;
  let packets: ReturnType<typeof countPackets>;
  let database: Database;
  const scope = { tenantId: newId() };
  const times = 50;

  beforeAll(async () => {
    test = await createTestDatabase();
    packets = countPackets(Number(new URL(test.url).port));
    database = await Database.connect({ url: test.url, poolSize: 1 });
  });
  afterAll(async () => {
    await database.close();
    await test.drop();
    packets.stop();
  });

  const packetsOf = async (work: () => Promise<unknown>) => {
    await work(); // What is prepared is prepared.
    const before = packets.sent();
    await work();
    return packets.sent() - before;
  };
  const inSequence = (one: () => Promise<unknown>) => async () => {
    for (let i = 0; i < times; i++) await one();
  };

  it('that only reads sends its beginning and the statements that do not wait for each other as one, and then its end', async () => {
    const one = () => database.read(scope, (tx) => inTurn(prepared(tx, 'SELECT 1 AS one', []), prepared(tx, 'SELECT 2 AS two', [])));
    expect(await packetsOf(inSequence(one))).toBe(2 * times);
  });

  it('of one statement is sent as one', async () => {
    expect(await packetsOf(inSequence(() => database.statement(scope, 'SELECT 3 AS three', [])))).toBe(times);
  });

  it('that only read sends its end with the beginning of the next one that waits for its connection', async () => {
    const one = () => database.read(scope, (tx) => prepared(tx, 'SELECT 4 AS four', []));
    expect(await packetsOf(() => Promise.all(Array.from({ length: times }, one)))).toBe(times + 1);
  });

  it('that fails leaves nothing of itself to the next one that waits for its connection', async () => {
    const fail = () => database.read(scope, (tx) => prepared(tx, 'SELECT 1 / $1::integer', [0]));
    const see = () =>
      database.read(scope, (tx) => prepared<{ tenant: string }>(tx, `SELECT current_setting('app.tenant_id') AS tenant`, []));
    const outcomes = await Promise.allSettled([see(), fail(), see(), fail(), fail(), see()]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'rejected', 'rejected', 'fulfilled']);
    expect(outcomes.at(-1)).toEqual({ status: 'fulfilled', value: [{ tenant: scope.tenantId }] });
  });
});
