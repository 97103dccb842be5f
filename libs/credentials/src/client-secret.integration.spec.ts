import { randomBytes } from 'node:crypto';
import { Problem } from '@latchkey/contracts';
import { audit } from '@latchkey/access';
import { ClientSecrets } from './client-secret.js';
import { Clients } from './client.js';
import { KeyRing } from './key-ring.js';
import { warnOfLackingPeppers } from './lacking-peppers.js';
import { matchSecret } from './match-secret.js';
import { actorOf, openFixture, toolUserId, type CredentialsFixture, type RepositoryFixture } from './testing/fixture.js';

let fixture: CredentialsFixture;
let secrets: ClientSecrets;
let slugs = 0;

beforeAll(async () => {
  fixture = await openFixture();
  secrets = new ClientSecrets(fixture.database, fixture.peppers);
});
afterAll(() => fixture.close());

const freshRepository = () => fixture.newRepository(`repository-${++slugs}`);
const regenerateNow = (of: RepositoryFixture, overlapSeconds = 0) => secrets.regenerate(of.actor, of.slug, of.toolId, { overlapSeconds });

/** What becomes of a secret that is presented now. */
async function present(of: RepositoryFixture, value: string) {
  const answer = await fixture.check.ask({ repositoryId: of.id, clientId: of.toolId, withSecrets: true });
  return matchSecret(fixture.peppers, 'production', answer?.secrets ?? [], value);
}

const problem = (type: string) => expect.objectContaining({ type }) as Problem;

