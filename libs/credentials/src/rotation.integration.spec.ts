import { setTimeout as wait } from 'node:timers/promises';
import type { Problem } from '@latchkey/contracts';
import { createLogger } from '@latchkey/runtime';
import { ClientSecrets } from './client-secret.js';
import { matchSecret } from './match-secret.js';
import { NodeReporter } from './proof.js';
import type { RotationEnd } from './rotation.js';
import { openFixture, type CredentialsFixture, type RepositoryFixture } from './testing/fixture.js';

let fixture: CredentialsFixture;
let secrets: ClientSecrets;
let slugs = 0;

beforeAll(async () => {
  fixture = await openFixture();
  secrets = new ClientSecrets(fixture.database, fixture.peppers);
});
afterAll(() => fixture.close());

const freshRepository = () => fixture.newRepository(`repository-${++slugs}`);
const regenerate = (of: RepositoryFixture, overlapSeconds: number) => secrets.regenerate(of.actor, of.slug, of.toolId, { overlapSeconds });
const end = (of: RepositoryFixture, cutoffId: string, how: RotationEnd) => secrets.endRotation(of.actor, of.slug, of.toolId, cutoffId, how);
const list = (of: RepositoryFixture) => secrets.list(of.actor, of.slug, of.toolId);
const problem = (type: string) => expect.objectContaining({ type }) as Problem;

/** A repository in the middle of a planned rotation. */
async function inRotation(overlapSeconds = 3600) {
  const acme = await freshRepository();
  const { secret, cutoff } = await regenerate(acme, overlapSeconds);
  return { acme, newer: secret, planned: cutoff };
}

/** Whether the secret, and a token that it minted, work now. */
async function works(of: RepositoryFixture, secret: { id: string; value: string }): Promise<boolean> {
  const client = { repositoryId: of.id, clientId: of.toolId };
  const answers = [fixture.check.ask({ ...client, withSecrets: true }), fixture.check.ask({ ...client, versionId: secret.id })];
  const [presented, minted] = await Promise.all(answers);
  const outcome = matchSecret(fixture.peppers, 'production', presented?.secrets ?? [], secret.value).outcome === 'live';
  expect(minted?.versionAlive).toBe(outcome);
  return outcome;
}

async function cutoffRow(id: string) {
  const { rows } = await fixture.owner.query<{ kind: string; secret_version_ids: string[]; withdrawn: boolean; planned: boolean }>(
    'SELECT kind, secret_version_ids, withdrawn_at IS NOT NULL AS withdrawn, effective_at > now() AS planned FROM cutoffs WHERE id = $1',
    [id],
  );
  return rows[0];
}

describe('cancelling a planned rotation', () => {
  it('ends the newer secret with its tokens before it resolves, and the earlier one lives on without an end', async () => {
    const { acme, newer, planned } = await inRotation();
    expect((await list(acme)).map(({ status, cutoffId }) => [status, cutoffId])).toEqual([
      ['live', null],
      ['ending', planned.id],
    ]);
    const { cutoff } = await end(acme, planned.id, 'cancelled');
    expect([await works(acme, newer), await works(acme, acme.secret)]).toEqual([false, true]);
    expect((await list(acme)).map(({ status, expiresAt, cutoffId }) => [status, expiresAt, cutoffId])).toEqual([
      ['ended', null, null],
      ['live', null, null],
    ]);
    expect(await cutoffRow(planned.id)).toMatchObject({ withdrawn: true, planned: true });
    expect(await cutoffRow(cutoff.id)).toEqual({
      kind: 'secret.rotation-cancelled',
      secret_version_ids: [newer.id],
      withdrawn: false,
      planned: false,
    });
  });

  it('leaves alone what was made beside the two', async () => {
    const { acme, newer, planned } = await inRotation();
    const beside = await secrets.create(acme.actor, acme.slug, acme.toolId, null);
    await end(acme, planned.id, 'cancelled');
    expect([await works(acme, newer), await works(acme, beside), await works(acme, acme.secret)]).toEqual([false, true, true]);
  });

  it('is refused when nothing of the earlier secret is left, so that the client never loses its last one', async () => {
    const { acme, newer, planned } = await inRotation();
    await secrets.revoke(acme.actor, acme.slug, acme.toolId, acme.secret.id);
    await expect(end(acme, planned.id, 'cancelled')).rejects.toEqual(problem('conflict'));
    expect([await works(acme, newer), await works(acme, acme.secret)]).toEqual([true, false]);
    expect(await cutoffRow(planned.id)).toMatchObject({ withdrawn: false });
  });

  it('is refused so shortly before its time that a node might already have seen the earlier secret dead', async () => {
    const { acme, newer, planned } = await inRotation(8);
    await expect(end(acme, planned.id, 'cancelled')).rejects.toEqual(problem('conflict'));
    expect([await works(acme, newer), await works(acme, acme.secret)]).toEqual([true, true]);
  });

  it('looks at the clock once it holds the client: what it had to wait for may have taken long', async () => {
    const { acme, planned } = await inRotation(11);
    const holder = await fixture.owner.connect();
    await holder.query('BEGIN');
    await holder.query('SELECT FROM clients WHERE id = $1 FOR UPDATE', [acme.toolId]);
    const cancelled = end(acme, planned.id, 'cancelled').catch((error: unknown) => error);
    await wait(1_500);
    await holder.query('COMMIT');
    holder.release();
    expect(await cancelled).toEqual(problem('conflict'));
  });

  it('brings the earlier secret back also when the newer one has been revoked', async () => {
    const { acme, newer, planned } = await inRotation();
    await secrets.revoke(acme.actor, acme.slug, acme.toolId, newer.id);
    await end(acme, planned.id, 'cancelled');
    expect([await works(acme, newer), await works(acme, acme.secret)]).toEqual([false, true]);
    expect((await list(acme)).map(({ status }) => status)).toEqual(['ended', 'live']);
  });
});

