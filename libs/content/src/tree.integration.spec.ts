import type { EntityManager } from '@latchkey/database';
import { createTestDatabase, type TestDatabase } from '@latchkey/database/testing';
import { repositoryPermissions } from '@latchkey/contracts';
import { InsufficientScope, visitor, type Caller } from './caller.js';
import { allPermissions, hereOnly, permissionBits } from './permissions.js';
import { countCollection, findNode, permissionsOf, readCollection, readNode, readNodes, type Query } from './read.js';
import { makeRepository, type TestRepository } from './testing/repository.js';
import { createUser } from './users.js';
import { wellKnown } from './well-known.js';
import { VersionMismatch } from './shape.js';
import { deleteContent } from './trash.js';
import { createContent, updateContent } from './write.js';

let test: TestDatabase;
let repository: TestRepository;
/** The default tool, an administrator, and a person who is none. */
let admin: Caller;
let anna: Caller;

beforeAll(async () => {
  test = await createTestDatabase();
});
afterAll(() => test.drop());
beforeEach(async () => {
  repository = await makeRepository(test.database);
  admin = callerOf(wellKnown.publicAdmin);
  anna = callerOf((await tx((tx) => createUser(tx, wellKnown.admin, { ...repository, loginName: 'anna', email: 'anna@example.com' }))).id);
});

const callerOf = (userId: number, permissions: Iterable<string> = repositoryPermissions): Caller => ({
  ...repository,
  userId,
  permissions: new Set(permissions),
});
const tx = <T>(work: (tx: EntityManager) => Promise<T>) =>
  test.database.transaction({ tenantId: repository.tenantId, repositoryId: repository.repositoryId }, work);

const content = { path: '/Root/Content' };
const create = (caller: Caller, path: string, name: string, fields: Record<string, unknown> = {}, type = 'Folder') =>
  tx((tx) => createContent(tx, caller, { path }, { type, name, fields }));
const read = (caller: Caller, address: { path: string } | { id: number }) => tx((tx) => readNode(tx, caller, address));
const names = async (caller: Caller, query: Partial<Query> = {}, path = '/Root/Content') =>
  (await tx((tx) => readCollection(tx, caller, { path }, { reach: 'children', ...query }))).map(({ name }) => name);
const give = (nodeId: number, identityId: number, bits: number) =>
  test.owner.query('INSERT INTO content_permissions (repository_id, tenant_id, node_id, identity_id, bits) VALUES ($1, $2, $3, $4, $5)', [
    repository.repositoryId,
    repository.tenantId,
    nodeId,
    identityId,
    bits,
  ]);
const breakInheritance = (nodeId: number) =>
  test.owner.query(
    `UPDATE content_nodes SET permission_path = permission_path[array_position(permission_path, $2):] WHERE repository_id = $1 AND permission_path @> ARRAY[$2]::integer[]`,
    [repository.repositoryId, nodeId],
  );

