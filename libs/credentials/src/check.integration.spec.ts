import { setTimeout as wait } from 'node:timers/promises';
import { newId } from '@latchkey/database';
import { openFixture, type CredentialsFixture, type RepositoryFixture } from './testing/fixture.js';
import { CredentialCheck, type AboutSecrets } from './check.js';
import type { GatheringOptions } from './gathered.js';

let fixture: CredentialsFixture;
let acme: RepositoryFixture;
let other: RepositoryFixture;

beforeAll(async () => {
  fixture = await openFixture();
  acme = await fixture.newRepository('acme');
  other = await fixture.newRepository('other');
});
afterAll(() => fixture.close());

const question = (): AboutSecrets => ({ repositoryId: acme.id, clientId: acme.toolId, withSecrets: true });

interface Sent {
  text: string;
  values: unknown[][];
}

/** A pool whose statements are counted, and can be held up on their way back: `hold` is called once the primary has answered. */
function watchedCheck(options?: GatheringOptions) {
  const sent: Sent[] = [];
  let hold: ((nth: number) => Promise<void> | undefined) | undefined;
  const pool = new Proxy(fixture.pool, {
    get(target, name) {
      if (name !== 'query') return Reflect.get(target, name) as unknown;
      return async (statement: Sent) => {
        const nth = sent.push(statement);
        const answer = await (target.query(statement as never) as unknown as Promise<unknown>);
        await hold?.(nth);
        return answer;
      };
    },
  });
  return {
    check: new CredentialCheck(pool, options),
    sent,
    holdAnswers: (until: (nth: number) => Promise<void> | undefined) => void (hold = until),
  };
}

