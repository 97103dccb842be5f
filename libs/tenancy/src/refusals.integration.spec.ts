import { Member, newId, RepositoryUser, Tenant } from '@latchkey/database';
import { createTestDatabase, type TestDatabase } from '@latchkey/database/testing';
import { Refusals, type Refusal } from './refusals.js';

let test: TestDatabase;
let refusals: Refusals;
const faults: unknown[] = [];

beforeAll(async () => {
  test = await createTestDatabase();
  refusals = new Refusals(test.database, (fault) => void faults.push(fault));
});
afterAll(async () => {
  await refusals.close();
  await test.drop();
});

const refusal = (tenantId: Refusal['tenantId'], more: Partial<Refusal> = {}): Refusal => ({
  action: 'token.refused',
  tenantId,
  repositoryId: newId(),
  by: { kind: 'unknown', id: null },
  target: { kind: 'client', id: 'tool_one' },
  reason: 'invalid_client',
  call: { requestId: 'first', address: '192.0.2.1' },
  ...more,
});

async function rowsOf(tenantId: string) {
  const { rows } = await test.owner.query<{
    action: string;
    target_id: string;
    address: string | null;
    request_id: string;
    details: object;
  }>('SELECT action, target_id, address, request_id, details FROM audit_events WHERE tenant_id = $1 ORDER BY id', [tenantId]);
  return rows;
}

describe('refusals in the audit trail', () => {
  it('of the same kind and address are one row, with their count, however many there are', async () => {
    const tenantId = newId();
    const one = refusal(tenantId);
    for (let i = 0; i < 10_000; i++) refusals.record({ ...one, call: { ...one.call, requestId: `request-${i}` } });
    expect(await rowsOf(tenantId)).toEqual([]);
    await refusals.flush();
    expect(await rowsOf(tenantId)).toEqual([
      {
        action: 'token.refused',
        target_id: 'tool_one',
        address: '192.0.2.1',
        request_id: 'request-9999',
        details: { reason: 'invalid_client', count: 10_000, firstAt: expect.any(String) as string, lastAt: expect.any(String) as string },
      },
    ]);
  });

  it('from other addresses or about other things are rows of their own', async () => {
    const tenantId = newId();
    const one = refusal(tenantId);
    refusals.record(one);
    refusals.record({ ...one, call: { requestId: 'r', address: '192.0.2.2' } });
    refusals.record({ ...one, target: { kind: 'client', id: 'tool_two' } });
    refusals.record({ ...one, reason: 'replaced secret' });
    refusals.record({ ...one, action: 'sign-in.refused' });
    await refusals.flush();
    expect(await rowsOf(tenantId)).toHaveLength(5);
  });

  it('from more addresses than anyone could read make a hundred rows and one for the rest', async () => {
    const tenantId = newId();
    const one = refusal(tenantId);
    for (let i = 0; i < 5_000; i++) refusals.record({ ...one, call: { requestId: 'r', address: `2001:db8::${i.toString(16)}` } });
    await refusals.flush();
    const rows = await rowsOf(tenantId);
    expect(rows).toHaveLength(101);
    expect(rows.at(-1)).toMatchObject({ target_id: 'various', address: null, details: { count: 4_900, reason: 'too many to tell apart' } });
  });

  it('of one repository, or of one tenant or person at the console, do not crowd out those of another', async () => {
    const [loud, quiet, repositoryId] = [newId(), newId(), newId()];
    const one = refusal(loud, { repositoryId });
    const somebody = { consoleId: repositoryId, userId: 1, otherwise: newId() };
    for (let i = 0; i < 1_000; i++) {
      const call = { requestId: 'r', address: `2001:db8::${i.toString(16)}` };
      refusals.record({ ...one, call });
      refusals.record({ ...one, tenantId: somebody, call });
    }
    refusals.record(refusal(quiet, { repositoryId }));
    refusals.record(refusal(quiet));
    const other = { ...somebody, userId: 2, otherwise: newId() };
    refusals.record(refusal(other, { repositoryId }));
    await refusals.flush();
    expect(await rowsOf(quiet)).toMatchObject([{ target_id: 'tool_one' }, { target_id: 'tool_one' }]);
    expect(await rowsOf(other.otherwise)).toMatchObject([{ target_id: 'tool_one' }]);
    expect(await rowsOf(somebody.otherwise)).toHaveLength(101);
  });

  it('of a person are told to every tenant of theirs, and to the operator for a person of none', async () => {
    const [one, two, operator, consoleId] = [newId(), newId(), newId(), newId()];
    await test.database.transaction('system', async (tx) => {
      for (const id of [one, two]) await tx.insert(Tenant, { id, name: id });
      await tx.insert(RepositoryUser, { repositoryId: consoleId, id: 7, tenantId: operator, loginName: 'anna', name: 'Anna' });
      for (const tenantId of [one, two])
        await tx.insert(Member, { tenantId, id: newId(), repositoryId: consoleId, userId: 7, role: 'viewer' });
    });
    refusals.record(refusal({ consoleId, userId: 7, otherwise: operator }));
    refusals.record(refusal({ consoleId, userId: 8, otherwise: operator }));
    await refusals.flush();
    expect([(await rowsOf(one)).length, (await rowsOf(two)).length, (await rowsOf(operator)).length]).toEqual([1, 1, 1]);
  });

  it('that cannot be written are reported and stop no others', async () => {
    const tenantId = newId();
    refusals.record(refusal('not an id'));
    refusals.record(refusal(tenantId));
    await refusals.flush();
    expect(faults).toHaveLength(1);
    expect(await rowsOf(tenantId)).toHaveLength(1);
  });
});

describe('the audit trail', () => {
  it.each(['latchkey_app', 'latchkey_system', 'latchkey_check'])(
    'can be changed, emptied or cut by no role of the apps: %s',
    async (role) => {
      const tenantId = newId();
      refusals.record(refusal(tenantId));
      await refusals.flush();
      const client = await test.owner.connect();
      try {
        await client.query(`SET ROLE ${role}; SELECT set_config('app.tenant_id', '${tenantId}', false)`);
        for (const statement of [
          `UPDATE audit_events SET action = 'nothing'`,
          'DELETE FROM audit_events',
          'TRUNCATE audit_events',
          'DROP TABLE audit_events',
          'ALTER TABLE audit_events DISABLE ROW LEVEL SECURITY',
          `INSERT INTO audit_events SELECT * FROM audit_events ON CONFLICT (tenant_id, id) DO UPDATE SET action = 'nothing'`,
        ]) {
          await expect(client.query(statement)).rejects.toThrow(/permission denied|must be owner/);
        }
      } finally {
        await client.query('RESET ROLE');
        client.release();
      }
      expect(await rowsOf(tenantId)).toMatchObject([{ action: 'token.refused' }]);
    },
  );

  it('takes rows of the tenant of the transaction and of no other', async () => {
    const [own, other] = [newId(), newId()];
    const row = (tenantId: string) => `INSERT INTO audit_events (tenant_id, id, actor_kind, action, target_kind, target_id)
      VALUES ('${tenantId}', gen_random_uuid(), 'system', 'x', 'x', 'x')`;
    await test.database.transaction({ tenantId: own }, (tx) => tx.query(row(own)));
    await expect(test.database.transaction({ tenantId: own }, (tx) => tx.query(row(other)))).rejects.toThrow(/row-level security/);
  });
});