describe('a new repository', () => {
  it('shows its administrators all of it', async () => {
    const everything = await tx((tx) => readCollection(tx, admin, { path: '/Root' }, { reach: 'subtree' }));
    expect(everything.map(({ path }) => path)).toEqual([
      '/Root/IMS/BuiltIn/Portal/Admin',
      '/Root/IMS',
      '/Root/IMS/BuiltIn',
      '/Root/IMS/BuiltIn/Portal',
      '/Root/IMS/BuiltIn/Portal/Visitor',
      '/Root/IMS/BuiltIn/Portal/Administrators',
      '/Root/IMS/BuiltIn/Portal/Everyone',
      '/Root/IMS/BuiltIn/Portal/PublicAdmin',
      '/Root/IMS/Public',
      '/Root/Content',
      '/Root/System',
      '/Root/System/Schema',
      '/Root/System/Schema/ContentTypes',
      '/Root/Trash',
      '/Root/IMS/Public/anna',
    ]);
    const root = await read(admin, { id: wellKnown.root });
    expect([...root.permissions]).toEqual(['See', 'Open', 'Save', 'AddNew', 'Delete']);
    expect(root).toMatchObject({ path: '/Root', type: 'PortalRoot', fields: { DisplayName: repository.slug } });
  });

  it('shows a person the root, the content, the trash and itself, and nothing of other people', async () => {
    const seen = await tx((tx) => readCollection(tx, anna, { path: '/Root' }, { reach: 'subtree' }));
    expect(seen.map(({ path }) => path)).toEqual(['/Root/Content', '/Root/Trash', '/Root/IMS/Public/anna']);
    expect([...(await read(anna, { path: '/Root' })).permissions]).toEqual(['See', 'Open']);
    expect((await read(anna, { id: anna.userId })).fields).toMatchObject({ Email: 'anna@example.com' });
    await expect(read(anna, { path: '/Root/IMS' })).rejects.toMatchObject({ type: 'not-found' });
    await expect(read(anna, { id: wellKnown.admin })).rejects.toMatchObject({ type: 'not-found' });
    expect(await tx((tx) => readNodes(tx, anna, [wellKnown.admin, wellKnown.content, anna.userId, 4711]))).toHaveProperty('size', 2);
  });

  it('shows the Visitor nothing but the Visitor, until something is made public', async () => {
    const nobody = visitor(repository);
    expect(await tx((tx) => findNode(tx, nobody, { path: '/Root' }))).toBeUndefined();
    await expect(tx((tx) => readCollection(tx, nobody, content, { reach: 'children' }))).rejects.toMatchObject({ type: 'not-found' });
    expect(await tx((tx) => findNode(tx, nobody, { id: wellKnown.visitor }))).toMatchObject({ name: 'Visitor' });
    const blog = await create(admin, '/Root/Content', 'Blog');
    await create(admin, '/Root/Content/Blog', 'Post');
    await give(blog.id, wellKnown.visitor, permissionBits.See | permissionBits.Open);
    expect(await names(nobody, {}, '/Root/Content/Blog')).toEqual(['Post']);
  });
});