describe('regenerating a secret', () => {
  it('ends the earlier secret before it resolves, and the new one works', async () => {
    const acme = await freshRepository();
    expect((await present(acme, acme.secret.value)).outcome).toBe('live');
    const { secret, cutoff } = await regenerateNow(acme);
    expect(await present(acme, acme.secret.value)).toMatchObject({ outcome: 'replaced' });
    expect(await present(acme, secret.value)).toEqual({ outcome: 'live', versionId: secret.id });
    expect(Date.parse(cutoff.effectiveAt)).toBeLessThanOrEqual(Date.now());
  });

  it('loses no secret when many regenerate at once: exactly the last one is alive', async () => {
    const acme = await freshRepository();
    const results = await Promise.all(Array.from({ length: 12 }, () => regenerateNow(acme)));
    const outcomes = await Promise.all(results.map(async ({ secret }) => (await present(acme, secret.value)).outcome));
    expect(outcomes.filter((outcome) => outcome === 'live')).toHaveLength(1);
    expect(outcomes.filter((outcome) => outcome === 'replaced')).toHaveLength(11);
    expect((await present(acme, acme.secret.value)).outcome).toBe('replaced');
  });

  it('keeps both secrets alive during a planned rotation and ends the earlier one by itself', async () => {
    const acme = await freshRepository();
    const { secret, cutoff } = await regenerateNow(acme, 3600);
    expect((await present(acme, acme.secret.value)).outcome).toBe('live');
    expect((await present(acme, secret.value)).outcome).toBe('live');
    expect((await secrets.list(acme.actor, acme.slug, acme.toolId)).map((row) => row.status)).toEqual(['live', 'ending']);
    const [, ending] = await secrets.list(acme.actor, acme.slug, acme.toolId);
    expect(ending?.expiresAt).toBe(cutoff.effectiveAt);
    await fixture.owner.query('UPDATE secret_versions SET overlap_ends_at = now() WHERE id = $1', [acme.secret.id]);
    expect((await present(acme, acme.secret.value)).outcome).toBe('replaced');
    expect((await secrets.list(acme.actor, acme.slug, acme.toolId)).map((row) => row.status)).toEqual(['live', 'ended']);
  });

  it('keeps at most two secrets alive however many planned rotations follow each other', async () => {
    const acme = await freshRepository();
    const values = [acme.secret.value];
    for (let i = 0; i < 3; i++) values.push((await regenerateNow(acme, 3600)).secret.value);
    const outcomes = await Promise.all(values.map(async (value) => (await present(acme, value)).outcome));
    expect(outcomes).toEqual(['replaced', 'replaced', 'live', 'live']);
  });

  it('ends a planned rotation at once when the next one is not planned', async () => {
    const acme = await freshRepository();
    await regenerateNow(acme, 3600);
    await regenerateNow(acme);
    expect((await present(acme, acme.secret.value)).outcome).toBe('replaced');
  });

  it('is written down with the change itself: no audit row, no new secret', async () => {
    const acme = await freshRepository();
    await fixture.owner.query('ALTER TABLE audit_events ADD CONSTRAINT full_disk CHECK (false) NOT VALID');
    try {
      await expect(regenerateNow(acme)).rejects.toThrow();
    } finally {
      await fixture.owner.query('ALTER TABLE audit_events DROP CONSTRAINT full_disk');
    }
    expect((await present(acme, acme.secret.value)).outcome).toBe('live');
  });

  it('under an idempotency key happens once, and a replay is refused without showing the secret again', async () => {
    const acme = await freshRepository();
    const sent = (first: string, ...more: string[]) => {
      const fingerprints: [Buffer, ...Buffer[]] = [Buffer.from(first), ...more.map((text) => Buffer.from(text))];
      return { ...acme.actor, call: { requestId: 'r', idempotency: { key: 'once', fingerprints } } };
    };
    const actor = sent('same');
    const both = await Promise.allSettled([1, 2].map(() => secrets.regenerate(actor, acme.slug, acme.toolId, { overlapSeconds: 0 })));
    expect(both.map((each) => each.status).toSorted()).toEqual(['fulfilled', 'rejected']);
    expect(both.find((each) => each.status === 'rejected')?.reason).toEqual(problem('idempotency-replayed'));
    const again = (by: typeof actor) => secrets.regenerate(by, acme.slug, acme.toolId, { overlapSeconds: 0 });
    await expect(again(sent('different'))).rejects.toEqual(problem('idempotency-mismatch'));
    // The peppers were replaced meanwhile.
    await expect(again(sent('under a new pepper', 'same'))).rejects.toEqual(problem('idempotency-replayed'));
    expect(await secrets.list(acme.actor, acme.slug, acme.toolId)).toHaveLength(2);
  });

  it('refuses an end that has passed', async () => {
    const acme = await freshRepository();
    await expect(
      secrets.regenerate(acme.actor, acme.slug, acme.toolId, { overlapSeconds: 0, expiresAt: '2020-01-01T00:00:00Z' }),
    ).rejects.toEqual(problem('invalid-request'));
  });
});

