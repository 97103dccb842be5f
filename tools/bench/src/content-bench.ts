import { randomBytes } from 'node:crypto';
import pg from 'pg';
import {
  attachBlob,
  beginBlob,
  Blobs,
  createContent,
  createContentRoot,
  createUser,
  moveContent,
  readCollection,
  wellKnown,
  type Caller,
  type Query,
} from '@latchkey/content';
import { repositoryPermissions } from '@latchkey/contracts';
import { Database, newId } from '@latchkey/database';
import { median } from './statistics.js';

/** One repository with a person who is no administrator, and the two ways to its rows. */
export interface Bench {
  database: Database;
  /** Past row-level security: what plain SQL costs. */
  owner: pg.Client;
  admin: Caller;
  person: Caller;
}

/** Makes a repository in a migrated database. */
export async function makeBench(database: Database, owner: pg.Client): Promise<Bench> {
  const [tenantId, repositoryId] = [newId(), newId()];
  const scope = { tenantId, repositoryId };
  await owner.query('INSERT INTO tenants (id, name) VALUES ($1, $2)', [tenantId, 'bench']);
  await owner.query('INSERT INTO repository_slugs (slug, repository_id, tenant_id) VALUES ($1, $2, $3)', ['bench', repositoryId, tenantId]);
  await owner.query(
    `INSERT INTO repositories (tenant_id, id, slug, name, environment, settings) VALUES ($1, $2, 'bench', 'bench', 'production', '{"plan": "enterprise"}')`,
    [tenantId, repositoryId],
  );
  const user = await database.transaction(scope, async (tx) => {
    await createContentRoot(tx, { ...scope, name: 'bench' });
    return createUser(tx, wellKnown.admin, { ...scope, loginName: 'anna' });
  });
  const callerOf = (userId: number): Caller => ({ ...scope, userId, permissions: new Set(repositoryPermissions) });
  return { database, owner, admin: callerOf(wellKnown.publicAdmin), person: callerOf(user.id) };
}

/** A folder with so many children, put there past the engine. @returns its id. */
export async function fill({ database, owner, admin }: Bench, name: string, count: number): Promise<number> {
  const { id } = await database.transaction(admin, (tx) =>
    createContent(tx, admin, { id: wellKnown.content }, { type: 'Folder', name, fields: {} }),
  );
  await owner.query(
    `INSERT INTO content_nodes (repository_id, tenant_id, id, parent_id, name, path, type, fields, permission_path, created_by, modified_by)
     SELECT $1, $2, $3 * 1500000 + i, $3, 'n' || i, '/Root/Content/' || $4 || '/n' || i, CASE WHEN i % 3 = 0 THEN 'Workspace' ELSE 'Folder' END,
       jsonb_build_object('DisplayName', md5(i::text), 'Index', i::bigint * 7919 % 100000), ARRAY[2, 14, $3, $3 * 1500000 + i], 1, 1
     FROM generate_series(1, $5::integer) i`,
    [admin.repositoryId, admin.tenantId, id, name, count],
  );
  await owner.query('VACUUM ANALYZE content_nodes');
  return id;
}

/** What is measured beside what; milliseconds, medians. */
export interface Pair {
  what: string;
  ours: number;
  plain: number;
}

const index = `(n.fields ->> 'Index')::numeric`;
const displayName = `n.fields ->> 'DisplayName'`;
const icu = 'COLLATE "und-x-icu"';

const pages: { what: string; query: Partial<Query>; plain: string }[] = [
  { what: 'no filter, by id', query: {}, plain: 'ORDER BY n.id' },
  {
    what: 'ordered by a number',
    query: { orderBy: [{ field: 'Index', descending: true }] },
    plain: `ORDER BY ${index} DESC NULLS LAST, n.id`,
  },
  {
    what: 'a number compared and ordered by',
    query: {
      filter: { kind: 'compare', field: 'Index', comparison: 'ge', value: 50_000 },
      orderBy: [{ field: 'Index', descending: false }],
    },
    plain: `AND ${index} >= 50000 ORDER BY ${index} ASC NULLS FIRST, n.id`,
  },
  {
    what: 'a text searched, ordered by name',
    query: {
      filter: { kind: 'text', test: 'contains', field: 'DisplayName', value: 'abc' },
      orderBy: [{ field: 'Name', descending: false }],
    },
    plain: `AND strpos(${displayName}, 'abc') > 0 ORDER BY n.name ${icu}, n.id`,
  },
  {
    what: 'of a type, ordered by a text',
    query: { filter: { kind: 'isOf', type: 'Workspace' }, orderBy: [{ field: 'DisplayName', descending: false }] },
    plain: `AND n.type = 'Workspace' ORDER BY ${displayName} ${icu} ASC NULLS FIRST, n.id`,
  },
];

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** Pages of 100 out of a folder, as a person reads them, beside plain SQL for the same rows, by turns. */
export async function measurePages({ database, owner, person }: Bench, folder: number, rounds: number): Promise<Pair[]> {
  const found: Pair[] = [];
  for (const { what, query, plain } of pages) {
    const [ours, theirs]: [number[], number[]] = [[], []];
    // What takes next to no time is measured more often; the first turn, which warms up, does not count.
    const turns = query.filter || query.orderBy ? rounds : rounds * 20;
    for (let turn = 0; turn <= turns; turn += 1) {
      ours.push(
        await timed(() =>
          database.read(person, (tx) => readCollection(tx, person, { id: folder }, { reach: 'children', top: 100, ...query })),
        ),
      );
      const text = `SELECT n.* FROM content_nodes n WHERE n.repository_id = '${person.repositoryId}' AND n.parent_id = ${folder} ${plain} LIMIT 100`;
      theirs.push(await timed(() => owner.query(text)));
    }
    found.push({ what, ours: median(ours.slice(1)), plain: median(theirs.slice(1)) });
  }
  return found;
}