describe('permissions', () => {
  it('reach through groups in groups, and end in a circle of groups', async () => {
    const folder = await create(admin, '/Root', 'Secret');
    const group = (id: number, name: string) =>
      test.owner.query(
        `INSERT INTO content_nodes (repository_id, tenant_id, id, parent_id, name, path, type, permission_path, created_by, modified_by)
         VALUES ($1, $2, $3, 13, $4, '/Root/IMS/Public/' || $4, 'Group', ARRAY[2, 3, 13, $3], 1, 1)`,
        [repository.repositoryId, repository.tenantId, id, name],
      );
    const belongs = (groupId: number, memberId: number) =>
      test.owner.query('INSERT INTO content_group_members (repository_id, tenant_id, group_id, member_id) VALUES ($1, $2, $3, $4)', [
        repository.repositoryId,
        repository.tenantId,
        groupId,
        memberId,
      ]);
    await group(100, 'team');
    await group(101, 'company');
    await belongs(100, anna.userId);
    await belongs(101, 100);
    await belongs(100, 101);
    await expect(read(anna, { id: folder.id })).rejects.toMatchObject({ type: 'not-found' });
    await give(folder.id, 101, permissionBits.See | permissionBits.Save);
    expect([...(await read(anna, { id: folder.id })).permissions]).toEqual(['See', 'Save']);
    expect([...(await tx((tx) => permissionsOf(tx, admin, 101, folder.id)))]).toEqual(['See', 'Save']);
  });

  it('end at a break, for pages and counts alike', async () => {
    const open = await create(admin, '/Root/Content', 'Open');
    const closed = await create(admin, '/Root/Content', 'Closed');
    await create(admin, '/Root/Content/Closed', 'Below');
    await breakInheritance(closed.id);
    await give(closed.id, wellKnown.administrators, allPermissions);
    expect(await names(anna)).toEqual(['Open']);
    expect(await tx((tx) => countCollection(tx, anna, content, { reach: 'subtree' }))).toBe(1);
    expect(await tx((tx) => countCollection(tx, admin, content, { reach: 'subtree' }))).toBe(3);
    await expect(read(anna, { path: '/Root/Content/Closed/Below' })).rejects.toMatchObject({ type: 'not-found' });
    expect(open.id).toBeLessThan(closed.id);
  });

  it('that hold here only do not hold below', async () => {
    const folder = await create(admin, '/Root', 'Vault');
    const below = await create(admin, '/Root/Vault', 'Inside');
    await give(folder.id, anna.userId, hereOnly(permissionBits.See | permissionBits.Delete));
    expect(await read(anna, { id: folder.id })).toHaveProperty('name', 'Vault');
    await expect(read(anna, { id: below.id })).rejects.toMatchObject({ type: 'not-found' });
    await expect(tx((tx) => deleteContent(tx, anna, { id: folder.id }))).rejects.toMatchObject({ type: 'forbidden' });
    expect(await read(admin, { id: below.id })).toHaveProperty('name', 'Inside');
  });

  it('to see without opening give name and place, and no filter tells more', async () => {
    const folder = await create(admin, '/Root', 'Sealed', { Description: 'the combination is 1234' });
    await give(folder.id, anna.userId, permissionBits.See);
    expect(await read(anna, { id: folder.id })).toMatchObject({ name: 'Sealed', fields: undefined });
    const found = (value: string) => names(anna, { filter: { kind: 'text', test: 'contains', field: 'Description', value } }, '/Root');
    expect(await found('1234')).toEqual([]);
    expect(await names(admin, { filter: { kind: 'text', test: 'contains', field: 'Description', value: '1234' } }, '/Root')).toEqual([
      'Sealed',
    ]);
  });

  it('of the user do not make up for what the credential lacks', async () => {
    const reader = callerOf(wellKnown.publicAdmin, ['content:read']);
    expect(await names(reader, {}, '/Root')).toEqual(['Content', 'System', 'Trash']);
    await expect(create(reader, '/Root/Content', 'x')).rejects.toBeInstanceOf(InsufficientScope);
    const writer = callerOf(wellKnown.publicAdmin, ['content:read', 'content:write', 'users:read']);
    const user = { id: anna.userId };
    await expect(tx((tx) => updateContent(tx, writer, user, { fields: { Description: 'x' } }))).rejects.toMatchObject({
      permission: 'users:write',
    });
    const people = callerOf(wellKnown.publicAdmin, ['users:read']);
    await expect(read(people, content)).rejects.toMatchObject({ type: 'not-found' });
    expect(await names(people, {}, '/Root/IMS/Public')).toEqual(['anna']);
    expect(await read(callerOf(anna.userId, []), { id: anna.userId })).toHaveProperty('name', 'anna');
  });

  it('are needed for each kind of change', async () => {
    const folder = await create(admin, '/Root/Content', 'Theirs');
    await expect(create(anna, '/Root/Content', 'Mine')).rejects.toMatchObject({ type: 'forbidden' });
    await expect(tx((tx) => updateContent(tx, anna, { id: folder.id }, { fields: {} }))).rejects.toMatchObject({ type: 'forbidden' });
    await expect(tx((tx) => deleteContent(tx, anna, { id: folder.id }))).rejects.toMatchObject({ type: 'forbidden' });
    await give(folder.id, anna.userId, allPermissions);
    await create(anna, '/Root/Content/Theirs', 'Mine');
    await tx((tx) => updateContent(tx, anna, { id: folder.id }, { fields: { Index: 1 } }));
    await tx((tx) => deleteContent(tx, anna, { id: folder.id }));
    expect(await names(admin)).toEqual([]);
  });
});

