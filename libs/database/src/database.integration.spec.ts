import { setTimeout as wait } from 'node:timers/promises';
import type { EntityManager } from 'typeorm';
import { AuditEvent, Client } from './entities/index.js';
import { insertRows } from './rows.js';
import { newId } from './new-id.js';
import { prepared } from './prepared.js';
import { createTestDatabase, type TestDatabase } from './testing/index.js';

describe('A transaction', () => {
  let test: TestDatabase;
  const [own, other] = [newId(), newId()];

  beforeAll(async () => {
    test = await createTestDatabase();
    await test.owner.query(`INSERT INTO tenants (id, name) VALUES ($1, 'Own'), ($2, 'Other')`, [own, other]);
    await test.owner.query('ANALYZE tenants');
  });
  afterAll(() => test.drop());

  const names = async (sql = 'SELECT name FROM tenants ORDER BY name') =>
    (await test.owner.query<{ name: string }>(sql)).rows.map(({ name }) => name);

  it('sees in its first statement, sent with its beginning, only what is of its scope', async () => {
    for (const run of ['read', 'transaction'] as const) {
      const seen = await test.database[run]({ tenantId: own }, (tx) => tx.query<{ name: string }[]>('SELECT name FROM tenants'));
      expect(seen).toEqual([{ name: 'Own' }]);
    }
    const seen = await test.database.statement({ tenantId: own }, 'SELECT name FROM tenants', []);
    expect(seen).toEqual([{ name: 'Own' }]);
  });

  it('leaves no scope behind on its connection', async () => {
    await Promise.all(Array.from({ length: 20 }, () => test.database.read({ tenantId: own }, (tx) => tx.query('SELECT 1'))));
    const seen = await Promise.all(
      Array.from({ length: 20 }, () => test.database.statement<object>({ tenantId: newId() }, 'SELECT name FROM tenants', [])),
    );
    expect(seen.flat()).toEqual([]);
  });

  it('is counted while it waits for a connection', async () => {
    const connections = 8;
    const gate = Promise.withResolvers<void>();
    const begun: unknown[] = [];
    const hold = () => test.database.read({ tenantId: own }, async (tx) => begun.push(await tx.query('SELECT 1')) && gate.promise);
    const held = Array.from({ length: connections + 3 }, hold);
    while (begun.length < connections) await wait(5);
    expect([begun.length, test.database.waiting]).toEqual([connections, 3]);
    gate.resolve();
    await Promise.all(held);
    expect(test.database.waiting).toBe(0);
  });

  it('keeps nothing when its work fails, even before anything was sent, and its connection goes on', async () => {
    const failing = test.database.transaction({ tenantId: own }, async (tx) => {
      await tx.query(`UPDATE tenants SET name = 'Changed'`);
      throw new Error('enough');
    });
    await expect(failing).rejects.toThrow('enough');
    const atOnce = test.database.transaction({ tenantId: own }, () => Promise.reject(new Error('not even begun')));
    await expect(atOnce).rejects.toThrow('not even begun');
    await expect(test.database.transaction({ tenantId: own }, (tx) => tx.query('SELECT 1/0'))).rejects.toThrow('division by zero');
    expect(await names()).toEqual(['Other', 'Own']);
    for (let i = 0; i < 10; i++) await test.database.read({ tenantId: own }, (tx) => tx.query('SELECT 1'));
  });

  it('sends nothing prepared once its end has begun, however long a part of its work goes on', async () => {
    let late: Promise<unknown> | undefined;
    const half = test.database.transaction('system', async (tx) => {
      const goOn = tx.query('SELECT 1').catch(() => undefined);
      late = goOn.then(async () => goOn).then(() => prepared(tx, `UPDATE tenants SET name = 'Late'`, []));
      late.catch(() => undefined);
      await prepared(tx, 'SELECT 1 / $1::integer', [0]);
    });
    await expect(half).rejects.toThrow('division by zero');
    await expect(late).rejects.toThrow('needs a transaction');
    let after: EntityManager | undefined;
    await test.database.transaction('system', async (tx) => void (after = tx));
    await expect(prepared(after!, 'SELECT 1', [])).rejects.toThrow('needs a transaction');
    expect(await names()).toEqual(['Other', 'Own']);
  });

  it('stores rows with what they name, and gives the rest its defaults', async () => {
    const tenantId = newId();
    const event = { tenantId, actorKind: 'system', action: 'x', targetKind: 'x', targetId: 'x' };
    await test.database.transaction({ tenantId }, (tx) =>
      insertRows(tx, AuditEvent, [
        { ...event, id: newId(), address: null, details: { list: ['a', null], text: '{"' } },
        { ...event, id: newId(), address: '::1', details: {} },
      ]),
    );
    const { rows } = await test.owner.query(
      'SELECT address, details, at IS NOT NULL AS dated FROM audit_events WHERE tenant_id = $1 ORDER BY id',
      [tenantId],
    );
    expect(rows).toEqual([
      { address: null, details: { list: ['a', null], text: '{"' }, dated: true },
      { address: '::1', details: {}, dated: true },
    ]);
    const client = { repositoryId: newId(), tenantId, id: 'app_x', kind: 'app' as const, name: 'x', permissions: ['a,b', '"'] };
    await test.database.transaction({ tenantId }, (tx) => insertRows(tx, Client, [client]));
    const stored = await test.database.read({ tenantId }, (tx) => tx.findOneByOrFail(Client, { id: 'app_x' }));
    expect(stored).toMatchObject({ ...client, isDefault: false, redirectUris: [], generation: 1, deletedAt: null });
    const foreign = { ...event, tenantId: other, id: newId() };
    const writing = test.database.transaction({ tenantId }, (tx) => insertRows(tx, AuditEvent, [foreign]));
    await expect(writing).rejects.toThrow('row-level security');
  });

  it('that only reads is refused a write, as its first statement too', async () => {
    const writing = test.database.read({ tenantId: own }, (tx) => tx.query(`UPDATE tenants SET name = 'Changed'`));
    await expect(writing).rejects.toThrow('read-only');
    expect(await names()).toEqual(['Other', 'Own']);
  });

  it('plans to read tables whole only where it changes nothing, whatever the one before it on its connection did', async () => {
    const plan = (tx: EntityManager) => tx.query<Record<'QUERY PLAN', string>[]>(`EXPLAIN SELECT FROM tenants WHERE id = '${own}'`);
    const nodes = [];
    for (let i = 0; i < 10; i++)
      for (const run of ['read', 'transaction'] as const)
        nodes.push(`${run}: ${(await test.database[run]('system', plan))[0]?.['QUERY PLAN'].replace(/ on .*| using .*/, '')}`);
    expect(new Set(nodes)).toEqual(new Set(['read: Seq Scan', 'transaction: Index Only Scan']));
  });

  it('of one statement has committed when it resolves, and keeps nothing of one that fails', async () => {
    const scope = { tenantId: own };
    const change = (text: string) => test.database.statement(scope, text, []);
    await change(`UPDATE tenants SET name = 'Renamed'`);
    expect(await names()).toEqual(['Other', 'Renamed']);
    await expect(
      change(`UPDATE tenants SET name = 'Again', created_at = (1 / (length(name) - length(name)))::text::timestamptz`),
    ).rejects.toThrow('division by zero');
    await expect(change('SELECT pg_terminate_backend(pg_backend_pid())')).rejects.toThrow();
    expect(await names()).toEqual(['Other', 'Renamed']);
    await change(`UPDATE tenants SET name = 'Own'`);
    expect(await names()).toEqual(['Other', 'Own']);
  });

  it('whose connection is lost while it works says so, and the next one finds another', async () => {
    const lost = test.database.transaction({ tenantId: own }, async (tx) => {
      await tx.query(`UPDATE tenants SET name = 'Changed'`);
      await tx.query('SELECT pg_terminate_backend(pg_backend_pid())');
    });
    await expect(lost).rejects.toThrow();
    expect(await names()).toEqual(['Other', 'Own']);
    expect(await test.database.read({ tenantId: own }, (tx) => tx.query('SELECT name FROM tenants'))).toEqual([{ name: 'Own' }]);
  });
});
