import { setTimeout as wait } from 'node:timers/promises';
import { newId } from '@latchkey/database';
import { createLogger } from '@latchkey/runtime';
import { endApiKeys, insertApiKey } from './api-key.js';
import type { CredentialCheck, Question } from './check.js';
import { ClientSecrets } from './client-secret.js';
import { Clients } from './client.js';
import { confirmCutoff, recordCutoff, type CutoffRecord } from './cutoff.js';
import { NodeReporter, type NodeReporterOptions } from './proof.js';
import { openFixture, toolUserId, type CredentialsFixture, type RepositoryFixture } from './testing/fixture.js';

let fixture: CredentialsFixture;
let secrets: ClientSecrets;
let slugs = 0;
const nodes: NodeReporter[] = [];

beforeAll(async () => {
  fixture = await openFixture();
  secrets = new ClientSecrets(fixture.database, fixture.peppers);
});
afterEach(() => Promise.all(nodes.splice(0).map((node) => node.leave())));
afterAll(() => fixture.close());

/** A process that accepts credentials, once it is registered. */
async function join(
  name = `node-${nodes.length + 1}`,
  { check = fixture.check, kind = 'authority' }: Partial<NodeReporterOptions> = {},
): Promise<NodeReporter> {
  const log = createLogger('test', 'silent');
  const node = new NodeReporter({ check, databaseUrl: fixture.url, kind, name, url: 'http://127.0.0.1:1', log });
  nodes.push(node);
  await eventually(async () => (await fixture.owner.query('SELECT FROM nodes WHERE id = $1', [node.id])).rowCount === 1);
  return node;
}

async function eventually(holds: () => Promise<boolean>, millis = 20_000): Promise<void> {
  for (const deadline = Date.now() + millis; !(await holds()); await wait(10)) {
    if (Date.now() > deadline) throw new Error(`it did not come to hold within ${millis} ms`);
  }
}

const freshRepository = () => fixture.newRepository(`repository-${++slugs}`);

async function reportsOf(cutoffId: string): Promise<{ node_id: string; after_millis: number; tenant_id: string }[]> {
  const { rows } = await fixture.owner.query<{ node_id: string; after_millis: number; tenant_id: string }>(
    `SELECT r.node_id, r.tenant_id, extract(epoch FROM r.refused_at - c.effective_at)::float * 1000 AS after_millis
     FROM cutoff_reports r JOIN cutoffs c ON c.id = r.cutoff_id WHERE c.id = $1`,
    [cutoffId],
  );
  return rows;
}

/** Does it again, twice at most, while a report took longer than that: a machine that stands still does not do so three times. */
async function reportedWithin(millis: number, act: () => Promise<string[]>): Promise<void> {
  for (let left = 2; ; left--) {
    const reports = (await Promise.all((await act()).map(reportsOf))).flat();
    for (const { after_millis } of reports) expect(after_millis).toBeGreaterThan(0);
    const slowest = Math.max(...reports.map(({ after_millis }) => after_millis));
    if (slowest < millis) return;
    if (left === 0) throw new Error(`a node reported after ${slowest} ms instead of ${millis}`);
  }
}

const isReportedBy = async (cutoffId: string, count: number) => (await reportsOf(cutoffId)).length === count;

/** Ends something by a statement of its own, as some act would, and records the cut-off. */
async function cutOff(of: RepositoryFixture, record: CutoffRecord, statement: string): Promise<string> {
  const scope = { tenantId: of.tenantId, repositoryId: of.id };
  const pending = await fixture.database.transaction(scope, async (tx) => {
    await tx.query(statement, [of.id]);
    return recordCutoff(tx, of, record);
  });
  return (await confirmCutoff(fixture.database, scope, pending)).id;
}

