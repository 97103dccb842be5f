import { randomBytes } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { tenantPermissions, type CutoffProofView, type Problem, type ProvisionedRepositoryView } from '@latchkey/contracts';
import { machineActor, type Actor } from '@latchkey/access';
import { ClientSecrets, CredentialCheck, KeyRing, NodeReporter, RepositoryDirectory } from '@latchkey/credentials';
import { connectForChecks, newId, type Pool } from '@latchkey/database';
import { createTestDatabase, type TestDatabase } from '@latchkey/database/testing';
import { AddressTemplate, createLogger } from '@latchkey/runtime';
import { addTenant, Canary, Cutoffs, install, Repositories, TenantCredentials, Users } from './index.js';

let test: TestDatabase;
let pool: Pool;
let check: CredentialCheck;
let repositories: Repositories;
let secrets: ClientSecrets;
let cutoffs: Cutoffs;
let actor: Actor;
let stranger: Actor;
let slugs = 0;
const joined: NodeReporter[] = [];

const ring = () => KeyRing.parse(`k1:${randomBytes(32).toString('base64')}`);
const [peppers, encryption] = [ring(), ring()];
const urls = {
  authorityUrls: new AddressTemplate('http://localhost:4100/{repository}'),
  repositoryUrls: new AddressTemplate('http://localhost:4200/{repository}'),
};

beforeAll(async () => {
  test = await createTestDatabase();
  pool = connectForChecks({ url: test.url });
  check = new CredentialCheck(pool);
  const options = { database: test.database, peppers, encryption, ...urls, portalUrl: 'http://localhost:4000' };
  const tenants = [await install(options), await addTenant(options, 'Stranger')];
  [actor, stranger] = (await Promise.all(tenants.map((tenant) => actorOf(tenant?.credential.clientId)))) as [Actor, Actor];
  repositories = new Repositories({ database: test.database, peppers, encryption, ...urls });
  secrets = new ClientSecrets(test.database, peppers);
  cutoffs = new Cutoffs(test.database);
});
afterEach(async () => {
  await Promise.all(joined.splice(0).map((node) => node.leave()));
  await test.owner.query('DELETE FROM nodes');
});
afterAll(async () => {
  await pool.end();
  await test.drop();
});

async function actorOf(clientId: string | undefined): Promise<Actor> {
  const { rows } = await test.owner.query<{ tenant_id: string }>('SELECT tenant_id FROM clients WHERE id = $1', [clientId]);
  return machineActor(rows[0]?.tenant_id ?? '', clientId ?? '', tenantPermissions, { requestId: newId() });
}

const freshRepository = () => {
  const slug = `repository-${++slugs}`;
  return repositories.create(actor, { slug, name: slug, environment: 'production' });
};

const regenerate = (of: ProvisionedRepositoryView, overlapSeconds = 0) =>
  secrets.regenerate(actor, of.slug, of.toolClient.clientId, { overlapSeconds });

/** A node that really reports, once it is registered. */
async function join(name: string): Promise<NodeReporter> {
  const log = createLogger('test', 'silent');
  const node = new NodeReporter({ check, databaseUrl: test.url, kind: 'repository-api', name, url: 'http://127.0.0.1:1', log });
  joined.push(node);
  while ((await test.owner.query('SELECT FROM nodes WHERE id = $1', [node.id])).rowCount === 0) await wait(10);
  return node;
}

/** A node that never reports, as one that was killed. Times are seconds from now. */
async function silent(name: string, { started, seen, stopped }: { started: number; seen: number; stopped?: number }): Promise<void> {
  await test.owner.query(
    `INSERT INTO nodes (id, name, kind, url, started_at, seen_at, stopped_at)
     SELECT $1, $2, 'authority', 'http://127.0.0.1:1', now() + make_interval(secs => $3), now() + make_interval(secs => $4), now() + make_interval(secs => $5)`,
    [newId(), name, started, seen, stopped ?? null],
  );
}

async function complete(of: ProvisionedRepositoryView, id: string, count: number): Promise<CutoffProofView> {
  for (const deadline = Date.now() + 20_000; ; await wait(10)) {
    const proof = await cutoffs.get(actor, { slug: of.slug }, id);
    if (proof.nodes.filter(({ refusedAfterMillis }) => refusedAfterMillis !== null).length === count) return proof;
    if (Date.now() > deadline) throw new Error(`not complete: ${JSON.stringify(proof)}`);
  }
}