/** Creating a content, and moving a folder of ten thousand to and fro, beside statements that write as many rows. */
export async function measureChanges(bench: Bench, rounds: number): Promise<Pair[]> {
  const { database, owner, admin } = bench;
  const folder = await fill(bench, 'movable', 10_000);
  const target = await fill(bench, 'target', 1);
  const [create, insert, move, update]: number[][] = [[], [], [], []];
  for (let round = 0; round < rounds * 20; round += 1) {
    const content = { type: 'Folder', name: `c${round}`, fields: {} };
    create?.push(await timed(() => database.transaction(admin, (tx) => createContent(tx, admin, { id: target }, content))));
    insert?.push(
      await timed(() =>
        owner.query(
          `INSERT INTO content_nodes (repository_id, tenant_id, id, parent_id, name, path, type, permission_path, created_by, modified_by)
           VALUES ($1, $2, $3, $4, $5, $6, 'Folder', '{2}', 1, 1)`,
          [admin.repositoryId, admin.tenantId, 900_000_000 + round, target, `p${round}`, `/plain/${round}`],
        ),
      ),
    );
  }
  for (let round = 0; round < rounds; round += 1) {
    move?.push(await timed(() => database.transaction(admin, (tx) => moveContent(tx, admin, { id: folder }, { id: target }))));
    update?.push(
      await timed(() =>
        owner.query(
          `UPDATE content_nodes SET path = '/Root/x' || substr(path, 30), permission_path = permission_path || 1 WHERE repository_id = $1 AND parent_id = $2`,
          [admin.repositoryId, folder],
        ),
      ),
    );
    await owner.query(
      `UPDATE content_nodes SET path = '/Root/Content/target/movable/' || name, permission_path = trim_array(permission_path, 1) WHERE repository_id = $1 AND parent_id = $2`,
      [admin.repositoryId, folder],
    );
    await database.transaction(admin, (tx) => moveContent(tx, admin, { id: folder }, { id: wellKnown.content }));
  }
  return [
    { what: 'create one content, beside an INSERT', ours: median(create ?? []), plain: median(insert ?? []) },
    { what: 'move 10,000 nodes, beside an UPDATE of as many', ours: median(move ?? []), plain: median(update ?? []) },
  ];
}

/** What a large file costs. */
export interface FileBench {
  megabytes: number;
  upSeconds: number;
  downSeconds: number;
  /** By how much the process grew at most while it went up and came down. */
  grownMegabytes: number;
}

const megabyte = 1024 * 1024;

/** Sends a file through the engine in pieces as they come from the network, and reads it back. */
export async function measureFile({ database, admin }: Bench, megabytes: number): Promise<FileBench> {
  const blobs = new Blobs(database, undefined);
  const piece = randomBytes(65_536);
  // eslint-disable-next-line @typescript-eslint/require-await -- a source of bytes
  async function* source(): AsyncGenerator<Buffer> {
    for (let sent = 0; sent < megabytes * 16; sent += 1) yield piece;
  }
  globalThis.gc?.();
  const before = process.memoryUsage().rss;
  let most = before;
  const watch = setInterval(() => (most = Math.max(most, process.memoryUsage().rss)), 100);
  const blobId = await database.transaction(admin, (tx) => beginBlob(tx, admin));
  const up = await timed(() => blobs.append(admin, blobId, 0, source()));
  const wish = { fileName: 'large.bin', contentType: 'application/octet-stream' };
  const { binary } = await database.transaction(admin, (tx) => attachBlob(tx, admin, { id: wellKnown.content }, wish, blobId));
  let got = 0;
  const down = await timed(async () => {
    for await (const bytes of blobs.read(admin, blobId, 0, binary.length)) got += bytes.length;
  });
  clearInterval(watch);
  if (got !== megabytes * megabyte) throw new Error(`${got} bytes came back`);
  return { megabytes, upSeconds: up / 1000, downSeconds: down / 1000, grownMegabytes: (most - before) / megabyte };
}