describe('finishing a planned rotation', () => {
  it('ends the earlier secret with its tokens before it resolves, and the newer one is left', async () => {
    const { acme, newer, planned } = await inRotation();
    const { cutoff } = await end(acme, planned.id, 'finished');
    expect([await works(acme, newer), await works(acme, acme.secret)]).toEqual([true, false]);
    expect(await cutoffRow(planned.id)).toMatchObject({ withdrawn: true });
    expect(await cutoffRow(cutoff.id)).toEqual({
      kind: 'secret.rotation-finished',
      secret_version_ids: [acme.secret.id],
      withdrawn: false,
      planned: false,
    });
    expect(Date.parse(cutoff.effectiveAt)).toBeLessThanOrEqual(Date.now() + 200);
  });

  it('is reported by every node in the place of what was announced, also by one that was about to look at that', async () => {
    const reporter = new NodeReporter({
      check: fixture.check,
      databaseUrl: fixture.url,
      kind: 'authority',
      name: 'node',
      url: 'http://127.0.0.1:1',
      log: createLogger('test', 'silent'),
    });
    while ((await fixture.owner.query('SELECT FROM nodes WHERE id = $1', [reporter.id])).rowCount === 0) await wait(10);
    // The node means to look at it in a second. If that was over before the rotation was finished, it is done again with another.
    const finishInTime = async (): Promise<{ planned: string; plannedFor: number; finished: string }> => {
      const { acme, planned } = await inRotation(1);
      const plannedFor = Date.parse(planned.effectiveAt);
      try {
        return { planned: planned.id, plannedFor, finished: (await end(acme, planned.id, 'finished')).cutoff.id };
      } catch (error) {
        if (Date.now() < plannedFor) throw error;
        return finishInTime();
      }
    };
    const { planned, plannedFor, finished } = await finishInTime();
    const reported = async () =>
      (await fixture.owner.query('SELECT cutoff_id FROM cutoff_reports WHERE cutoff_id = ANY($1)', [[finished, planned]])).rows;
    for (let tries = 0; tries < 800 && (await reported()).length === 0; tries++) await wait(10);
    await wait(Math.max(0, plannedFor + 500 - Date.now()));
    await reporter.leave();
    expect(await reported()).toEqual([{ cutoff_id: finished }]);
  });
});