const problem = (type: string) => expect.objectContaining({ type }) as Problem;

describe('the proof of a cut-off', () => {
  it('names every node that was alive, with its milliseconds, and null for one that has not reported', async () => {
    const acme = await freshRepository();
    await join('first');
    await join('second');
    await silent('killed', { started: -60, seen: -3 });
    const { cutoff } = await regenerate(acme);
    const proof = await complete(acme, cutoff.id, 2);
    expect(proof).toEqual({
      id: cutoff.id,
      kind: 'secret.regenerated',
      clientId: acme.toolClient.clientId,
      userId: null,
      effectiveAt: cutoff.effectiveAt,
      withdrawnAt: null,
      nodes: [
        { id: expect.any(String) as string, node: 'killed', kind: 'authority', refusedAfterMillis: null },
        { id: expect.any(String) as string, node: 'first', kind: 'repository-api', refusedAfterMillis: expect.any(Number) as number },
        { id: expect.any(String) as string, node: 'second', kind: 'repository-api', refusedAfterMillis: expect.any(Number) as number },
      ],
      propagation: [],
    });
    for (const { refusedAfterMillis } of proof.nodes.slice(1)) expect(refusedAfterMillis).toBeGreaterThanOrEqual(0);
  });

  it('counts neither on a node that had stopped or was long silent, nor on one that started later', async () => {
    const acme = await freshRepository();
    await silent('stopped', { started: -60, seen: -1, stopped: -1 });
    await silent('long silent', { started: -60, seen: -30 });
    const { cutoff } = await regenerate(acme);
    await silent('later', { started: 1, seen: 2 });
    expect((await cutoffs.get(actor, { slug: acme.slug }, cutoff.id)).nodes).toEqual([]);
  });

  it('still counts on a node that was paused and came back, or stopped afterwards', async () => {
    const acme = await freshRepository();
    const { cutoff } = await regenerate(acme);
    await silent('came back', { started: -60, seen: 10 });
    await silent('stopped afterwards', { started: -60, seen: 10, stopped: 10 });
    const { nodes } = await cutoffs.get(actor, { slug: acme.slug }, cutoff.id);
    expect(nodes.map(({ node }) => node)).toEqual(['came back', 'stopped afterwards']);
  });

  it('of a planned rotation is open until it takes effect', async () => {
    const acme = await freshRepository();
    await join('only');
    const { cutoff } = await regenerate(acme, 3600);
    const before = await cutoffs.get(actor, { slug: acme.slug }, cutoff.id);
    expect(before).toMatchObject({ effectiveAt: cutoff.effectiveAt, nodes: [{ node: 'only', refusedAfterMillis: null }] });
    // All but half a second of the hour passes, and the node looks again.
    const passes = `- interval '3599.5 seconds'`;
    await test.owner.query(`UPDATE secret_versions SET overlap_ends_at = overlap_ends_at ${passes} WHERE client_id = $1`, [
      acme.toolClient.clientId,
    ]);
    await test.owner.query(
      `UPDATE cutoffs SET effective_at = effective_at ${passes} WHERE id = $1 RETURNING pg_notify('cutoff', repository_id || ' ' || id)`,
      [cutoff.id],
    );
    await complete(acme, cutoff.id, 1);
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(cutoff.effectiveAt) - 3_599_500);
  });

  it('of a planned rotation that was cancelled says so, and waits for no node; the end of the newer secret has its own', async () => {
    const acme = await freshRepository();
    await join('only');
    const { cutoff: planned } = await regenerate(acme, 3600);
    const followed = await cutoffs.follow(actor, { slug: acme.slug }, planned.id, new AbortController().signal);
    expect((await followed.next()).value).toMatchObject({ withdrawnAt: null, nodes: [{ node: 'only' }] });
    const { cutoff } = await secrets.endRotation(actor, acme.slug, acme.toolClient.clientId, planned.id, 'cancelled');
    const withdrawn = { id: planned.id, effectiveAt: planned.effectiveAt, withdrawnAt: expect.any(String) as string, nodes: [] };
    expect((await followed.next()).value).toMatchObject(withdrawn);
    expect((await followed.next()).done).toBe(true);
    await complete(acme, cutoff.id, 1);
    const { items } = await cutoffs.list(actor, { slug: acme.slug }, { limit: 10 });
    expect(items).toEqual([expect.objectContaining({ id: cutoff.id, withdrawnAt: null }), expect.objectContaining(withdrawn)]);
  });

  it('says whom a cut-off was about: a client, a user, or the whole repository, and outlives the repository', async () => {
    const acme = await freshRepository();
    await join('only');
    const users = new Users(test.database, peppers, urls.authorityUrls);
    const anna = await users.create(actor, acme.slug, { loginName: 'anna', administrator: false });
    const disabled = await users.update(actor, acme.slug, anna.id, { enabled: false });
    const suspended = await repositories.suspend(actor, acme.slug);
    const deleted = await repositories.delete(actor, acme.slug);
    const proofs = await Promise.all(
      [disabled.cutoff?.id ?? '', suspended.cutoff.id, deleted.cutoff.id].map((id) => complete(acme, id, 1)),
    );
    expect(proofs.map(({ kind, clientId, userId }) => [kind, clientId, userId])).toEqual([
      ['user.changed', null, anna.id],
      ['repository.suspended', null, null],
      ['repository.deleted', null, null],
    ]);
  });

  it('is listed with the others of its repository, the latest first, page by page', async () => {
    const acme = await freshRepository();
    const ids: string[] = [];
    for (let i = 0; i < 5; i++) ids.unshift((await regenerate(acme)).cutoff.id);
    const [first, second] = [await cutoffs.list(actor, { slug: acme.slug }, { limit: 3 }), [] as CutoffProofView[]];
    second.push(...(await cutoffs.list(actor, { slug: acme.slug }, { limit: 3, after: first.next ?? '' })).items);
    expect([...first.items, ...second].map(({ id }) => id)).toEqual(ids);
    await expect(cutoffs.list(actor, { slug: acme.slug }, { limit: 3, after: 'nonsense' })).rejects.toEqual(problem('invalid-request'));
  });

  it('of a credential of the tenant itself, which belongs to no repository of it, is found among all of the tenant', async () => {
    await join('only');
    const credentials = new TenantCredentials(test.database, peppers, new RepositoryDirectory(pool));
    const { clientId } = await credentials.create(actor, { name: 'Pipeline', permissions: ['repositories:read'] });
    const { cutoff } = await credentials.regenerate(actor, clientId, { overlapSeconds: 0 });
    const { items } = await cutoffs.list(actor, {}, { limit: 1 });
    expect(items).toEqual([expect.objectContaining({ id: cutoff.id, clientId })]);
    for await (const proof of await cutoffs.follow(actor, {}, cutoff.id, new AbortController().signal)) items[0] = proof;
    expect(items[0]?.nodes).toEqual([expect.objectContaining({ node: 'only', refusedAfterMillis: expect.any(Number) as number })]);
  });

  it('is nothing to another tenant: not by its repository, not by its id, not in a list', async () => {
    const acme = await freshRepository();
    const { cutoff } = await regenerate(acme);
    const foreign = { slug: acme.slug };
    await expect(cutoffs.get(stranger, foreign, cutoff.id)).rejects.toEqual(problem('not-found'));
    await expect(cutoffs.get(stranger, {}, cutoff.id)).rejects.toEqual(problem('not-found'));
    await expect(cutoffs.list(stranger, foreign, { limit: 10 })).rejects.toEqual(problem('not-found'));
    await expect(cutoffs.follow(stranger, {}, cutoff.id, new AbortController().signal)).rejects.toEqual(problem('not-found'));
    expect(await cutoffs.list(stranger, {}, { limit: 10 })).toEqual({ items: [], next: null });
    const other = await freshRepository();
    await expect(cutoffs.get(actor, { slug: other.slug }, cutoff.id)).rejects.toEqual(problem('not-found'));
    await expect(cutoffs.get({ ...actor, permissions: new Set() }, foreign, cutoff.id)).rejects.toEqual(problem('forbidden'));
  });
});

