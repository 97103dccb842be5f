import { spawn, type ChildProcess } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { machineActor } from '@latchkey/access';
import { tenantPermissions } from '@latchkey/contracts';
import { KeyRing } from '@latchkey/credentials';
import { createTestDatabase, type TestDatabase } from '@latchkey/database/testing';
import { AddressTemplate } from '@latchkey/runtime';
import { freePortBase } from '@latchkey/start/testing';
import { install, Repositories } from '@latchkey/tenancy';
import { writeHistory } from './history.js';
import { seed, type SeededRepository, type SeedPlan, type SeedTarget } from './seed.js';

const port = await freePortBase([0]);
const origin = `http://localhost:${port}`;
const ring = () => `k1:${randomBytes(32).toString('base64')}`;
const [pepperText, encryptionText] = [ring(), ring()];
const repositoryUrls = new AddressTemplate('http://localhost:4200/{repository}');

let test: TestDatabase;
let target: SeedTarget;
let authority: ChildProcess | undefined;
const made: SeededRepository[] = [];

const plant = (plan: Partial<SeedPlan>) =>
  seed(target, { repositories: 1, perTenant: 5, people: 1, ...plan }, (repository) => void made.push(repository));

beforeAll(async () => {
  test = await createTestDatabase();
  const authorityUrls = new AddressTemplate(`${origin}/{repository}`);
  target = { database: test.database, peppers: KeyRing.parse(pepperText), encryption: KeyRing.parse(encryptionText), authorityUrls };
  await install({ ...target, portalUrl: 'http://localhost:4000' });
  await plant({ repositories: 12 });
  authority = await startAuthority();
});
afterAll(async () => {
  if (authority?.kill()) await once(authority, 'exit');
  await test.drop();
});

async function startAuthority(): Promise<ChildProcess> {
  const child = spawn(process.execPath, [fileURLToPath(new URL('../../../apps/authority/dist/main.js', import.meta.url))], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    env: {
      PATH: process.env['PATH'],
      PORT: String(port),
      LOG_LEVEL: 'error',
      DATABASE_URL: test.url,
      SECRET_PEPPERS: pepperText,
      KEY_ENCRYPTION_KEYS: encryptionText,
      AUTHORITY_URL_TEMPLATE: `${origin}/{repository}`,
      REPOSITORY_URL_TEMPLATE: 'http://localhost:4200/{repository}',
      TENANT_API_URL: 'http://localhost:4000',
      PORTAL_URL: 'http://localhost:4000',
    },
  });
  for (const deadline = Date.now() + 60_000; Date.now() < deadline; await wait(50))
    if (
      await fetch(`${origin}/readyz`).then(
        (answer) => answer.ok,
        () => false,
      )
    )
      return child;
  throw new Error('the authority did not come up');
}

async function rowsOf(table: string, repositoryId: string): Promise<Record<string, unknown>[]> {
  const { rows } = await test.owner.query<{ row: Record<string, unknown> }>(
    `SELECT to_jsonb(t) AS row FROM ${table} t WHERE ${table === 'repositories' ? 'id' : 'repository_id'} = $1`,
    [repositoryId],
  );
  return rows.map(({ row }) => row);
}

/** Every table by name that holds rows of repositories or tenants. */
async function tablesWith(column: 'repository_id' | 'tenant_id'): Promise<string[]> {
  const { rows } = await test.owner.query<{ table: string }>(
    `SELECT c.table_name AS "table" FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)
     WHERE c.table_schema = 'latchkey' AND t.table_type = 'BASE TABLE' AND c.column_name = $1 ORDER BY 1`,
    [column],
  );
  return rows.map(({ table }) => table);
}