describe('the check', () => {
  it('answers each question with its own row, whatever was asked beside it', async () => {
    const answers = await Promise.all([
      fixture.check.ask(question()),
      fixture.check.ask({ repositoryId: other.id, clientId: other.toolId }),
      fixture.check.ask({ repositoryId: '00000000-0000-7000-8000-000000000000' }),
      fixture.check.ask({ repositoryId: acme.id, clientId: other.toolId }),
      fixture.check.ask({ repositoryId: acme.id }),
    ]);
    expect(answers.map((answer) => [answer?.repository.id, answer?.client?.id])).toEqual([
      [acme.id, acme.toolId],
      [other.id, other.toolId],
      [undefined, undefined],
      [acme.id, undefined],
      [acme.id, undefined],
    ]);
    expect(answers[0]?.secrets).toHaveLength(1);
    expect(answers[1]?.secrets).toBeNull();
  });

  it('gathers the questions of one turn into one statement', async () => {
    const { check, sent } = watchedCheck();
    await Promise.all(Array.from({ length: 200 }, () => check.ask(question())));
    expect(sent).toHaveLength(1);
  });

  it('looks up once in a statement what several ask in it, and tells all of them', async () => {
    const { check, sent } = watchedCheck();
    const { repositoryId, clientId } = question();
    const version = { repositoryId, clientId, versionId: acme.secret.id };
    const questions = [version, { ...version, versionId: newId() }, version, { repositoryId, clientId }, { ...version }];
    const answers = await Promise.all(questions.map((one) => check.ask(one)));
    expect(answers.map((answer) => answer?.versionAlive)).toEqual([true, false, true, null, true]);
    const keyHashes = [Buffer.alloc(32, 1), Buffer.alloc(32, 2), Buffer.alloc(32, 1)];
    await Promise.all(keyHashes.map((keyHash) => check.ask({ repositoryId, keyHash })));
    expect(sent.map(({ values }) => values.map((column) => column.length))).toEqual([Array(6).fill(3), Array(2).fill(2)]);
  });

  it('gathers what is asked while a statement is under way into the next one', async () => {
    const { check, sent, holdAnswers } = watchedCheck({ lateMillis: 60_000 });
    const gate = Promise.withResolvers<void>();
    holdAnswers((nth) => (nth === 1 ? gate.promise : undefined));
    const answers = [check.ask(question())];
    while (sent.length === 0) await new Promise(setImmediate);
    for (let turn = 0; turn < 5; turn++) {
      answers.push(check.ask(question()), check.ask(question()));
      await new Promise(setImmediate);
    }
    expect(sent).toHaveLength(1);
    gate.resolve();
    expect((await Promise.all(answers)).every((answer) => answer?.client)).toBe(true);
    expect(sent).toHaveLength(2);
  });

  it('rests after a statement with several questions, as long as it took, and gathers what is asked meanwhile', async () => {
    const { check, sent, holdAnswers } = watchedCheck({ lateMillis: 60_000, mostRestMillis: 60_000 });
    holdAnswers((nth) => (nth === 1 ? wait(300) : undefined));
    await Promise.all(Array.from({ length: 4 }, () => check.ask(question())));
    const answers: Promise<unknown>[] = [];
    for (let turn = 0; turn < 5; turn++) {
      answers.push(check.ask(question()));
      await new Promise(setImmediate);
    }
    expect(sent).toHaveLength(1);
    await Promise.all(answers);
    expect(sent).toHaveLength(2);
  });

  it('does not rest after a statement with few questions, and never for longer than it may', async () => {
    for (const [questions, mostRestMillis] of [
      [3, 60_000],
      [4, undefined],
    ] as const) {
      const { check, sent, holdAnswers } = watchedCheck({ lateMillis: 60_000, ...(mostRestMillis && { mostRestMillis }) });
      holdAnswers((nth) => (nth === 1 ? wait(1_000) : undefined));
      await Promise.all(Array.from({ length: questions }, () => check.ask(question())));
      const answered = performance.now();
      await check.ask(question());
      expect(sent).toHaveLength(2);
      expect(performance.now() - answered).toBeLessThan(800);
    }
  });

  it('rests for longer while fewer wait to be asked about than queue for something else, until it would be late', async () => {
    for (const [asked, queue, lateMillis, sentMeanwhile] of [
      [3, 4, 60_000, 1],
      [4, 4, 60_000, 2],
      [3, 4, 1_500, 1],
    ] as const) {
      let backlog: number = queue;
      const { check, sent } = watchedCheck({ lateMillis, backlog: () => backlog });
      await Promise.all(Array.from({ length: 4 }, () => check.ask(question())));
      const later = Promise.all(Array.from({ length: asked }, () => check.ask(question())));
      await wait(200);
      expect(sent).toHaveLength(sentMeanwhile);
      if (lateMillis === 60_000) backlog = 0;
      await Promise.race([later, wait(20_000, undefined, { ref: false })]);
      expect(sent).toHaveLength(2);
    }
  });

  it('gives many answers a few at a time, so that what follows from each does not hold up everything else', async () => {
    const perTurn = [0];
    let turn: NodeJS.Immediate;
    const count = () => {
      perTurn.push(0);
      turn = setImmediate(count);
    };
    count();
    await Promise.all(Array.from({ length: 200 }, () => fixture.check.ask(question()).then(() => (perTurn[perTurn.length - 1]! += 1))));
    clearImmediate(turn!);
    expect(perTurn.reduce((sum, answers) => sum + answers)).toBe(200);
    // Sixteen when the answer is read, and as many at the end of each turn.
    expect(Math.max(...perTurn)).toBeLessThanOrEqual(32);
  });

  it('does not wait for a statement whose answer is late', async () => {
    const { check, sent, holdAnswers } = watchedCheck();
    let release = () => {};
    const released = new Promise<void>((resolve) => void (release = resolve));
    holdAnswers((nth) => (nth === 1 ? released : undefined));
    const hanging = check.ask(question());
    while (sent.length === 0) await new Promise(setImmediate);
    expect((await check.ask(question()))?.client?.id).toBe(acme.toolId);
    release();
    expect((await hanging)?.client?.id).toBe(acme.toolId);
  });

  it('describes a client to who would prove to be it, and to nobody else', async () => {
    const [proving, other] = await Promise.all([
      fixture.check.ask(question()),
      fixture.check.ask({ ...question(), withSecrets: undefined }),
    ]);
    expect(proving?.client?.details).toMatchObject({ redirectUris: [], keys: [], tokenSeconds: null });
    expect([other?.client?.details, other?.secrets]).toEqual([null, null]);
    expect(other?.client).toEqual({ ...proving?.client, details: null });
  });

  it('uses only the answer of a statement that was sent after the check began', async () => {
    const { check, holdAnswers } = watchedCheck();
    const version = { repositoryId: acme.id, clientId: acme.toolId, versionId: acme.secret.id };
    const [read, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    holdAnswers(() => {
      read.resolve();
      return gate.promise;
    });

    // This statement reads the secret alive, and its answer is still on its way when the secret ends.
    const early = check.ask(version);
    await read.promise;
    await fixture.owner.query('UPDATE secret_versions SET ended_at = now() WHERE id = $1', [acme.secret.id]);
    const late = check.ask(version);
    gate.resolve();

    expect((await early)?.versionAlive).toBe(true);
    expect((await late)?.versionAlive).toBe(false);
    await fixture.owner.query('UPDATE secret_versions SET ended_at = NULL WHERE id = $1', [acme.secret.id]);
  });

  it('looks everything up by index and keeps its plan, in tables that the planner would rather read whole', async () => {
    const of = 'repositories clients repository_users secret_versions client_keys api_keys oidc_records revoked_tokens';
    const tables = of.split(' ');
    for (const table of tables) await fixture.owner.query(`ANALYZE latchkey.${table}`);
    const connection = await fixture.pool.connect();
    try {
      await connection.query('BEGIN');
      const check = new CredentialCheck({ options: { max: 1 }, query: connection.query.bind(connection) } as never);
      const { repositoryId, clientId } = question();
      for (const versionId of [acme.secret.id, newId()])
        await check.ask({ repositoryId, clientId, versionId, grantId: 'grant', tokenId: 'token', userId: 1 });
      await check.ask(question());
      await check.ask({ repositoryId, keyHash: Buffer.alloc(32) });
      const { rows } = await connection.query<{ relname: string; seq_scan: string }>(
        `SELECT relname, seq_scan FROM pg_stat_xact_user_tables WHERE schemaname = 'latchkey' AND relname = ANY($1)`,
        [tables],
      );
      expect(Object.fromEntries(rows.map((row) => [row.relname, Number(row.seq_scan)]))).toEqual(
        Object.fromEntries(tables.map((table) => [table, 0])),
      );
    } finally {
      await connection.query('ROLLBACK');
      connection.release();
    }
    const { rows } = await fixture.owner.query<{ settings: string[] }>(
      `SELECT proconfig AS settings FROM pg_proc WHERE proname IN ('check_tokens', 'check_client_secrets', 'check_api_keys')`,
    );
    const kept = expect.arrayContaining(['plan_cache_mode=force_generic_plan', 'enable_seqscan=off']) as string[];
    expect(rows.map(({ settings }) => settings)).toEqual([kept, kept, kept]);
  });

  it('reads nothing of a thousand other users, though its repository had few when that was planned', async () => {
    const crowded = await fixture.newRepository('crowded');
    const add = (repositories: string, ids: string) =>
      fixture.owner.query(`
        INSERT INTO latchkey.repository_users (repository_id, tenant_id, id, login_name, name)
        SELECT r, '${crowded.tenantId}', n, 'user-' || n, 'User' FROM ${repositories} AS of (r), generate_series(${ids}) n`);
    await add('(SELECT uuidv7() FROM generate_series(1, 50))', '10001, 10003');
    await fixture.owner.query('ANALYZE latchkey.repository_users');
    const connection = await fixture.pool.connect();
    const read = async () => {
      const { rows } = await connection.query<{ read: string }>(
        `SELECT idx_tup_fetch AS read FROM pg_stat_xact_user_tables WHERE schemaname = 'latchkey' AND relname = 'repository_users'`,
      );
      return Number(rows[0]!.read);
    };
    try {
      await connection.query('BEGIN');
      const check = new CredentialCheck({ options: { max: 1 }, query: connection.query.bind(connection) } as never);
      const ask = () => check.ask({ repositoryId: crowded.id, clientId: crowded.toolId, userId: 11_000 });
      await ask();
      await add(`(VALUES (CAST('${crowded.id}' AS uuid)))`, '10001, 11000');
      const before = await read();
      expect((await ask())?.subject?.loginName).toBe('public\\user-11000');
      expect((await read()) - before).toBe(1);
    } finally {
      await connection.query('ROLLBACK');
      connection.release();
    }
  });

  it('fails, and does not guess, when the primary cannot be asked', async () => {
    const broken = new CredentialCheck(
      new Proxy(fixture.pool, {
        get: (target, name) => (name === 'query' ? async () => Promise.reject(new Error('gone')) : (Reflect.get(target, name) as unknown)),
      }),
    );
    await expect(broken.ask(question())).rejects.toThrow('gone');
  });

  it('may be asked by its own role, which can do nothing else', async () => {
    await expect(fixture.pool.query('SELECT * FROM secret_versions')).rejects.toThrow('permission denied');
    await expect(fixture.pool.query('SELECT * FROM repositories')).rejects.toThrow('permission denied');
    for (const view of ['checked_repositories', 'checked_clients', 'checked_users']) {
      await expect(fixture.pool.query(`SELECT * FROM ${view}`)).rejects.toThrow('permission denied');
      await expect(fixture.database.read({ tenantId: acme.tenantId }, (tx) => tx.query(`SELECT * FROM ${view}`))).rejects.toThrow(
        'permission denied',
      );
    }
    await expect(
      fixture.database.read({ tenantId: acme.tenantId }, (tx) => tx.query(`SELECT * FROM find_repository('acme')`)),
    ).rejects.toThrow('permission denied');
  });
});