describe('every node that accepts credentials', () => {
  it('reports within a second, and not before the cut-off, that it refuses a regenerated secret', async () => {
    const acme = await freshRepository();
    const both = [await join(), await join()];
    await reportedWithin(1_000, async () => {
      const { cutoff } = await secrets.regenerate(acme.actor, acme.slug, acme.toolId, { overlapSeconds: 0 });
      await eventually(() => isReportedBy(cutoff.id, 2));
      const reports = await reportsOf(cutoff.id);
      expect(reports.map(({ node_id }) => node_id).toSorted()).toEqual(both.map(({ id }) => id).toSorted());
      expect(reports.map(({ tenant_id }) => tenant_id)).toEqual([acme.tenantId, acme.tenantId]);
      return [cutoff.id];
    });
  });

  it('reports a revoked secret, a client that acts as another user, a removed client, a deleted API key, a changed user and a suspended repository', async () => {
    await join();
    await reportedWithin(1_000, async () => {
      const acme = await freshRepository();
      const scope = { tenantId: acme.tenantId, repositoryId: acme.id };
      const ids: string[] = [];
      ids.push((await secrets.revoke(acme.actor, acme.slug, acme.toolId, acme.secret.id)).cutoff.id);

      const keys = [1, 2].map((number) =>
        fixture.database.transaction(scope, (tx) =>
          insertApiKey(
            tx,
            fixture.peppers,
            acme.actor,
            { ...scope, userId: toolUserId, environment: 'production' },
            { name: `Key ${number}`, permissions: [] },
          ),
        ),
      );
      await Promise.all(keys);
      const ended = await fixture.database.transaction(scope, (tx) => endApiKeys(tx, acme.actor, { ...scope, userId: toolUserId }));
      if (!ended) throw new Error('there were no keys');
      ids.push((await confirmCutoff(fixture.database, scope, ended)).id);

      const clients = new Clients(fixture.database, fixture.peppers);
      const { clientId } = await clients.create(acme.actor, acme.slug, { kind: 'tool', name: 'Other', permissions: [] }, toolUserId);
      const other = await fixture.owner.query<{ id: number }>(
        `INSERT INTO repository_users (repository_id, id, tenant_id, login_name, name) VALUES ($1, 77, $2, 'other', 'Other') RETURNING id`,
        [acme.id, acme.tenantId],
      );
      const userId = other.rows[0]?.id ?? 0;
      const updated = await clients.update(acme.actor, acme.slug, clientId, { userId });
      ids.push(updated.cutoff?.id ?? 'none');
      expect((await clients.update(acme.actor, acme.slug, clientId, { userId, name: 'Same user' })).cutoff).toBeUndefined();
      ids.push((await clients.delete(acme.actor, acme.slug, clientId)).cutoff.id);

      ids.push(
        await cutOff(
          acme,
          { kind: 'user.changed', userId: toolUserId, ended: { belowGeneration: 2 } },
          'UPDATE repository_users SET generation = 2 WHERE repository_id = $1',
        ),
        await cutOff(
          acme,
          { kind: 'repository.suspended', ended: { belowGeneration: 2 } },
          'UPDATE repositories SET generation = 2, suspended_at = now() WHERE id = $1',
        ),
      );
      for (const id of ids) await eventually(() => isReportedBy(id, 1));
      return ids;
    });
  });

  it('reports grants that ended, and not before each of them has', async () => {
    const acme = await freshRepository();
    await join();
    await fixture.owner.query(
      `INSERT INTO oidc_records (repository_id, kind, id, payload, user_id, user_generation, expires_at)
       SELECT $1, 'Grant', id, '{}', $2, 1, now() + interval '1 day' FROM unnest(ARRAY['one', 'two']) AS id`,
      [acme.id, toolUserId],
    );
    const grants = ['one', 'two'].map((id) => ({ id, userId: toolUserId }));
    const record = { kind: 'identity-provider.ended', ended: { grants } };
    const id = await cutOff(acme, record, `DELETE FROM oidc_records WHERE repository_id = $1 AND id = 'one'`);
    await wait(300);
    expect(await reportsOf(id)).toEqual([]);
    await fixture.owner.query(`DELETE FROM oidc_records WHERE repository_id = $1`, [acme.id]);
    await eventually(() => isReportedBy(id, 1));
  });

  it('reports nothing that it would still accept, and reports it once it refuses', async () => {
    const acme = await freshRepository();
    await join();
    const id = await cutOff(
      acme,
      { kind: 'secret.revoked', clientId: acme.toolId, ended: { secretVersionIds: [acme.secret.id] } },
      'SELECT $1::uuid', // Nothing has ended.
    );
    const later = await secrets.regenerate(acme.actor, acme.slug, acme.toolId, { overlapSeconds: 60 });
    await wait(500);
    expect(await reportsOf(id)).toEqual([]);
    expect(await reportsOf(later.cutoff.id)).toEqual([]);
    await secrets.revoke(acme.actor, acme.slug, acme.toolId, acme.secret.id);
    await eventually(() => isReportedBy(id, 1));
  });

  it('asks for a secret itself only where secrets are presented, and for what it minted everywhere', async () => {
    const acme = await freshRepository();
    const asked: Record<string, string[]> = { authority: [], 'repository-api': [] };
    for (const kind of ['authority', 'repository-api'] as const) {
      const ask = (question: Question) => {
        asked[kind]?.push(question.withSecrets ? 'secret' : question.versionId ? 'minted' : 'other');
        return fixture.check.ask(question);
      };
      await join(kind, { kind, check: Object.assign(Object.create(fixture.check) as CredentialCheck, { ask }) });
    }
    const { cutoff } = await secrets.regenerate(acme.actor, acme.slug, acme.toolId, { overlapSeconds: 0 });
    await eventually(() => isReportedBy(cutoff.id, 2));
    expect(asked).toEqual({ authority: ['minted', 'secret'], 'repository-api': ['minted'] });
  });

  it('would say so if a secret, a user or a key that was cut off lived on', async () => {
    const acme = await freshRepository();
    await join();
    await join('api', { kind: 'repository-api' });
    const scope = { tenantId: acme.tenantId, repositoryId: acme.id };
    const key = await fixture.database.transaction(scope, (tx) =>
      insertApiKey(
        tx,
        fixture.peppers,
        acme.actor,
        { ...scope, userId: toolUserId, environment: 'production' },
        { name: 'Key', permissions: [] },
      ),
    );
    const nothing = 'SELECT $1::uuid';
    const alive = [
      await cutOff(acme, { kind: 'secret.revoked', clientId: acme.toolId, ended: { secretVersionIds: [acme.secret.id] } }, nothing),
      await cutOff(acme, { kind: 'api-key.deleted', ended: { apiKeyIds: [key.id] } }, nothing),
      await cutOff(acme, { kind: 'user.changed', userId: toolUserId, ended: { belowGeneration: 2 } }, nothing),
      await cutOff(acme, { kind: 'client.deleted', clientId: acme.toolId, ended: { belowGeneration: 2 } }, nothing),
      await cutOff(acme, { kind: 'repository.suspended', ended: { belowGeneration: 2 } }, nothing),
    ];
    await wait(500);
    for (const id of alive) expect(await reportsOf(id)).toEqual([]);
  });

  it('reports a planned rotation when it takes effect', async () => {
    const acme = await freshRepository();
    await join();
    await reportedWithin(1_000, async () => {
      const { cutoff } = await secrets.regenerate(acme.actor, acme.slug, acme.toolId, { overlapSeconds: 1 });
      const early = await reportsOf(cutoff.id);
      expect(Date.now() < Date.parse(cutoff.effectiveAt) ? early : []).toEqual([]);
      await eventually(() => isReportedBy(cutoff.id, 1));
      return [cutoff.id];
    });
  });

  it('catches up on what it was not told of while it had no connection', async () => {
    const acme = await freshRepository();
    await join('cut-off');
    // It catches up when it is connected again, and not only with its next beat, five seconds after the one before.
    await reportedWithin(4_000, async () => {
      const cutAt = Date.now();
      await fixture.owner.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'cut-off-proof'`);
      const { cutoff } = await secrets.regenerate(acme.actor, acme.slug, acme.toolId, { overlapSeconds: 0 });
      const early = await reportsOf(cutoff.id);
      // It connects again half a second after it lost its connection.
      expect(Date.now() - cutAt < 500 ? early : []).toEqual([]);
      await eventually(() => isReportedBy(cutoff.id, 1));
      return [cutoff.id];
    });
  });

  it('catches up on a cut-off whose maker was killed before it had noted the time, and notes one that is late enough', async () => {
    const acme = await freshRepository();
    const { id } = await fixture.database.transaction({ tenantId: acme.tenantId, repositoryId: acme.id }, (tx) =>
      recordCutoff(tx, acme, { kind: 'secret.revoked', clientId: acme.toolId, ended: { secretVersionIds: [] } }),
    );
    const node = await join();
    await fixture.owner.query(`UPDATE nodes SET started_at = now() - interval '1 minute' WHERE id = $1`, [node.id]);
    await fixture.owner.query(`UPDATE cutoffs SET recorded_at = now() - interval '11 seconds' WHERE id = $1`, [id]);
    await eventually(() => isReportedBy(id, 1));
    const { rows } = await fixture.owner.query<{ late: boolean }>('SELECT effective_at > recorded_at AS late FROM cutoffs WHERE id = $1', [
      id,
    ]);
    expect(rows).toEqual([{ late: true }]);
  });

  it('reports each of a hundred cut-offs that come one upon the other', async () => {
    const acme = await freshRepository();
    await join();
    const before = Number((await fixture.owner.query<{ count: string }>('SELECT count(*) FROM cutoff_reports')).rows[0]?.count);
    // No more at once than a slow machine gives connections to in the five seconds that one waits for them.
    for (let round = 0; round < 5; round++) {
      const regenerate = () => secrets.regenerate(acme.actor, acme.slug, acme.toolId, { overlapSeconds: 0 });
      await Promise.all(Array.from({ length: 20 }, regenerate));
    }
    await eventually(async () => {
      const { rows } = await fixture.owner.query<{ count: string }>('SELECT count(*) FROM cutoff_reports');
      return Number(rows[0]?.count) === before + 100;
    });
  });

  it('is registered from its start to its end', async () => {
    const node = await join('short-lived');
    const row = async () => (await fixture.owner.query('SELECT name, kind, url, stopped_at FROM nodes WHERE id = $1', [node.id])).rows;
    expect(await row()).toEqual([{ name: 'short-lived', kind: 'authority', url: 'http://127.0.0.1:1', stopped_at: null }]);
    await node.leave();
    expect(await row()).toEqual([expect.objectContaining({ stopped_at: expect.any(Date) as Date })]);
  });
});

describe('a proof', () => {
  it('is made by reading no more when hundreds of cut-offs have come since that was planned', async () => {
    const acme = await freshRepository();
    const { cutoff } = await secrets.regenerate(acme.actor, acme.slug, acme.toolId, { overlapSeconds: 0 });
    const connection = await fixture.owner.connect();
    const tables = ['cutoffs', 'cutoff_reports', 'nodes'];
    const rowsRead = async () => {
      const { rows } = await connection.query<{ read: number }>(
        `SELECT (seq_tup_read + coalesce(idx_tup_fetch, 0))::integer AS read
         FROM unnest($1::text[]) WITH ORDINALITY AS asked (name, place) JOIN pg_stat_xact_user_tables ON relid = name::regclass ORDER BY place`,
        [tables],
      );
      return rows.map(({ read }) => read);
    };
    /** How many rows of each table are read for it. */
    const reading = async (statement: string, values: unknown[]) => {
      const before = await rowsRead();
      const { rowCount } = await connection.query(statement, values);
      const after = await rowsRead();
      return { rowCount, read: after.map((read, index) => read - before[index]!) };
    };
    const node = newId();
    const beat = () => reading(`SELECT FROM beat_node($1, 'node', 'authority', 'http://127.0.0.1:1')`, [node]);
    const look = async () => {
      const { rows } = await connection.query<{ id: string }>('SELECT id FROM latest');
      const latest = [[acme.id], [rows[0]?.id]];
      return [
        await reading('SELECT FROM ended_by($1::uuid[], $2::uuid[])', latest),
        await reading('SELECT report_refusals($1, $2::uuid[], $3::uuid[])', [node, ...latest]),
      ];
    };
    const add = async (count: number) =>
      connection.query(`
        DO $do$ BEGIN FOR i IN 1..${count} LOOP
          UPDATE latest SET id = gen_random_uuid(), effective_at = clock_timestamp();
          INSERT INTO cutoffs TABLE latest;
        END LOOP; END $do$`);
    try {
      await connection.query('BEGIN');
      await connection.query(`CREATE TEMPORARY TABLE latest ON COMMIT DROP AS SELECT * FROM cutoffs WHERE id = '${cutoff.id}'`);
      await connection.query('TRUNCATE cutoffs, cutoff_reports, nodes');
      await add(1);
      await connection.query(`ANALYZE ${tables.join()}`);
      await beat();
      const few = await look();
      expect(few[0]?.rowCount).toBe(1);
      await beat();
      await add(300);
      expect(await look()).toEqual(few);
      const { rowCount, read } = await beat();
      expect(rowCount).toBe(299);
      expect(Math.max(...read)).toBeLessThanOrEqual(301);
    } finally {
      await connection.query('ROLLBACK');
      connection.release();
    }
  });

  it('cannot be written by hand: only the nodes, as the role of the checks, can', async () => {
    const acme = await freshRepository();
    const { cutoff } = await secrets.regenerate(acme.actor, acme.slug, acme.toolId, { overlapSeconds: 0 });
    const node = await join();
    const forgeries = [
      `INSERT INTO cutoff_reports SELECT '${acme.id}', '${cutoff.id}', '${node.id}', '${acme.tenantId}', 'forged', 'authority', now()`,
      `UPDATE cutoff_reports SET refused_at = now()`,
      `DELETE FROM cutoff_reports`,
      `INSERT INTO nodes (id, name, kind, url) VALUES (gen_random_uuid(), 'forged', 'authority', 'http://forged')`,
      `UPDATE nodes SET url = 'http://forged'`,
      `SELECT report_refusals('${node.id}', ARRAY['${acme.id}'::uuid], ARRAY['${cutoff.id}'::uuid])`,
      `SELECT beat_node(gen_random_uuid(), 'forged', 'authority', 'http://forged')`,
      `SELECT leave_node('${node.id}')`,
      `SELECT ended_by('{}', '{}')`,
    ];
    for (const scope of ['system', { tenantId: acme.tenantId, repositoryId: acme.id }] as const) {
      for (const forgery of forgeries) {
        await expect(fixture.database.transaction(scope, (tx) => tx.query(forgery))).rejects.toThrow('permission denied');
      }
    }
    // The role of the checks calls the functions, and touches no table.
    for (const table of ['nodes', 'cutoffs', 'cutoff_reports', 'canary_runs'])
      await expect(fixture.pool.query(`SELECT FROM ${table}`)).rejects.toThrow('permission denied');
  });

  it('is seen by its tenant alone, and where nodes are reached by none', async () => {
    const [acme, other] = [await freshRepository(), await freshRepository()];
    await join();
    const { cutoff } = await secrets.regenerate(acme.actor, acme.slug, acme.toolId, { overlapSeconds: 0 });
    await eventually(() => isReportedBy(cutoff.id, 1));
    const seenBy = (tenantId: string) =>
      fixture.database.read({ tenantId }, (tx) => tx.query<unknown[]>('SELECT FROM cutoff_reports WHERE cutoff_id = $1', [cutoff.id]));
    expect(await seenBy(acme.tenantId)).toHaveLength(1);
    expect(await seenBy(other.tenantId)).toHaveLength(0);
    await expect(fixture.database.read({ tenantId: acme.tenantId }, (tx) => tx.query('SELECT url FROM nodes'))).rejects.toThrow(
      'permission denied',
    );
  });
});