/** All that is kept of a repository, with a word for whatever differs between any two. */
async function shapeOf(slug: string): Promise<Record<string, string[]>> {
  const { rows } = await test.owner.query<{ id: string; tenantId: string; name: string }>(
    'SELECT id, tenant_id AS "tenantId", name FROM repositories WHERE slug = $1',
    [slug],
  );
  const { id, tenantId, name } = rows[0]!;
  const whose = { actor_kind: undefined, actor_id: undefined, address: undefined, request_id: undefined };
  const plain = (row: Record<string, unknown>, table: string) =>
    JSON.stringify(table === 'audit_events' ? { ...row, ...whose } : row)
      .replaceAll(id, '<repository>')
      .replaceAll(tenantId, '<tenant>')
      .replaceAll(JSON.stringify(slug), '"<slug>"')
      .replaceAll(JSON.stringify(name), '"<name>"')
      .replaceAll(/(app|tool)_\w{22}/g, '<$1 client>')
      .replaceAll(/[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}/g, '<id>')
      .replaceAll(/\\\\x([\da-f]+)/g, (_, hex: string) => `<${hex.length / 2} bytes>`)
      .replaceAll(/"(x|y|kid)":"[\w-]{43}"/g, '"$1":"<43>"')
      .replaceAll(/lk_live_cs_….{4}/g, '<hint>')
      .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+\+00:00/g, '<time>');
  const tables = ['repositories', ...(await tablesWith('repository_id'))];
  const entries = tables.map(async (table) => [table, (await rowsOf(table, id)).map((row) => plain(row, table)).toSorted()] as const);
  return Object.fromEntries((await Promise.all(entries)).filter(([, rows]) => rows.length > 0));
}

describe('seeded repositories', () => {
  it('mint tokens, each with a key of its own', async () => {
    expect(made).toHaveLength(12);
    const keys = new Set<string>();
    for (const { slug, toolClientId, secret } of made) {
      const answer = await fetch(`${origin}/${slug}/connect/token`, {
        method: 'POST',
        headers: { authorization: `Basic ${btoa(`${toolClientId}:${secret}`)}` },
        body: new URLSearchParams({ grant_type: 'client_credentials' }),
      });
      const { access_token: token } = (await answer.json()) as { access_token: string };
      expect(answer.status).toBe(200);
      keys.add((JSON.parse(Buffer.from(token.split('.')[0]!, 'base64url').toString()) as { kid: string }).kid);
    }
    expect(keys.size).toBe(12);
  });

  it('sign people in', async () => {
    const { slug, appClientId, password } = made[7]!;
    const query = new URLSearchParams({
      client_id: appClientId,
      redirect_uri: 'http://localhost/signed-in',
      response_type: 'code',
      scope: 'openid',
      code_challenge: createHash('sha256').update('verifier').digest('base64url'),
      code_challenge_method: 'S256',
    });
    const cookies = new Map<string, string>();
    let next: URL | undefined = new URL(`${origin}/${slug}/connect/authorize?${query.toString()}`);
    for (let step = 0; step < 8 && next?.port === String(port); step++) {
      const cookie: string = [...cookies].map((pair) => pair.join('=')).join('; ');
      const body: URLSearchParams | null =
        /interaction/.test(next.pathname) && step === 1 ? new URLSearchParams({ login: 'person-1', password }) : null;
      const answer: Response = await fetch(next, { redirect: 'manual', headers: { cookie }, ...(body ? { method: 'POST', body } : {}) });
      for (const each of answer.headers.getSetCookie()) {
        const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(each) ?? [];
        cookies.set(name, value);
      }
      // A page may send the browser on instead of a redirect.
      const onward: string = answer.headers.get('location') ?? /content="0;url=([^"]*)"/.exec(await answer.text())?.[1] ?? '';
      next = URL.parse(onward.replaceAll('&amp;', '&'), next) ?? undefined;
    }
    expect(next?.searchParams.get('code')).toMatch(/./);
  });

  it('are, table by table, what one is that was provisioned for a tenant', async () => {
    await plant({ repositories: 14, people: 0 });
    await plant({ repositories: 16 });
    // Nobody has used these yet, of which something may be written at any time.
    const [original, copy, withPeople, itsCopy] = made.slice(-4);
    const actor = machineActor(copy!.tenant.id, 'tenant_x', tenantPermissions, { requestId: 'r', address: '192.0.2.1' });
    const repositories = new Repositories({ ...target, repositoryUrls });
    await repositories.create(actor, {
      slug: 'provisioned',
      name: 'Provisioned',
      environment: 'production',
      redirectUris: ['http://localhost/signed-in'],
    });
    const provisioned = await shapeOf('provisioned');
    expect(Object.keys(provisioned)).toContain('content_nodes');
    expect(await shapeOf(copy!.slug)).toEqual(provisioned);
    expect(await shapeOf(original!.slug)).toEqual(provisioned);
    // With people, too, a copy is what the original is.
    expect(await shapeOf(itsCopy!.slug)).toEqual(await shapeOf(withPeople!.slug));
  });

  it('belong to their tenants alone, in every table', async () => {
    const [mine, theirs] = [made[0]!.tenant.id, made[5]!.tenant.id];
    expect(mine).not.toBe(theirs);
    const tables = await tablesWith('tenant_id');
    let own = 0;
    for (const table of tables) {
      const { rows } = await test.owner.query<{ readable: boolean }>(
        `SELECT has_table_privilege('latchkey_app', $1, 'SELECT') AS readable`,
        [`latchkey.${table}`],
      );
      if (!rows[0]?.readable) continue;
      const [seen] = await test.database.read({ tenantId: mine }, (tx) =>
        tx.query<{ own: number; others: number }[]>(
          `SELECT count(*) FILTER (WHERE tenant_id = $1)::integer AS own, count(*) FILTER (WHERE tenant_id <> $1)::integer AS others FROM ${table}`,
          [mine],
        ),
      );
      expect({ table, others: seen?.others }).toEqual({ table, others: 0 });
      own += seen!.own;
    }
    expect(own).toBeGreaterThan(5 * 30);
  });
});

