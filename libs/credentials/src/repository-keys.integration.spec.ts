import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { compactVerify, CompactSign, importJWK } from 'jose';
import { rotateKeyBody } from '@latchkey/contracts';
import { Repository } from '@latchkey/database';
import { KeyRing } from './key-ring.js';
import { RepositoryKeys, sealedColumns, tendSigningKeys, type KeyPolicy } from './repository-keys.js';
import { createSigningKey, replaceSigningKey, SigningKeys } from './signing-key.js';
import { openFixture, type CredentialsFixture, type RepositoryFixture } from './testing/fixture.js';

let fixture: CredentialsFixture;
let keys: RepositoryKeys;
let acme: RepositoryFixture;
let number = 0;

const day = 86_400;
const policy: KeyPolicy = { rotateAfterSeconds: 90 * day, publishSeconds: 3600, keepSeconds: 30 * day, prepared: 0 };

beforeAll(async () => {
  fixture = await openFixture();
  keys = new RepositoryKeys(fixture.database, fixture.encryption);
});
afterAll(() => fixture.close());
beforeEach(async () => {
  acme = await fixture.newRepository(`keys-${++number}`);
});

const known = () => ({ tenantId: acme.tenantId, id: acme.id, slug: acme.slug, environment: 'production' as const });
const list = () => keys.list(acme.actor, acme.slug);
const rotate = (body = {}) => keys.rotate(acme.actor, acme.slug, rotateKeyBody.parse(body));
const tend = (change: Partial<KeyPolicy> = {}, encryption = fixture.encryption) =>
  tendSigningKeys(fixture.database, encryption, { ...policy, ...change });
const later = (seconds: number) =>
  fixture.owner.query(
    `UPDATE signing_keys SET created_at = created_at - make_interval(secs => $2), signs_at = signs_at - make_interval(secs => $2),
       retired_at = retired_at - make_interval(secs => $2) WHERE repository_id = $1`,
    [acme.id, seconds],
  );
const version = async () => {
  const { rows } = await fixture.owner.query<{ v: number }>('SELECT settings_version AS v FROM repositories WHERE id = $1', [acme.id]);
  return rows[0]?.v ?? 0;
};
const signer = async () => (await new SigningKeys(fixture.database).privateKeys(known(), fixture.encryption)).jwks[0]?.kid;

describe('a rotation', () => {
  it('publishes the new key, then lets it sign, then retires and at last removes the earlier one; each change is told by the version', async () => {
    const [first] = await list();
    const before = await version();
    const { key, cutoff } = await rotate();
    expect([key.status, cutoff, (await version()) > before]).toEqual(['published', null, true]);
    expect((await list()).map(({ kid, status }) => [kid, status])).toEqual([
      [key.kid, 'published'],
      [first?.kid, 'signing'],
    ]);
    const { jwks, forMillis } = await new SigningKeys(fixture.database).privateKeys(known(), fixture.encryption);
    expect([jwks.map(({ kid }) => kid), forMillis > 3_590_000 && forMillis <= 3_600_000]).toEqual([[first?.kid, key.kid], true]);

    await later(3601);
    expect((await list()).map(({ kid, status }) => [kid, status])).toEqual([
      [key.kid, 'signing'],
      [first?.kid, 'retired'],
    ]);
    expect(await signer()).toBe(key.kid);
    expect((await tend()).removed).toBe(0);

    await later(30 * day);
    const old = await version();
    expect((await tend()).removed).toBe(1);
    expect([(await list()).map(({ kid }) => kid), (await version()) > old]).toEqual([[key.kid], true]);
  });

  it('that is asked for twice leaves one key to follow', async () => {
    const [first] = await list();
    const one = await rotate();
    const two = await rotate();
    expect((await list()).find(({ kid }) => kid === one.key.kid)?.status).toBe('retired');
    await later(3601);
    expect(await signer()).toBe(two.key.kid);
    expect((await list()).find(({ kid }) => kid === first?.kid)?.status).toBe('retired');
  });

  it('happens by itself when the key is old enough, once', async () => {
    expect((await tend()).rotated).toBe(0);
    await later(91 * day);
    expect((await tend()).rotated).toBe(1);
    expect((await tend()).rotated).toBe(0);
    expect((await list()).map(({ status }) => status)).toEqual(['published', 'signing']);
    const { rows } = await fixture.owner.query(
      `SELECT actor_kind, action FROM audit_events WHERE tenant_id = $1 AND target_kind = 'signing-key'`,
      [acme.tenantId],
    );
    expect(rows).toEqual([{ actor_kind: 'system', action: 'signing-key.rotated' }]);
  });

  it('by two workers at once happens once', async () => {
    await later(91 * day);
    const tended = await Promise.all([tend(), tend(), tend()]);
    expect(tended.map(({ rotated }) => rotated).reduce((sum, each) => sum + each)).toBe(1);
    expect(await list()).toHaveLength(2);
  });

  it('is nobody else’s to ask for', async () => {
    const stranger = await fixture.newRepository(`stranger-${number}`);
    await expect(keys.rotate(stranger.actor, acme.slug, rotateKeyBody.parse({}))).rejects.toMatchObject({ type: 'not-found' });
    await expect(keys.list(stranger.actor, acme.slug)).rejects.toMatchObject({ type: 'not-found' });
  });
});