describe('following a proof', () => {
  it('gives the whole state at once and again as it fills up, and ends when every node has reported', async () => {
    const acme = await freshRepository();
    const { cutoff } = await regenerate(acme);
    await silent('slow', { started: -60, seen: 10 });
    const states: (number | null)[][] = [];
    for await (const proof of await cutoffs.follow(actor, { slug: acme.slug }, cutoff.id, new AbortController().signal)) {
      states.push(proof.nodes.map(({ refusedAfterMillis }) => refusedAfterMillis));
      if (states.length === 1) {
        await test.owner.query(
          `INSERT INTO cutoff_reports (repository_id, cutoff_id, node_id, tenant_id, node_name, node_kind, refused_at)
           SELECT c.repository_id, c.id, n.id, c.tenant_id, n.name, n.kind, c.effective_at + interval '7 milliseconds'
           FROM cutoffs c, nodes n WHERE c.id = $1 AND n.name = 'slow'`,
          [cutoff.id],
        );
      }
    }
    expect(states).toEqual([[null], [7]]);
  });

  it('ends when it is told to', async () => {
    const acme = await freshRepository();
    const { cutoff } = await regenerate(acme);
    await silent('killed', { started: -60, seen: 10 });
    const stop = new AbortController();
    const states: CutoffProofView[] = [];
    const followed = (async () => {
      for await (const proof of await cutoffs.follow(actor, {}, cutoff.id, stop.signal)) states.push(proof);
    })();
    for (let tries = 0; tries < 800 && states.length === 0; tries++) await wait(10);
    await wait(300);
    stop.abort();
    await followed;
    expect(states).toHaveLength(1);
  });
});