describe('seeding', () => {
  it('refuses where others have repositories, unless told', async () => {
    await expect(plant({ repositories: 15 })).rejects.toThrow('Tenants have repositories of their own here (such as provisioned)');
  });

  it('goes on where an earlier run was ended, in the tenant that is not full', async () => {
    await plant({ repositories: 17, besideOthers: true });
    expect(made.slice(10).map(({ tenant, slug }) => [made.findIndex((each) => each.tenant.id === tenant.id), slug])).toEqual([
      [10, 'seed-000011'],
      [10, 'seed-000012'],
      [10, 'seed-000013'],
      [10, 'seed-000014'],
      [10, 'seed-000015'],
      [15, 'seed-000016'],
      [15, 'seed-000017'],
    ]);
    expect(await plant({ repositories: 17, besideOthers: true })).toBe(0);
  });

  it('copies nothing by half: a table that it does not know is a fault', async () => {
    await test.owner.query(`
      CREATE FUNCTION plant_row() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
        INSERT INTO latchkey.oidc_records (repository_id, kind, id, payload) VALUES (NEW.id, 'Planted', '1', '{}'); RETURN NULL;
      END $$;
      CREATE TRIGGER plant_row AFTER INSERT ON repositories FOR EACH ROW EXECUTE FUNCTION plant_row();`);
    await expect(plant({ repositories: 18, besideOthers: true })).rejects.toThrow('cannot be copied yet: oidc_records');
    await test.owner.query('DROP FUNCTION plant_row CASCADE');
    const { rows } = await test.owner.query(`SELECT FROM repositories WHERE slug = 'seed-000018'`);
    expect(rows).toHaveLength(0);
  });

  it('gives repositories a past, once', async () => {
    for (let run = 0; run < 2; run++) await writeHistory(test.ownerUrl, target.encryption, 3, () => undefined);
    const counted = async (table: string, where = 'true') =>
      (await test.owner.query<{ count: number }>(`SELECT count(*)::integer FROM ${table} WHERE ${where}`)).rows[0]!.count;
    expect(
      await counted('audit_events', `request_id = 'seed' AND action = 'user.signed-in' AND at < date_trunc('day', now(), 'UTC')`),
    ).toBe(17 * 3);
    expect(await counted('webhook_deliveries', `status = 'delivered'`)).toBe(17 * 3);
    expect(await counted('outbox', 'relayed_at IS NOT NULL')).toBe(17);
    expect(await counted('call_counts')).toBe(17 * 3);
    // Those of the tokens above were counted today.
    expect(await counted('daily_uses', `day < (now() AT TIME ZONE 'UTC')::date`)).toBe(17 * 3);
  });
});