describe('a compromised key', () => {
  it('is gone from every process that remembers it, at its next use', async () => {
    const remembering = new SigningKeys(fixture.database);
    const [first] = await list();
    const kid = first?.kid ?? '';
    const ask = async () => (await fixture.check.ask({ repositoryId: acme.id }))?.repository.settingsVersion ?? 0;
    expect(await remembering.publicKey(known(), kid)).toBeDefined();
    expect(await remembering.stillPublished(known(), kid, await ask())).toBe(true);
    const { key, cutoff } = await rotate({ compromised: true });
    expect([key.status, (await list()).map((each) => each.kid), typeof cutoff?.effectiveAt]).toEqual(['signing', [key.kid], 'string']);
    // The key itself is still remembered; what the check said of the version gives it away.
    expect(await remembering.stillPublished(known(), kid, await ask())).toBe(false);
    expect(await remembering.publicKey(known(), kid)).toBeUndefined();
  });

  it('takes every access token of the repository with it, as the cut-off says', async () => {
    const before = (await fixture.check.ask({ repositoryId: acme.id }))?.repository.generation ?? 0;
    const { cutoff } = await rotate({ compromised: true });
    const { rows } = await fixture.owner.query('SELECT kind, below_generation FROM cutoffs WHERE id = $1', [cutoff?.id]);
    expect(rows).toEqual([{ kind: 'signing-key.compromised', below_generation: before + 1 }]);
  });
});

describe('RSA keys', () => {
  const prepared = async () => {
    const { rows } = await fixture.owner.query<{ jwk: { n: string } }>('SELECT public_jwk AS jwk FROM prepared_keys');
    return rows.map(({ jwk }) => jwk.n);
  };

  it('lie ready, as many as asked for, so that switching takes no time, and each is given out once', async () => {
    expect((await tend({ prepared: 2 })).prepared).toBe(2);
    expect((await tend({ prepared: 2 })).prepared).toBe(0);
    const other = await fixture.newRepository(`rsa-${number}`);
    const take = ({ tenantId, id }: RepositoryFixture) =>
      fixture.database.transaction({ tenantId, repositoryId: id }, (tx) =>
        createSigningKey(tx, fixture.encryption, { tenantId, id }, { algorithm: 'RS256' }),
      );
    const ready = await prepared();
    const taken = await Promise.all([take(acme), take(other)]);
    const { rows } = await fixture.owner.query<{ jwk: { n: string } }>('SELECT public_jwk AS jwk FROM signing_keys WHERE kid = ANY ($1)', [
      taken.map(({ kid }) => kid),
    ]);
    expect(rows.map(({ jwk }) => jwk.n).sort()).toEqual(ready.sort());
    expect(new Set(ready).size).toBe(2);
    expect(await prepared()).toEqual([]);
  });

  it('are made on the spot when none is left, and sign', async () => {
    await fixture.database.transaction({ tenantId: acme.tenantId }, async (tx) => {
      const repository = await tx.findOneByOrFail(Repository, { id: acme.id });
      await replaceSigningKey(tx, fixture.encryption, repository, { algorithm: 'RS256', afterSeconds: 0 });
    });
    const { jwks } = await new SigningKeys(fixture.database).privateKeys(known(), fixture.encryption);
    const [jwk] = jwks;
    const signed = await new CompactSign(Buffer.from('x'))
      .setProtectedHeader({ alg: 'RS256' })
      .sign(await importJWK(jwk as never, 'RS256'));
    const key = await new SigningKeys(fixture.database).publicKey(known(), jwk?.kid ?? '');
    if (!key) throw new Error('not published');
    await expect(compactVerify(signed, key)).resolves.toBeDefined();
  });

  it('cannot be read by an app, only taken', async () => {
    await expect(
      fixture.database.read({ tenantId: acme.tenantId }, (tx) => tx.query('SELECT private_key FROM prepared_keys')),
    ).rejects.toThrow('permission denied');
  });
});