describe('the places of those who follow proofs', () => {
  it('are ten for a tenant, also for many who ask at once and read nothing, and free again when they are gone', async () => {
    const acme = await freshRepository();
    const { cutoff } = await regenerate(acme);
    await silent('killed', { started: -60, seen: 10 });
    const gone = new AbortController();
    const follow = () => cutoffs.follow(actor, {}, cutoff.id, gone.signal);
    const asked = await Promise.allSettled(Array.from({ length: 15 }, follow));
    expect(asked.filter(({ status }) => status === 'fulfilled')).toHaveLength(10);
    for (const each of asked) if (each.status === 'rejected') expect(each.reason).toEqual(problem('too-many-requests'));
    // There is room for others.
    const { slug } = await repositories.create(stranger, { slug: 'theirs', name: 'Theirs', environment: 'production' });
    const { cutoff: theirs } = await repositories.suspend(stranger, slug);
    await cutoffs.follow(stranger, {}, theirs.id, gone.signal);
    gone.abort();
    const one = await cutoffs.follow(actor, {}, cutoff.id, new AbortController().signal);
    expect((await one.next()).value).toMatchObject({ id: cutoff.id });
    await one.return(undefined);
  });

  it('are kept by no ten tenants for themselves: whoever has fewer gets one of whoever has most, the oldest', async () => {
    const acme = await freshRepository();
    await silent('killed', { started: -60, seen: 10 });
    const { rows } = await test.owner.query<{ id: string; tenant_id: string }>(
      `INSERT INTO cutoffs (repository_id, tenant_id, id, kind, effective_at)
       SELECT $1, gen_random_uuid(), gen_random_uuid(), 'secret.regenerated', now() FROM generate_series(1, 11) RETURNING id, tenant_id`,
      [acme.id],
    );
    const gone = new AbortController();
    const follow = async (n: number) => cutoffs.follow({ ...actor, tenantId: rows[n]!.tenant_id }, {}, rows[n]!.id, gone.signal);
    const first = [];
    for (let place = 0; place < 100; place += 1) first.push(await follow(Math.floor(place / 10)));
    expect((await first[0]!.next()).done).toBe(false);
    // As many as it may have before it would have as many as whoever has most.
    for (let place = 0; place < 9; place += 1) await follow(10);
    await expect(follow(10)).rejects.toEqual(problem('too-many-requests'));
    expect((await first[0]!.next()).done).toBe(true);
    await expect(follow(0)).rejects.toEqual(problem('too-many-requests'));
    gone.abort();
  });
});