describe.each(['cancelled', 'finished'] as const)('a rotation that is %s', (how) => {
  it('is so once: again, or the other way, is refused', async () => {
    const { acme, planned } = await inRotation();
    await end(acme, planned.id, how);
    for (const again of ['cancelled', 'finished'] as const) await expect(end(acme, planned.id, again)).rejects.toEqual(problem('conflict'));
  });

  it('is the one that was named: not one that has taken its place, nor one that is over', async () => {
    const { acme, planned } = await inRotation();
    const later = await regenerate(acme, 3600);
    await expect(end(acme, planned.id, how)).rejects.toEqual(problem('conflict'));
    await regenerate(acme, 0);
    await expect(end(acme, later.cutoff.id, how)).rejects.toEqual(problem('conflict'));
  });

  it('is no cut-off of another kind, none of another client, and nothing made up', async () => {
    const { acme, planned } = await inRotation();
    const other = await freshRepository();
    const { cutoff: sudden } = await regenerate(other, 0);
    await expect(end(other, sudden.id, how)).rejects.toEqual(problem('not-found'));
    await expect(end(other, planned.id, how)).rejects.toEqual(problem('not-found'));
    await expect(secrets.endRotation(other.actor, acme.slug, acme.toolId, planned.id, how)).rejects.toEqual(problem('not-found'));
    for (const madeUp of ['nonsense', '', "'", '00000000-0000-7000-8000-000000000000'])
      await expect(end(acme, madeUp, how)).rejects.toEqual(problem('not-found'));
    expect(await works(acme, acme.secret)).toBe(true);
  });

  it('takes the permission to change clients', async () => {
    const { acme, planned } = await inRotation();
    const viewer = { ...acme.actor, permissions: new Set(['repositories:read'] as const) };
    await expect(secrets.endRotation(viewer, acme.slug, acme.toolId, planned.id, how)).rejects.toEqual(problem('forbidden'));
  });

  it('is written down with the change itself: no audit row, no change', async () => {
    const { acme, newer, planned } = await inRotation();
    await fixture.owner.query('ALTER TABLE audit_events ADD CONSTRAINT full_disk CHECK (false) NOT VALID');
    try {
      await expect(end(acme, planned.id, how)).rejects.toThrow();
    } finally {
      await fixture.owner.query('ALTER TABLE audit_events DROP CONSTRAINT full_disk');
    }
    expect([await works(acme, newer), await works(acme, acme.secret)]).toEqual([true, true]);
    await end(acme, planned.id, how);
    const { rows } = await fixture.owner.query('SELECT target_id, details FROM audit_events WHERE action = $1 AND target_id = $2', [
      `secret.rotation-${how}`,
      newer.id,
    ]);
    expect(rows).toEqual([
      { target_id: newer.id, details: { clientId: acme.toolId, cutoffId: expect.any(String) as string, plannedCutoffId: planned.id } },
    ]);
  });

  it('under an idempotency key is so once, and a replay gets the same answer', async () => {
    const { acme, planned } = await inRotation();
    const actor = {
      ...acme.actor,
      call: { requestId: 'r', idempotency: { key: 'once', fingerprints: [Buffer.from('same')] as [Buffer] } },
    };
    const both = await Promise.all([1, 2].map(() => secrets.endRotation(actor, acme.slug, acme.toolId, planned.id, how)));
    expect(both[0]).toEqual(both[1]);
  });
});

describe('calls about one client at once', () => {
  it('take turns: of many that end one rotation, one does', async () => {
    const { acme, newer, planned } = await inRotation();
    const ways = Array.from({ length: 10 }, (_, i): RotationEnd => (i % 2 ? 'cancelled' : 'finished'));
    const results = await Promise.allSettled(ways.map((how) => end(acme, planned.id, how)));
    const done = ways.filter((_, i) => results[i]?.status === 'fulfilled');
    expect(done).toHaveLength(1);
    expect([await works(acme, newer), await works(acme, acme.secret)]).toEqual(done[0] === 'finished' ? [true, false] : [false, true]);
  });

  it('leave exactly one secret that works, whichever comes first: cancelling, regenerating or revoking the newer one', async () => {
    for (let round = 0; round < 8; round++) {
      const { acme, newer, planned } = await inRotation();
      const calls = [
        () => end(acme, planned.id, 'cancelled'),
        () => regenerate(acme, 0),
        () => secrets.revoke(acme.actor, acme.slug, acme.toolId, newer.id),
      ];
      const turned = [...calls.slice(round % 3), ...calls.slice(0, round % 3)];
      const results = await Promise.allSettled(turned.map((call) => call()));
      const refusals = results.filter((result) => result.status === 'rejected').map(({ reason }) => reason as unknown);
      for (const refusal of refusals) expect(refusal).toEqual(problem('conflict'));
      expect((await list(acme)).filter(({ status }) => status === 'live')).toHaveLength(1);
    }
  });
});

describe('a cut-off', () => {
  it('that has taken effect cannot be withdrawn, and nothing but its times can be changed by the applications', async () => {
    const acme = await freshRepository();
    const { cutoff } = await regenerate(acme, 0);
    const scope = { tenantId: acme.tenantId, repositoryId: acme.id };
    const run = (statement: string, as: typeof scope | 'system' = scope) =>
      fixture.database.transaction(as, (tx) => tx.query(`${statement} WHERE id = $1`, [cutoff.id]));
    await expect(run('UPDATE cutoffs SET withdrawn_at = clock_timestamp()')).rejects.toThrow('withdrawn_before_effective');
    await expect(run(`UPDATE cutoffs SET secret_version_ids = '{}'`)).rejects.toThrow('permission denied');
    await expect(run('UPDATE cutoffs SET successor_id = id')).rejects.toThrow('permission denied');
    await expect(run('UPDATE cutoffs SET withdrawn_at = now()', 'system')).rejects.toThrow('permission denied');
  });
});