describe('the key-encryption key', () => {
  it('is replaced while everything works: what lies under the earlier one is encrypted anew, and then that one can go', async () => {
    const [first, second] = [randomBytes(32), randomBytes(32)].map((bytes) => bytes.toString('base64'));
    const [old, both, fresh] = [`a:${first}`, `b:${second},a:${first}`, `b:${second}`].map((text) => KeyRing.parse(text)) as [
      KeyRing,
      KeyRing,
      KeyRing,
    ];
    await fixture.database.transaction({ tenantId: acme.tenantId, repositoryId: acme.id }, async (tx) => {
      await tx.query('DELETE FROM signing_keys WHERE repository_id = $1', [acme.id]);
      await createSigningKey(tx, old, { tenantId: acme.tenantId, id: acme.id });
      await tx.query(
        `INSERT INTO webhooks (tenant_id, id, url, signing_secret, encryption_key_id) VALUES ($1, gen_random_uuid(), 'https://example.com', $2, 'a')`,
        [acme.tenantId, old.seal(Buffer.from('whsec_x')).sealed],
      );
    });
    const { tenantId, id: repositoryId } = acme;
    const [totp, provider] = ['12345678901234567890', 'the secret at the provider'];
    await fixture.owner.query(
      `INSERT INTO totp_secrets (repository_id, user_id, tenant_id, secret, encryption_key_id, last_step) SELECT $1, id, $2, $3, 'a', 0 FROM repository_users WHERE repository_id = $1 LIMIT 1`,
      [repositoryId, tenantId, old.seal(Buffer.from(totp)).sealed],
    );
    await fixture.owner.query(
      `INSERT INTO identity_providers (repository_id, id, tenant_id, kind, name, issuer, client_id, client_secret, encryption_key_id,
         allow_sign_up, email_domains, trusts_second_factor, enabled)
       VALUES ($1, 'x', $2, 'oidc', 'X', 'https://x.example', 'x', $3, 'a', false, '{}', false, true)`,
      [repositoryId, tenantId, old.seal(Buffer.from(provider)).sealed],
    );
    const privateKeys = async (ring: KeyRing) => (await new SigningKeys(fixture.database).privateKeys(known(), ring)).jwks;
    const before = await privateKeys(old);
    expect(await privateKeys(both)).toEqual(before);
    expect(await guideCounts(fixture.owner)).toContain('a');
    expect((await tend({}, both)).encryptedAnew).toBe(4);
    expect(await guideCounts(fixture.owner)).not.toContain('a');
    expect(await privateKeys(fresh)).toEqual(before);
    const opened = async (column: string, table: string) => {
      const { rows } = await fixture.owner.query<{ k: string; v: Buffer }>(
        `SELECT encryption_key_id AS k, ${column} AS v FROM ${table} WHERE repository_id = $1`,
        [repositoryId],
      );
      return rows.map(({ k, v }) => [k, fresh.open(k, v).toString()]);
    };
    expect(await opened('secret', 'totp_secrets')).toEqual([['b', totp]]);
    expect(await opened('client_secret', 'identity_providers')).toEqual([['b', provider]]);
    const { rows } = await fixture.owner.query<{ s: Buffer; k: string }>(
      'SELECT signing_secret AS s, encryption_key_id AS k FROM webhooks WHERE tenant_id = $1',
      [acme.tenantId],
    );
    expect([rows[0]?.k, fresh.open('b', rows[0]?.s ?? Buffer.alloc(0)).toString()]).toEqual(['b', 'whsec_x']);
    expect((await tend({}, both)).encryptedAnew).toBe(0);
  });

  it('is replaced for every column that something is encrypted in', async () => {
    const { rows } = await fixture.owner.query<{ table: string; column: string }>(
      `SELECT table_name AS table, column_name AS column FROM information_schema.columns
       WHERE table_schema = 'latchkey' AND column_name LIKE '%encryption_key_id'`,
    );
    const named = (columns: { table: string; column: string }[]) =>
      columns.map(({ table, column }) => `${table}.${column}`).toSorted((one, other) => one.localeCompare(other));
    expect(named(rows)).toEqual(named(sealedColumns.map(({ table, keyId }) => ({ table, column: keyId }))));
    // The statement by which operators find out whether the earlier key can go must leave none out.
    for (const { table, keyId } of sealedColumns) expect(guideStatement).toContain(`SELECT ${keyId} FROM ${table}`);
  });
});

/** What the guide has operators run before they drop an earlier key. */
const guide = readFileSync(new URL('../../../docs/guides/operate.md', import.meta.url), 'utf8');
const guideStatement = /^ {4}(SELECT encryption_key_id, count[^;]*);/m.exec(guide)?.[1] ?? '';

/** The ids of the keys that something lies under, as the guide finds them. */
async function guideCounts(owner: CredentialsFixture['owner']): Promise<string[]> {
  const { rows } = await owner.query<{ encryption_key_id: string }>(guideStatement);
  return rows.map((row) => row.encryption_key_id);
}