describe('the canary', () => {
  it('has clients in its own repository and in the console, also in an installation that is older than it', async () => {
    const canary = new Canary(test.database);
    const made = await canary.clients();
    expect(made.map(({ slug, clientId }) => [slug, clientId])).toEqual([
      ['canary', 'tool_canary'],
      ['console', 'tool_canary'],
    ]);
    await install({ database: test.database, peppers, encryption, ...urls, portalUrl: 'http://localhost:4000' });
    expect(await canary.clients()).toEqual(made);
  });

  it('ends its secret by the act by which everybody’s ends: recorded, audited, reported', async () => {
    const canary = new Canary(test.database);
    const [client] = await canary.clients();
    if (!client) throw new Error('there is none');
    await join('only');
    const first = await canary.regenerate(peppers, client);
    const second = await canary.regenerate(peppers, client);
    const answer = await check.ask({ repositoryId: client.repositoryId, clientId: client.clientId, withSecrets: true });
    expect(answer?.secrets?.filter(({ alive }) => alive).map(({ id }) => id)).toEqual([second.secret.id]);
    expect(answer?.secrets?.map(({ id }) => id)).toContain(first.secret.id);
    const { rows } = await test.owner.query(`SELECT FROM audit_events WHERE actor_id = 'canary' AND target_id = $1`, [second.secret.id]);
    expect(rows).toHaveLength(1);
  });

  it('is seen by every tenant, but not where the nodes are reached, and counts violations for ever', async () => {
    const canary = new Canary(test.database);
    const node = await join('only');
    const result = { node: 'only', kind: 'repository-api' as const, acceptedBefore: 2, refused: 3, accepted: 1, unanswered: 1 };
    const flight = { repository: 'canary', beganAt: new Date('2020-01-01T00:00:00Z'), acceptedForMillis: 1.5, nodes: [result] };
    expect(await canary.takeTurn(60, async () => [flight])).toBe(true);
    await test.database.transaction('system', (tx) => tx.query('SELECT sweep_proofs()'));
    for (const who of [actor, stranger]) {
      const report = await canary.report(who);
      expect(report).toMatchObject({
        violations: 1,
        nodes: [{ id: node.id, node: 'only', kind: 'repository-api' }],
        runs: [
          {
            repository: 'canary',
            requests: 5,
            violations: 1,
            acceptedForMillis: 1.5,
            nodes: [result],
            beganAt: '2020-01-01T00:00:00.000Z',
          },
        ],
      });
      expect(JSON.stringify(report)).not.toContain('http');
    }
  });

  it('lets one worker fly at a time, and none before it is time again', async () => {
    const canary = new Canary(test.database);
    const flight = (): { repository: string; beganAt: Date; acceptedForMillis: number; nodes: [] } => ({
      repository: 'canary',
      beganAt: new Date(),
      acceptedForMillis: 0,
      nodes: [],
    });
    const turns = [1, 2, 3].map(() => canary.takeTurn(1, () => wait(200).then(() => [flight()])));
    expect((await Promise.all(turns)).filter(Boolean)).toHaveLength(1);
    expect(await canary.takeTurn(60, async () => [flight()])).toBe(false);
    await wait(1_000);
    expect(await canary.takeTurn(1, async () => [flight()])).toBe(true);
  });

  it('leaves nothing behind but what people look at, and removes nothing of anybody else', async () => {
    const canary = new Canary(test.database);
    const acme = await freshRepository();
    await regenerate(acme);
    const [client] = await canary.clients();
    if (!client) throw new Error('there is none');
    await canary.regenerate(peppers, client);
    await canary.regenerate(peppers, client);
    const count = async (table: string, condition: string) =>
      (await test.owner.query(`SELECT FROM ${table} WHERE ${condition}`)).rows.length;
    const others = async () => [
      await count('secret_versions', `client_id <> 'tool_canary'`),
      await count('cutoffs', `client_id <> 'tool_canary'`),
      await count('audit_events', `actor_id <> 'canary'`),
      await count('credential_uses', `credential_id <> 'tool_canary'`),
    ];
    await test.owner.query(
      `INSERT INTO credential_uses (repository_id, tenant_id, credential_id, version_id, outcome, consumer, address, uses, first_used_at, last_used_at)
       SELECT repository_id, tenant_id, client_id, id, 'accepted', 'some', '', 1, now() - interval '2 days', now() - interval '2 days' FROM secret_versions`,
    );
    await test.owner.query(`UPDATE secret_versions SET ended_at = ended_at - interval '400 days' WHERE ended_at IS NOT NULL`);
    await test.owner.query(`UPDATE cutoffs SET recorded_at = recorded_at - interval '400 days'`);
    await test.owner.query(`UPDATE audit_events SET at = at - interval '400 days'`);
    const before = await others();
    await test.database.transaction('system', (tx) => tx.query('SELECT sweep_proofs()'));
    expect(await others()).toEqual(before);
    expect(await count('secret_versions', `client_id = 'tool_canary' AND ended_at IS NOT NULL`)).toBe(0);
    expect(await count('cutoffs', `client_id = 'tool_canary'`)).toBe(0);
    expect(await count('audit_events', `actor_id = 'canary'`)).toBe(0);
    expect(await count('credential_uses', `credential_id = 'tool_canary'`)).toBe(0);
  });
});