describe('a secret', () => {
  it('is stored only as a hash: no column of any row holds it', async () => {
    const acme = await freshRepository();
    const { secret } = await regenerateNow(acme);
    const { rows } = await fixture.owner.query<{ row: string }>(`
      SELECT to_jsonb(s)::text AS row FROM secret_versions s UNION ALL SELECT to_jsonb(a)::text FROM audit_events a
      UNION ALL SELECT to_jsonb(o)::text FROM outbox o UNION ALL SELECT to_jsonb(i)::text FROM idempotency_keys i`);
    const random = secret.value.slice(11, 40);
    expect(rows.length).toBeGreaterThan(0);
    for (const { row } of rows) expect(row).not.toContain(random);
  });

  it('past its date is refused, though nothing has swept it', async () => {
    const acme = await freshRepository();
    const created = await secrets.create(acme.actor, acme.slug, acme.toolId, new Date(Date.now() + 3_600_000));
    expect((await present(acme, created.value)).outcome).toBe('live');
    await fixture.owner.query('UPDATE secret_versions SET expires_at = now() WHERE id = $1', [created.id]);
    expect((await present(acme, created.value)).outcome).toBe('wrong');
  });

  it('can be revoked, again and again, and leaves the others alone', async () => {
    const acme = await freshRepository();
    const second = await secrets.create(acme.actor, acme.slug, acme.toolId, null);
    await secrets.revoke(acme.actor, acme.slug, acme.toolId, acme.secret.id);
    await secrets.revoke(acme.actor, acme.slug, acme.toolId, acme.secret.id);
    expect((await present(acme, acme.secret.value)).outcome).toBe('replaced');
    expect((await present(acme, second.value)).outcome).toBe('live');
  });

  it('works until it is ended, however many others of its client come and go, or run out', async () => {
    const acme = await freshRepository();
    const others: string[] = [];
    for (let i = 0; i < 25; i++) {
      const { id } = await secrets.create(acme.actor, acme.slug, acme.toolId, new Date(Date.now() + 3_600_000));
      if (i < 5) await secrets.revoke(acme.actor, acme.slug, acme.toolId, id);
      else await fixture.owner.query('UPDATE secret_versions SET expires_at = now() WHERE id = $1', [id]);
      others.push(id);
    }
    expect((await present(acme, acme.secret.value)).outcome).toBe('live');
    await fixture.owner.query(
      `INSERT INTO secret_versions (repository_id, client_id, id, tenant_id, hash, pepper_id, hint, ended_at)
       SELECT repository_id, client_id, ('ffffffff-ffff-7000-8000-' || lpad(n::text, 12, '0'))::uuid, tenant_id, sha256(n::text::bytea), pepper_id, hint, now()
       FROM secret_versions, generate_series(1, 120) n WHERE id = $1`,
      [acme.secret.id],
    );
    expect((await present(acme, acme.secret.value)).outcome).toBe('live');
    const items = await secrets.list(acme.actor, acme.slug, acme.toolId);
    expect([items.length, items.find(({ id }) => id === acme.secret.id)?.status]).toEqual([101, 'live']);
    await secrets.revoke(acme.actor, acme.slug, acme.toolId, acme.secret.id);
    expect((await present(acme, acme.secret.value)).outcome).not.toBe('live');
  });

  it('number eleven of a client is refused', async () => {
    const acme = await freshRepository();
    for (let i = 0; i < 9; i++) await secrets.create(acme.actor, acme.slug, acme.toolId, null);
    await expect(secrets.create(acme.actor, acme.slug, acme.toolId, null)).rejects.toEqual(problem('secret-limit'));
  });

  it('is its client’s alone: a repository may have many tool clients, each with a secret of its own', async () => {
    const acme = await freshRepository();
    const clients = new Clients(fixture.database, fixture.peppers);
    const create = (name: string) => clients.create(acme.actor, acme.slug, { kind: 'tool', name, permissions: [] }, toolUserId);
    const [first, second] = [await create('Importer'), await create('Exporter')];
    expect((await clients.list(acme.actor, acme.slug, { limit: 50 })).items.map(({ name }) => name)).toEqual([
      'Tool',
      'Importer',
      'Exporter',
    ]);
    const outcomeAt = async (clientId: string, value: string) => {
      const answer = await fixture.check.ask({ repositoryId: acme.id, clientId, withSecrets: true });
      return matchSecret(fixture.peppers, 'production', answer?.secrets ?? [], value).outcome;
    };
    expect(await outcomeAt(first.clientId, first.secret?.value ?? '')).toBe('live');
    expect(await outcomeAt(second.clientId, first.secret?.value ?? '')).toBe('wrong');
  });

  it('are as many as the plan allows, by many at once either, and are listed page by page', async () => {
    const acme = await freshRepository();
    const clients = new Clients(fixture.database, fixture.peppers);
    const create = (name: string) =>
      clients.create(acme.actor, acme.slug, { kind: 'app', name, redirectUris: [], postLogoutRedirectUris: [] }, toolUserId);
    await fixture.owner.query(`UPDATE repositories SET settings = settings || '{"limits": {"clients": 6}}' WHERE id = $1`, [acme.id]);
    const outcomes = await Promise.allSettled(Array.from({ length: 8 }, (_, n) => create(`App ${n}`)));
    const refused = outcomes
      .filter(({ status }) => status === 'rejected')
      .map((outcome) => (outcome as PromiseRejectedResult).reason as Problem);
    expect(refused.map(({ type, message }) => [type, message])).toEqual(
      Array.from({ length: 3 }, () => ['quota-exceeded', 'The plan of this repository allows 6 clients, and it has them.']),
    );
    const everybody = (await clients.list(acme.actor, acme.slug, { limit: 50 })).items;
    const seen: typeof everybody = [];
    let after: string | undefined;
    for (let page = 0; page < 4 && (page === 0 || after !== undefined); page += 1) {
      const { items, next } = await clients.list(acme.actor, acme.slug, { limit: 2, ...(after === undefined ? {} : { after }) });
      seen.push(...items);
      after = next ?? undefined;
      // What a page ended with is deleted before the next one is asked for: none is left out and none comes twice.
      if (page === 1 && after !== undefined) await clients.delete(acme.actor, acme.slug, after);
    }
    expect([seen, seen.length]).toEqual([everybody, 6]);
    await expect(create('In its place')).resolves.toMatchObject({ kind: 'app' });
    await expect(clients.list(acme.actor, acme.slug, { limit: 2, after: 'nobody' })).rejects.toEqual(problem('invalid-request'));
  });

  it('ends with its client', async () => {
    const acme = await freshRepository();
    const clients = new Clients(fixture.database, fixture.peppers);
    const added = await clients.create(
      acme.actor,
      acme.slug,
      { kind: 'tool', name: 'Importer', permissions: ['content:read'] },
      toolUserId,
    );
    await clients.delete(acme.actor, acme.slug, added.clientId);
    const answer = await fixture.check.ask({ repositoryId: acme.id, clientId: added.clientId, withSecrets: true });
    expect(answer?.client).toBeNull();
  });
});