describe('content', () => {
  it('is created with its fields and found by path in any case, and by id', async () => {
    const made = await create(admin, '/root/CONTENT', 'IT', { DisplayName: 'Information technology', Index: 3, Hidden: false });
    expect(made).toMatchObject({
      path: '/Root/Content/IT',
      version: 1,
      createdBy: wellKnown.publicAdmin,
      fields: { DisplayName: 'Information technology', Index: 3 },
    });
    expect(await read(admin, { path: '/ROOT/content/it' })).toMatchObject({ id: made.id });
    expect(await read(anna, { id: made.id })).toMatchObject({ name: 'IT' });
  });

  it('gets a free name when it is given none', async () => {
    const make = (fields: Record<string, unknown>) => tx((tx) => createContent(tx, admin, content, { type: 'folder', fields }));
    for (const expected of ['Folder', 'Folder (1)', 'Folder (2)']) expect(await make({})).toHaveProperty('name', expected);
    expect(await make({ DisplayName: ' a/b ' })).toHaveProperty('name', 'a-b');
  });

  it('is refused with every fault at once', async () => {
    const fields = { Index: 'many', Hidden: 'perhaps', Colour: 'red', DisplayName: 5, Icon: '\0' };
    await expect(create(admin, '/Root/Content', 'x', fields)).rejects.toMatchObject({
      type: 'invalid-request',
      errors: [{ pointer: '/Index' }, { pointer: '/Hidden' }, { pointer: '/Colour' }, { pointer: '/DisplayName' }, { pointer: '/Icon' }],
    });
    await expect(create(admin, '/Root/Content', 'x', {}, 'Spaceship')).rejects.toMatchObject({ type: 'invalid-request' });
    await expect(create(admin, '/Root/Content', 'x', {}, 'User')).rejects.toMatchObject({ type: 'invalid-request' });
    for (const name of ['', 'a/b', 'a\\b', '..', ' a', 'a\u0000', '\ud800', 'x'.repeat(256)]) {
      await expect(create(admin, '/Root/Content', name)).rejects.toMatchObject({ type: 'invalid-request' });
    }
  });

  it.each(["O'Brien's file (1).txt", '"; DROP TABLE content_nodes; --', 'Ünïcödé 字', '%_\\'.slice(0, 2), '$1'])(
    'may be named %p',
    async (name) => {
      await create(admin, '/Root/Content', name);
      expect(await read(admin, { path: `/Root/Content/${name}` })).toHaveProperty('name', name);
    },
  );

  it.each([
    '/Root/Content/\0',
    '/Root//Content',
    '/Root/Content/',
    'Root',
    '',
    '/',
    '/Root/../Root',
    `/Root/${'x'.repeat(5000)}`,
    '/Root/Content/\ud800',
  ])('is not found at %j', async (path) => {
    await expect(read(admin, { path })).rejects.toMatchObject({ type: 'not-found' });
    await expect(names(admin, {}, path)).rejects.toMatchObject({ type: 'not-found' });
  });

  it('has its name to itself among its siblings, whatever the case', async () => {
    await create(admin, '/Root/Content', 'IT');
    await expect(create(admin, '/Root/Content', 'it')).rejects.toMatchObject({ type: 'already-exists' });
    const results = await Promise.allSettled(Array.from({ length: 8 }, () => create(admin, '/Root/Content', 'once')));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  it('changes one field and keeps the others, and replaced loses them', async () => {
    const { id } = await create(admin, '/Root/Content', 'IT', { DisplayName: 'a', Description: 'b' });
    const patched = await tx((tx) => updateContent(tx, admin, { id }, { fields: { Description: 'c', Id: 7, CreatedBy: 'x' } }));
    expect(patched).toMatchObject({ id, version: 2, fields: { DisplayName: 'a', Description: 'c' } });
    const replaced = await tx((tx) => updateContent(tx, admin, { id }, { fields: { DisplayName: 'd' }, replace: true }));
    expect(replaced).toMatchObject({ version: 3, name: 'IT', fields: { DisplayName: 'd' } });
    expect(replaced.fields).not.toHaveProperty('Description');
  });

  it('is not changed by someone who has read an older version', async () => {
    const { id, version } = await create(admin, '/Root/Content', 'IT');
    await tx((tx) => updateContent(tx, admin, { id }, { fields: { Index: 1 }, ifVersion: version }));
    await expect(tx((tx) => updateContent(tx, admin, { id }, { fields: { Index: 2 }, ifVersion: version }))).rejects.toBeInstanceOf(
      VersionMismatch,
    );
    await expect(tx((tx) => deleteContent(tx, admin, { id }, { ifVersion: version }))).rejects.toBeInstanceOf(VersionMismatch);
    const results = await Promise.allSettled(
      Array.from({ length: 8 }, (_, Index) => tx((tx) => updateContent(tx, admin, { id }, { fields: { Index }, ifVersion: 2 }))),
    );
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  it('takes all that is below it along when it is renamed, and nothing else', async () => {
    const { id } = await create(admin, '/Root/Content', 'IT');
    await create(admin, '/Root/Content/IT', 'Sub');
    await create(admin, '/Root/Content', 'ITX');
    await tx((tx) => updateContent(tx, admin, { id }, { fields: { Name: 'Technology' } }));
    const paths = (await tx((tx) => readCollection(tx, admin, content, { reach: 'subtree' }))).map(({ path }) => path);
    expect(paths).toEqual(['/Root/Content/Technology', '/Root/Content/Technology/Sub', '/Root/Content/ITX']);
    await expect(tx((tx) => updateContent(tx, admin, { id }, { fields: { Name: 'itx' } }))).rejects.toMatchObject({
      type: 'already-exists',
    });
    await expect(tx((tx) => updateContent(tx, admin, content, { fields: { Name: 'x' } }))).rejects.toMatchObject({ type: 'forbidden' });
  });

  it('takes all that is below it along when it is deleted, and nothing else', async () => {
    const { id } = await create(admin, '/Root/Content', 'IT');
    const sub = await create(admin, '/Root/Content/IT', 'Sub');
    await give(sub.id, anna.userId, permissionBits.See);
    await create(admin, '/Root/Content', 'ITX');
    await tx((tx) => deleteContent(tx, admin, { id }));
    expect(await names(admin, { reach: 'subtree' })).toEqual(['ITX']);
    for (const path of ['/Root', '/Root/Content', '/Root/IMS/BuiltIn/Portal/PublicAdmin']) {
      await expect(tx((tx) => deleteContent(tx, admin, { path }))).rejects.toMatchObject({ type: 'forbidden' });
    }
  });

  it('is never left without a parent when one is deleted while another is created below it', async () => {
    for (let round = 0; round < 10; round++) {
      const folder = await create(admin, '/Root/Content', `r${round}`);
      await Promise.allSettled([
        tx((tx) => deleteContent(tx, admin, { id: folder.id })),
        ...Array.from({ length: 4 }, (_, i) =>
          tx((tx) => createContent(tx, admin, { id: folder.id }, { type: 'Folder', name: `c${i}`, fields: {} })),
        ),
      ]);
    }
    const orphans = await test.owner.query(
      'SELECT n.path FROM content_nodes n WHERE parent_id IS NOT NULL AND NOT EXISTS (SELECT FROM content_nodes p WHERE (p.repository_id, p.id) = (n.repository_id, n.parent_id))',
    );
    expect(orphans.rows).toEqual([]);
  });

  it('of another repository is not found, even by code that asks with the wrong repository', async () => {
    const mine = await create(admin, '/Root/Content', 'Mine');
    const owner = admin;
    repository = await makeRepository(test.database);
    await expect(read(callerOf(wellKnown.publicAdmin), { id: mine.id })).rejects.toMatchObject({ type: 'not-found' });
    await expect(read(owner, { id: mine.id })).rejects.toMatchObject({ type: 'not-found' });
    await expect(create(owner, '/Root/Content', 'x')).rejects.toMatchObject({ type: 'not-found' });
  });
});

describe('a collection', () => {
  beforeEach(async () => {
    await create(admin, '/Root/Content', 'c', { Index: 1, DisplayName: 'Ärger', Hidden: true });
    await create(admin, '/Root/Content', 'a', { Index: 3, DisplayName: 'zebra' });
    await create(admin, '/Root/Content', 'b', { Index: 2, DisplayName: 'Apple' });
    await create(admin, '/Root/Content', 'w', { Deadline: '2026-12-01' }, 'Workspace');
    await create(admin, '/Root/Content', 'f.txt', {}, 'File');
  });

  it('comes in pages that do not overlap, in the order asked for', async () => {
    expect(await names(admin)).toEqual(['c', 'a', 'b', 'w', 'f.txt']);
    expect(await names(admin, { orderBy: [{ field: 'Name', descending: true }] })).toEqual(['w', 'f.txt', 'c', 'b', 'a']);
    expect(await names(admin, { orderBy: [{ field: 'displayname', descending: false }] })).toEqual(['b', 'c', 'f.txt', 'w', 'a']);
    expect(await names(admin, { orderBy: [{ field: 'Index', descending: true }], top: 2 })).toEqual(['a', 'b']);
    expect(await names(admin, { orderBy: [{ field: 'Index', descending: true }], top: 2, skip: 2 })).toEqual(['c', 'w']);
    expect(await names(admin, { skip: 99 })).toEqual([]);
  });

  it.each<[string[], Query['filter']]>([
    [['c'], { kind: 'compare', field: 'Name', comparison: 'eq', value: 'c' }],
    [['a', 'b'], { kind: 'compare', field: 'Index', comparison: 'ge', value: 2 }],
    [['a', 'b', 'w', 'f.txt'], { kind: 'compare', field: 'Index', comparison: 'ne', value: 1 }],
    [['w', 'f.txt'], { kind: 'compare', field: 'Index', comparison: 'eq', value: null }],
    [['a', 'b', 'w', 'f.txt'], { kind: 'not', term: { kind: 'compare', field: 'Hidden', comparison: 'eq', value: true } }],
    [['a'], { kind: 'text', test: 'contains', field: 'DisplayName', value: 'ebr' }],
    [['c'], { kind: 'text', test: 'startswith', field: 'DisplayName', value: 'Ä' }],
    [['f.txt'], { kind: 'text', test: 'endswith', field: 'Name', value: '.txt' }],
    [[], { kind: 'text', test: 'contains', field: 'Name', value: '%' }],
    [['c', 'a', 'b', 'w'], { kind: 'isOf', type: 'folder' }],
    [['w'], { kind: 'isOf', type: 'Workspace' }],
    [['w'], { kind: 'compare', field: 'Deadline', comparison: 'lt', value: '2026-12-01T00:00:01Z' }],
    [[], { kind: 'compare', field: 'Id', comparison: 'lt', value: 99.5 }],
    [['c', 'a', 'b', 'w', 'f.txt'], { kind: 'compare', field: 'Id', comparison: 'lt', value: 1e300 }],
    [[], { kind: 'compare', field: 'CreationDate', comparison: 'lt', value: '2000-01-01' }],
    [['c', 'a', 'b', 'w'], { kind: 'compare', field: 'IsFolder', comparison: 'eq', value: true }],
    [
      ['c', 'b'],
      {
        kind: 'or',
        terms: [
          { kind: 'compare', field: 'Name', comparison: 'eq', value: 'c' },
          { kind: 'compare', field: 'Index', comparison: 'eq', value: 2 },
        ],
      },
    ],
    [['b'], { kind: 'inTree', path: '/root/content/B' }],
  ])('holds %j where %j', async (expected, filter) => {
    expect(await names(admin, { filter })).toEqual(expected);
    expect(await tx((tx) => countCollection(tx, admin, content, { reach: 'children', filter }))).toBe(expected.length);
  });

  it.each<NonNullable<Query['filter']>>([
    { kind: 'compare', field: "Name' OR '1'='1", comparison: 'eq', value: 'x' },
    { kind: 'compare', field: 'Index', comparison: 'eq', value: '1' },
    { kind: 'compare', field: 'Name', comparison: 'eq', value: 1 },
    { kind: 'compare', field: 'Name', comparison: 'eq', value: '\0' },
    { kind: 'compare', field: 'CreationDate', comparison: 'eq', value: 'tomorrow' },
    { kind: 'compare', field: 'CreatedBy', comparison: 'eq', value: 'x' },
    { kind: 'text', test: 'contains', field: 'Index', value: '1' },
    { kind: 'isOf', type: 'Spaceship' },
  ])('refuses %j with words', async (filter) => {
    await expect(names(admin, { filter })).rejects.toMatchObject({ type: 'invalid-request' });
  });

  it('that is empty is told from one that is not there', async () => {
    expect(await names(admin, {}, '/Root/Content/a')).toEqual([]);
    await expect(names(admin, {}, '/Root/Content/none')).rejects.toMatchObject({ type: 'not-found' });
    await expect(tx((tx) => countCollection(tx, admin, { path: '/Root/Content/none' }, { reach: 'children' }))).rejects.toMatchObject({
      type: 'not-found',
    });
  });
});
