import { randomUUID } from 'node:crypto';
import { Records } from './records.js';
import { startAuthority, type RunningAuthority } from './testing/running-authority.js';

/* How records are found among very many. */

const many = 20_000;

/** How the id of a session is stored, in SQL. */
const hashOf = (id: string) => `translate(rtrim(encode(sha256(convert_to(${id}, 'UTF8')), 'base64'), '='), '+/', '-_')`;

let running: RunningAuthority;
let records: Records;

beforeAll(async () => {
  running = await startAuthority();
  records = new Records(running.authority, running.console, 'Session');
  await running.test.owner.query(
    `INSERT INTO oidc_records (repository_id, kind, id, payload, grant_id, uid, user_code, expires_at)
     SELECT $1, kind,
       CASE kind WHEN 'Session' THEN ${hashOf('n || kind')} ELSE n || kind END,
       jsonb_build_object('n', n), 'g' || n, 'u' || n, 'c' || n, now() + interval '1 hour'
     FROM generate_series(1, ${many}) n, (VALUES ('Session'), ('DeviceCode')) AS kinds (kind)`,
    [running.console.id],
  );
});
afterAll(() => running.close());

/** Rows that were looked at, by an index or one after another, since the database was made. */
async function lookedAt(): Promise<number> {
  const client = await running.test.owner.connect();
  try {
    // What other connections have counted is told within a second of their last statement.
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    await running.database.call('SELECT pg_stat_force_next_flush()', []);
    await client.query('SELECT pg_stat_clear_snapshot()');
    const { rows } = await client.query<{ n: string }>(
      `SELECT seq_tup_read + idx_tup_fetch AS n FROM pg_stat_user_tables WHERE schemaname = 'latchkey' AND relname = 'oidc_records'`,
    );
    return Number(rows[0]?.n);
  } finally {
    client.release();
  }
}

describe.each(['before the tables are analysed', 'after the tables are analysed'])('%s', (when) => {
  it('every way to find, use and end a record is served by an index', async () => {
    if (when.startsWith('after')) await running.test.owner.query('ANALYZE');
    const other = new Records(running.authority, running.console, 'DeviceCode');
    const before = await lookedAt();
    const at = when.startsWith('after') ? 100 : 200;
    for (let n = at; n < at + 10; n++) {
      expect(await records.find(`${n}Session`)).toMatchObject({ n });
      expect(await records.findByUid(`u${n}`)).toMatchObject({ n });
      expect(await other.findByUserCode(`c${n}`)).toMatchObject({ n });
      await records.consume(`${n}Session`);
      await records.destroy(`${n}Session`);
      await records.revokeByGrantId(`g${n}`);
      expect(await records.find(`${n}Session`)).toBeUndefined();
    }
    // 70 calls, each of which looks at a handful.
    expect((await lookedAt()) - before).toBeLessThan(500);
  });
});

describe('a record', () => {
  it('is not found by what a copy of the database shows, which is no code, refresh token, cookie or request', async () => {
    const secrets = ['Session', 'Interaction', 'AuthorizationCode', 'RefreshToken', 'PushedAuthorizationRequest'];
    for (const kind of secrets) {
      const kept = new Records(running.authority, running.console, kind);
      const [id, uid, cookie] = [randomUUID(), randomUUID(), randomUUID()];
      await kept.upsert(id, { jti: id, kind, uid, session: { uid: 's', cookie } }, 600);
      expect(await kept.find(id)).toEqual({ jti: id, kind, uid, session: { uid: 's' } });
      const { rows } = await running.test.owner.query<{ id: string; row: string }>(
        `SELECT id, to_jsonb(o)::text AS row FROM oidc_records o WHERE kind = $1 AND uid = $2`,
        [kind, uid],
      );
      expect(rows).toHaveLength(1);
      for (const secret of [id, cookie]) expect(rows[0]?.row).not.toContain(secret);
      expect(await kept.find(rows[0]?.id ?? '')).toBeUndefined();
      await kept.destroy(id);
      expect(await kept.find(id)).toBeUndefined();
    }
  });

  const insert = async (change: { expires?: string; userId?: number; generation?: number } = {}) => {
    const id = randomUUID();
    await running.test.owner.query(
      `INSERT INTO oidc_records (repository_id, kind, id, payload, user_id, user_generation, expires_at)
       VALUES ($1, 'Session', ${hashOf('$2')}, '{}', $3, $4, now() + $5::interval)`,
      [running.console.id, id, change.userId ?? null, change.generation ?? null, change.expires ?? '1 hour'],
    );
    return id;
  };

  it('is not found by another repository, nor by one that gives itself out as it', async () => {
    const id = await insert();
    const tenant = await running.newTenant('Stranger');
    const stranger = new Records(running.authority, { ...running.console, id: tenant.id }, 'Session');
    expect([await records.find(id), await stranger.find(id)]).toEqual([{ jti: id }, undefined]);
    await expect(stranger.consume(id)).rejects.toThrow();
    expect(await records.find(id)).toEqual({ jti: id });
  });

  it('is gone with its time, its user, and the generation of its user', async () => {
    const member = await (await running.newTenant('People')).addMember('viewer');
    const owned = { userId: member.userId, generation: 1 };
    const [alive, late, stale] = [await insert(owned), await insert({ expires: '-1 second' }), await insert({ ...owned, generation: 2 })];
    expect([await records.find(alive), await records.find(late), await records.find(stale)]).toEqual([
      { jti: alive },
      undefined,
      undefined,
    ]);
    await running.test.owner.query('UPDATE repository_users SET enabled = false WHERE repository_id = $1 AND id = $2', [
      running.console.id,
      member.userId,
    ]);
    expect(await records.find(alive)).toBeUndefined();
  });
});