describe('a stranger', () => {
  it('finds none of another tenant’s clients and secrets, by any method', async () => {
    const [acme, stranger] = [await freshRepository(), await freshRepository()];
    const clients = new Clients(fixture.database, fixture.peppers);
    const { actor } = stranger;
    const attempts: Record<string, () => Promise<unknown>> = {
      list: () => secrets.list(actor, acme.slug, acme.toolId),
      create: () => secrets.create(actor, acme.slug, acme.toolId, null),
      regenerate: () => secrets.regenerate(actor, acme.slug, acme.toolId, { overlapSeconds: 0 }),
      revoke: () => secrets.revoke(actor, acme.slug, acme.toolId, acme.secret.id),
      'own repository, foreign client': () => secrets.regenerate(actor, stranger.slug, acme.toolId, { overlapSeconds: 0 }),
      'own client, foreign secret': () => secrets.revoke(actor, stranger.slug, stranger.toolId, acme.secret.id),
      'list clients': () => clients.list(actor, acme.slug, { limit: 50 }),
      'get client': () => clients.get(actor, acme.slug, acme.toolId),
      'create client': () => clients.create(actor, acme.slug, { kind: 'tool', name: 'x', permissions: [] }, toolUserId),
      'update client': () => clients.update(actor, acme.slug, acme.toolId, { name: 'mine' }),
      'delete client': () => clients.delete(actor, acme.slug, acme.toolId),
    };
    for (const [name, attempt] of Object.entries(attempts)) {
      await expect(attempt().then(() => `${name} succeeded`)).rejects.toEqual(problem('not-found'));
    }
    expect((await present(acme, acme.secret.value)).outcome).toBe('live');
  });

  it('finds nothing even where the check in code is left out: row-level security shows no row', async () => {
    const [acme, stranger] = [await freshRepository(), await freshRepository()];
    for (const scope of [
      { tenantId: stranger.tenantId },
      { tenantId: stranger.tenantId, repositoryId: acme.id },
      { repositoryId: stranger.id },
    ]) {
      const rows = await fixture.database.read(scope, (tx) =>
        tx.query('SELECT * FROM secret_versions WHERE repository_id = $1', [acme.id]),
      );
      expect(rows).toEqual([]);
    }
    const change = fixture.database.transaction({ tenantId: stranger.tenantId, repositoryId: acme.id }, (tx) =>
      tx.query('UPDATE secret_versions SET ended_at = now() WHERE repository_id = $1', [acme.id]),
    );
    expect(await change).toEqual([[], 0]);
    expect((await present(acme, acme.secret.value)).outcome).toBe('live');
  });

  it('without the permission is told so inside their own tenant', async () => {
    const acme = await freshRepository();
    const viewer = { ...acme.actor, permissions: new Set(['repositories:read'] as const) };
    await expect(secrets.regenerate(viewer, acme.slug, acme.toolId, { overlapSeconds: 0 })).rejects.toEqual(problem('forbidden'));
  });
});

describe('a pepper that live secrets need and the configuration lacks', () => {
  const warned = async (...ids: string[]) => {
    const warnings: object[] = [];
    const ring = KeyRing.parse(ids.map((id) => `${id}:${randomBytes(32).toString('base64')}`).join());
    await warnOfLackingPeppers(fixture.database, ring, { warn: (about) => void warnings.push(about) });
    return warnings;
  };

  it('is said with how many need it of which kind, in one warning; what has ended needs none', async () => {
    expect([await warned('k1'), await warned('new', 'k1')]).toEqual([[], []]);
    const acme = await freshRepository();
    const owner = [acme.id, acme.tenantId];
    // Under two peppers: those that live, and those that have ended, will have by now, or were used.
    await fixture.owner.query(
      `INSERT INTO secret_versions (repository_id, tenant_id, client_id, id, hash, pepper_id, hint, ended_at, expires_at)
       SELECT $1, $2, $3, gen_random_uuid(), sha256('x'), pepper, 'x', ended, expires
       FROM unnest('{old,old,lost}'::text[]) pepper, (VALUES (NULL, NULL), (now(), NULL), (NULL, now())) AS ends (ended, expires)`,
      [...owner, acme.toolId],
    );
    await fixture.owner.query(
      `INSERT INTO api_keys (repository_id, tenant_id, user_id, id, name, hash, pepper_id, hint, permissions, expires_at)
       SELECT $1, $2, $3, gen_random_uuid(), 'k', uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()), 'old', 'x', '{}', ends
       FROM unnest(ARRAY[now(), now() + interval '1 day']) ends`,
      [...owner, toolUserId],
    );
    await fixture.owner.query(
      `INSERT INTO recovery_codes (repository_id, tenant_id, user_id, hash, pepper_id, used_at)
       SELECT $1, $2, $3, uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()), 'lost', used FROM unnest(ARRAY[now(), NULL, NULL]) used`,
      [...owner, toolUserId],
    );
    expect(await warned('k1', 'gone')).toEqual([
      { lacking: { lost: { 'client secrets': 1, 'recovery codes': 2 }, old: { 'client secrets': 2, 'API keys': 1 } } },
    ]);
    expect(await warned('k1', 'lost', 'old')).toEqual([]);
  });
});

describe('the audit trail', () => {
  it('cannot be changed or shortened by the application', async () => {
    const acme = await freshRepository();
    await regenerateNow(acme);
    const scope = { tenantId: acme.tenantId };
    await expect(fixture.database.transaction(scope, (tx) => tx.query('UPDATE audit_events SET action = $1', ['nothing']))).rejects.toThrow(
      'permission denied',
    );
    await expect(fixture.database.transaction(scope, (tx) => tx.query('DELETE FROM audit_events'))).rejects.toThrow('permission denied');
    await expect(fixture.database.transaction('system', (tx) => tx.query('DELETE FROM audit_events'))).rejects.toThrow('permission denied');
    await expect(
      fixture.database.transaction(scope, (tx) =>
        audit(tx, actorOf('00000000-0000-7000-8000-000000000000'), { action: 'x', targetKind: 'x', targetId: 'x' }),
      ),
    ).rejects.toThrow('row-level security');
  });
});
