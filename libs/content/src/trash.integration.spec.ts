import { createTestDatabase, type TestDatabase } from '@latchkey/database/testing';
import type { Caller } from './caller.js';
import { addMembers, removeMembers } from './groups.js';
import { copyContent, moveContent } from './move.js';
import { changePermissions, readPermissions } from './node-permissions.js';
import { VersionMismatch } from './shape.js';
import { TestTree } from './testing/tree.js';
import { deleteContent, listTrash, purgeTrash, restoreContent } from './trash.js';
import { findUser, listUsers, updateUser } from './users.js';
import { wellKnown } from './well-known.js';
import { createContent, updateContent } from './write.js';

let test: TestDatabase;
let tree: TestTree;
let admin: Caller;

beforeAll(async () => {
  test = await createTestDatabase();
});
afterAll(() => test.drop());
beforeEach(async () => {
  tree = await TestTree.make(test);
  admin = tree.admin;
});

const move = (caller: Caller, path: string, to: string) => tree.tx((tx) => moveContent(tx, caller, { path }, { path: to }));
const copy = (caller: Caller, path: string, to: string) => tree.tx((tx) => copyContent(tx, caller, { path }, { path: to }));
const remove = (caller: Caller, path: string, permanent = false) => tree.tx((tx) => deleteContent(tx, caller, { path }, { permanent }));
const trash = (caller: Caller) => tree.tx((tx) => listTrash(tx, caller));

describe('moving', () => {
  it('takes a subtree along, which inherits from its new place and keeps what is its own', async () => {
    const anna = await tree.person('anna');
    for (const path of ['a', 'a/b', 'a/b/c', 'a/own', 'to']) await tree.create(`/Root/Content/${path}`);
    await tree.create('/Root/secret');
    await tree.breakInheritance({ path: '/Root/Content/a/own' });
    await tree.give({ path: '/Root/Content/a/own' }, anna.userId, ['See']);
    expect(await tree.paths(anna, '/Root/Content/a')).toEqual(['/Root/Content/a/b', '/Root/Content/a/b/c', '/Root/Content/a/own']);
    const moved = await move(admin, '/Root/Content/a', '/Root/secret');
    expect(moved).toMatchObject({ path: '/Root/secret/a', name: 'a', version: 2, modifiedBy: wellKnown.publicAdmin });
    expect(await tree.paths(admin, '/Root/secret')).toEqual([
      '/Root/secret/a',
      '/Root/secret/a/b',
      '/Root/secret/a/b/c',
      '/Root/secret/a/own',
    ]);
    await expect(tree.read(anna, { path: '/Root/secret/a/b' })).rejects.toMatchObject({ type: 'not-found' });
    expect(await tree.read(anna, { path: '/Root/secret/a/own' })).toHaveProperty('name', 'own');
    await move(admin, '/Root/secret/a', '/Root/Content/to');
    expect(await tree.read(anna, { path: '/Root/Content/to/a/b/c' })).toHaveProperty('name', 'c');
  });

  it('is refused where it would make a circle, take a name twice, or break a rule of the types', async () => {
    for (const path of ['a', 'a/b', 'x', 'x/A']) await tree.create(`/Root/Content/${path}`);
    await tree.create('/Root/Content/file', 'File');
    await expect(move(admin, '/Root/Content/a', '/Root/Content/a')).rejects.toMatchObject({ type: 'invalid-request' });
    await expect(move(admin, '/Root/Content/a', '/Root/Content/A/B')).rejects.toMatchObject({ type: 'invalid-request' });
    await expect(move(admin, '/Root/Content/a', '/Root/Content/x')).rejects.toMatchObject({ type: 'already-exists' });
    await expect(move(admin, '/Root/Content/a', '/Root/Content/file')).rejects.toMatchObject({ type: 'invalid-request' });
    await expect(move(admin, '/Root/Content/a', '/Root/Trash')).rejects.toMatchObject({ type: 'invalid-request' });
    await expect(move(admin, '/Root/IMS/Public', '/Root/Content')).rejects.toMatchObject({ type: 'forbidden' });
    await expect(tree.tx((tx) => moveContent(tx, admin, { path: '/Root/Content/a' }, { path: '/Root' }, 7))).rejects.toBeInstanceOf(
      VersionMismatch,
    );
    await Promise.allSettled([
      move(admin, '/Root/Content/a', '/Root/Content/x/A'),
      move(admin, '/Root/Content/x', '/Root/Content/a'),
      move(admin, '/Root/Content/x', '/Root/Content/a/b'),
    ]);
    const orphans = await test.owner.query(
      `SELECT n.path FROM content_nodes n JOIN content_nodes p ON (p.repository_id, p.id) = (n.repository_id, n.parent_id)
       WHERE n.repository_id = $1 AND (n.path <> p.path || '/' || n.name OR n.permission_path <> p.permission_path || n.id)`,
      [tree.repository.repositoryId],
    );
    expect(orphans.rows).toEqual([]);
  });

  it('takes Delete on all that moves, and AddNew where it goes', async () => {
    const anna = await tree.person('anna');
    for (const path of ['a', 'a/b', 'to']) await tree.create(`/Root/Content/${path}`);
    await tree.give({ path: '/Root/Content/to' }, anna.userId, ['AddNew']);
    await expect(move(anna, '/Root/Content/a', '/Root/Content/to')).rejects.toMatchObject({ type: 'forbidden' });
    await tree.give({ path: '/Root/Content/a' }, anna.userId, ['Delete'], true);
    await expect(move(anna, '/Root/Content/a', '/Root/Content/to')).rejects.toMatchObject({ type: 'forbidden' });
    await tree.give({ path: '/Root/Content/a' }, anna.userId, ['Delete']);
    expect(await move(anna, '/Root/Content/a', '/Root/Content/to')).toHaveProperty('path', '/Root/Content/to/a');
  });
});

describe('copying', () => {
  it('makes a whole subtree anew, with other ids and the permissions of its new place', async () => {
    const anna = await tree.person('anna');
    for (const path of ['a', 'a/b', 'a/b/c']) await tree.create(`/Root/Content/${path}`, 'Folder', { Description: path });
    await tree.give({ path: '/Root/Content/a/b' }, anna.userId, ['Save']);
    const made = await copy(admin, '/Root/Content/a', '/Root/Content');
    expect(made).toMatchObject({ path: '/Root/Content/a (1)', version: 1, fields: { Description: 'a' } });
    expect(await tree.paths(anna, '/Root/Content/a (1)')).toEqual(['/Root/Content/a (1)/b', '/Root/Content/a (1)/b/c']);
    expect([...(await tree.read(anna, { path: '/Root/Content/a (1)/b' })).permissions]).toEqual(['See', 'Open']);
    expect(await tree.create('/Root/Content/next')).toMatchObject({ id: made.id + 3 });
    await remove(admin, '/Root/Content/a', true);
    expect(await tree.paths(anna, '/Root/Content/a (1)')).toHaveLength(2);
  });

  it('into where the copier sees nothing is made all the same', async () => {
    const anna = await tree.person('anna');
    for (const path of ['a', 'letterbox']) await tree.create(`/Root/Content/${path}`);
    await tree.breakInheritance({ path: '/Root/Content/letterbox' });
    await tree.give({ path: '/Root/Content/letterbox' }, anna.userId, ['See', 'AddNew'], true);
    expect(await copy(anna, '/Root/Content/a', '/Root/Content/letterbox')).toMatchObject({ path: '/Root/Content/letterbox/a' });
    expect(await tree.paths(anna, '/Root/Content/letterbox')).toEqual([]);
    expect(await tree.paths(admin, '/Root/Content/letterbox')).toEqual(['/Root/Content/letterbox/a']);
  });

  it('takes Open on all of it, and is not for people, nor into what is copied', async () => {
    const anna = await tree.person('anna');
    for (const path of ['a', 'a/hidden', 'mine']) await tree.create(`/Root/Content/${path}`);
    await tree.give({ path: '/Root/Content/mine' }, anna.userId, ['AddNew']);
    await tree.breakInheritance({ path: '/Root/Content/a/hidden' });
    await expect(copy(anna, '/Root/Content/a', '/Root/Content/mine')).rejects.toMatchObject({ type: 'forbidden' });
    await expect(copy(admin, '/Root/Content/a', '/Root/Content/a/hidden')).rejects.toMatchObject({ type: 'invalid-request' });
    await expect(copy(admin, '/Root/IMS/Public/anna', '/Root/IMS/Public')).rejects.toMatchObject({ type: 'invalid-request' });
  });
});

describe('the trash', () => {
  it('gives back what was deleted, with its subtree, permissions and place', async () => {
    const anna = await tree.person('anna');
    for (const path of ['a', 'a/b', 'a/b/c']) await tree.create(`/Root/Content/${path}`);
    await tree.give({ path: '/Root/Content/a/b' }, anna.userId, ['Save']);
    const { node, permanent } = await remove(admin, '/Root/Content/a');
    expect([node.path, permanent]).toEqual(['/Root/Content/a', false]);
    expect(await tree.paths(admin, '/Root/Content')).toEqual([]);
    expect(await tree.paths(admin, '/Root')).not.toContainEqual(expect.stringContaining('/Root/Trash/'));
    expect(await tree.paths(anna, '/Root/Trash')).toHaveLength(3);
    expect(await trash(anna)).toMatchObject([{ originalPath: '/Root/Content/a', deletedBy: wellKnown.publicAdmin, node: { id: node.id } }]);
    await tree.create('/Root/Content/a');
    const restore = (onConflict?: 'rename') =>
      tree.tx((tx) => restoreContent(tx, admin, { id: node.id }, onConflict ? { onConflict } : {}));
    await expect(restore()).rejects.toMatchObject({ type: 'already-exists' });
    expect(await restore('rename')).toMatchObject({ path: '/Root/Content/a (1)' });
    expect(await tree.paths(anna, '/Root/Content/a (1)')).toEqual(['/Root/Content/a (1)/b', '/Root/Content/a (1)/b/c']);
    expect([...(await tree.read(anna, { path: '/Root/Content/a (1)/b/c' })).permissions]).toEqual(['See', 'Open', 'Save']);
    expect(await trash(admin)).toEqual([]);
  });

  it('shows each only to those who saw it before, also after its place was closed', async () => {
    const anna = await tree.person('anna');
    for (const path of ['open', 'open/x', 'closed', 'closed/y']) await tree.create(`/Root/Content/${path}`);
    await tree.breakInheritance({ path: '/Root/Content/closed' });
    await remove(admin, '/Root/Content/open/x');
    await remove(admin, '/Root/Content/closed/y');
    expect((await trash(anna)).map(({ originalPath }) => originalPath)).toEqual(['/Root/Content/open/x']);
    await tree.breakInheritance({ path: '/Root/Content/open' });
    expect(await trash(anna)).toEqual([]);
    expect(await tree.paths(anna, '/Root/Trash')).toEqual([]);
    expect(await trash(admin)).toHaveLength(2);
    const withoutUsers = tree.callerOf(wellKnown.publicAdmin, ['content:read', 'content:write']);
    await remove(admin, '/Root/IMS/Public/anna');
    expect(await trash(withoutUsers)).toHaveLength(2);
    const [entry] = await trash(admin);
    await expect(tree.tx((tx) => deleteContent(tx, withoutUsers, { id: entry?.node.id ?? 0 }))).rejects.toMatchObject({
      type: 'not-found',
    });
  });

  it('holds what it has as it was', async () => {
    const { id } = await tree.create('/Root/Content/a');
    await tree.create('/Root/Content/a/b');
    await remove(admin, '/Root/Content/a');
    const path = `/Root/Trash/${id}`;
    await expect(tree.tx((tx) => updateContent(tx, admin, { id }, { fields: { Index: 1 } }))).rejects.toMatchObject({ type: 'conflict' });
    await expect(tree.create(`${path}/new`)).rejects.toMatchObject({ type: 'conflict' });
    await expect(move(admin, path, '/Root/Content')).rejects.toMatchObject({ type: 'conflict' });
    await expect(copy(admin, path, '/Root/Content')).rejects.toMatchObject({ type: 'conflict' });
    await expect(tree.tx((tx) => changePermissions(tx, admin, { id }, { inheritance: 'break' }))).rejects.toMatchObject({
      type: 'conflict',
    });
    await expect(tree.tx((tx) => restoreContent(tx, admin, { path: `${path}/b` }))).rejects.toMatchObject({ type: 'invalid-request' });
    await expect(tree.create('/Root/Trash/x')).rejects.toMatchObject({ type: 'invalid-request' });
    expect(await remove(admin, path)).toMatchObject({ permanent: true });
    expect(await tree.paths(admin, '/Root/Trash')).toEqual([]);
  });

  it('gives things back to another place when theirs is gone, and takes AddNew there', async () => {
    const anna = await tree.person('anna');
    for (const path of ['a', 'a/b', 'to']) await tree.create(`/Root/Content/${path}`);
    const { node } = await remove(admin, '/Root/Content/a/b');
    await remove(admin, '/Root/Content/a');
    const restore = (caller: Caller, to?: string) =>
      tree.tx((tx) => restoreContent(tx, caller, { id: node.id }, to ? { to: { path: to } } : {}));
    await expect(restore(admin)).rejects.toMatchObject({ type: 'conflict' });
    await expect(restore(anna, '/Root/Content/to')).rejects.toMatchObject({ type: 'forbidden' });
    expect(await restore(admin, '/Root/Content/to')).toMatchObject({ path: '/Root/Content/to/b' });
  });

  it('keeps a user from signing in, and ends the tokens, until the user is restored', async () => {
    const anna = await tree.person('anna');
    const bela = await tree.person('bela');
    const user = async () =>
      (
        await test.owner.query('SELECT enabled, generation, login_name FROM repository_users WHERE repository_id = $1 AND id = $2', [
          tree.repository.repositoryId,
          anna.userId,
        ])
      ).rows[0] as { enabled: boolean; generation: number; login_name: string };
    expect(await remove(admin, '/Root/IMS/Public/anna')).toMatchObject({ endedUsers: [{ id: anna.userId, generation: 2 }] });
    expect(await user()).toMatchObject({ enabled: false, generation: 2 });
    const update = () => tree.tx((tx) => updateUser(tx, 1, { repositoryId: anna.repositoryId, id: anna.userId, enabled: true }));
    await expect(update()).rejects.toMatchObject({ type: 'not-found' });
    expect(await tree.tx((tx) => findUser(tx, { repositoryId: anna.repositoryId, id: anna.userId }))).toBeUndefined();
    expect((await tree.tx((tx) => listUsers(tx, { repositoryId: anna.repositoryId, limit: 9 }))).items).toHaveLength(1);
    await tree.tx((tx) => restoreContent(tx, admin, { id: anna.userId }));
    expect(await user()).toMatchObject({ enabled: true, generation: 2 });
    await remove(admin, '/Root/IMS/Public/anna', true);
    expect(await user()).toMatchObject({ enabled: false, generation: 3, login_name: `/deleted/${anna.userId}` });
    await tree.person('anna');
    await tree.join(wellKnown.administrators, bela.userId);
    await expect(remove(bela, '/Root/IMS/Public/bela')).rejects.toMatchObject({ type: 'forbidden' });
  });

  it('takes from a group what it gave its members, until it is restored', async () => {
    const anna = await tree.person('anna');
    const folder = await tree.create('/Root/folder');
    const group = await tree.group('team');
    await tree.join(group.id, anna.userId);
    await tree.give({ id: folder.id }, group.id, ['See']);
    expect(await tree.read(anna, { id: folder.id })).toHaveProperty('name', 'folder');
    await remove(admin, group.path);
    await expect(tree.read(anna, { id: folder.id })).rejects.toMatchObject({ type: 'not-found' });
    const bela = await tree.person('bela');
    await expect(tree.tx((tx) => addMembers(tx, admin, { id: group.id }, [bela.userId]))).rejects.toMatchObject({ type: 'conflict' });
    await expect(tree.tx((tx) => removeMembers(tx, admin, { id: group.id }, [anna.userId]))).rejects.toMatchObject({ type: 'conflict' });
    await tree.tx((tx) => restoreContent(tx, admin, { id: group.id }));
    expect(await tree.read(anna, { id: folder.id })).toHaveProperty('name', 'folder');
  });

  it('is purged by age', async () => {
    for (const name of ['old', 'new']) {
      await tree.create(`/Root/Content/${name}`);
      await tree.create(`/Root/Content/${name}/below`);
      await remove(admin, `/Root/Content/${name}`);
    }
    await test.owner.query(`UPDATE content_trash SET deleted_at = now() - interval '31 days' WHERE path = '/Root/Content/old'`);
    const purge = () => purgeTrash(test.database, { olderThanDays: 30, limit: 10 });
    expect([await purge(), await purge()]).toEqual([1, 0]);
    expect((await trash(admin)).map(({ originalPath }) => originalPath)).toEqual(['/Root/Content/new']);
    expect(await tree.paths(admin, '/Root/Trash')).toHaveLength(2);
  });
});

describe('permissions on a node', () => {
  it('are given, inherited, broken and inherited again by whoever may do everything there', async () => {
    const anna = await tree.person('anna');
    const bela = await tree.person('bela');
    for (const path of ['a', 'a/b', 'a/b/c']) await tree.create(`/Root/Content/${path}`);
    const at = { path: '/Root/Content/a/b' };
    const change = (caller: Caller, what: Parameters<typeof changePermissions>[3]) =>
      tree.tx((tx) => changePermissions(tx, caller, at, what));
    const grants = [{ identity: { path: '/Root/IMS/Public/bela' }, permissions: ['See', 'Save'] as const }];
    await expect(change(anna, { grants })).rejects.toMatchObject({ type: 'forbidden' });
    await expect(tree.tx((tx) => readPermissions(tx, anna, at))).rejects.toMatchObject({ type: 'forbidden' });
    await change(admin, { grants });
    await change(admin, { inheritance: 'break', keepInherited: false });
    await expect(tree.read(anna, { path: '/Root/Content/a/b/c' })).rejects.toMatchObject({ type: 'not-found' });
    expect([...(await tree.read(bela, { path: '/Root/Content/a/b/c' })).permissions]).toEqual(['See', 'Save']);
    expect(await tree.tx((tx) => readPermissions(tx, admin, at))).toMatchObject({
      broken: true,
      own: [{ identityId: wellKnown.administrators }, { identityId: bela.userId, hereOnly: false }],
      inherited: [],
    });
    await change(admin, { inheritance: 'inherit', grants: [{ identity: { id: bela.userId }, permissions: [] }] });
    expect([...(await tree.read(bela, { path: '/Root/Content/a/b/c' })).permissions]).toEqual(['See', 'Open']);
    await change(admin, { inheritance: 'break' });
    expect([...(await tree.read(anna, { path: '/Root/Content/a/b/c' })).permissions]).toEqual(['See', 'Open']);
  });

  it('of the Administrators stay, and nobody else is named who is neither a user nor a group', async () => {
    const anna = await tree.person('anna');
    await tree.create('/Root/Content/mine');
    const at = { path: '/Root/Content/mine' };
    await tree.give(at, anna.userId, ['See', 'Open', 'Save', 'AddNew', 'Delete']);
    const change = (what: Parameters<typeof changePermissions>[3]) => tree.tx((tx) => changePermissions(tx, anna, at, what));
    await change({ inheritance: 'break', keepInherited: false });
    expect((await tree.read(admin, at)).permissions.size).toBe(5);
    for (const identity of [{ id: wellKnown.content }, { id: 4711 }, { path: '/Root/\0' }, { id: wellKnown.administrators }]) {
      await expect(change({ grants: [{ identity, permissions: [] }] })).rejects.toMatchObject({
        type: expect.stringMatching('invalid-request|forbidden') as string,
      });
    }
  });

  it('follow a subtree of ten thousand nodes when it moves, in one transaction', async () => {
    const anna = await tree.person('anna');
    const { id } = await tree.create('/Root/Content/big');
    await tree.create('/Root/secret');
    await test.owner.query(
      `INSERT INTO content_nodes (repository_id, tenant_id, id, parent_id, name, path, type, permission_path, created_by, modified_by)
       SELECT $1, $2, 100000 + i, $3, 'n' || i, '/Root/Content/big/n' || i, 'Folder', ARRAY[2, 14, $3, 100000 + i], 1, 1 FROM generate_series(1, 10000) i`,
      [tree.repository.repositoryId, tree.repository.tenantId, id],
    );
    await move(admin, '/Root/Content/big', '/Root/secret');
    await expect(tree.read(anna, { path: '/Root/secret/big/n9999' })).rejects.toMatchObject({ type: 'not-found' });
    expect(await tree.read(admin, { id: 110_000 })).toMatchObject({ path: '/Root/secret/big/n10000' });
    await copy(admin, '/Root/secret/big', '/Root/Content');
    expect(await tree.read(anna, { path: '/Root/Content/big/n5000' })).toHaveProperty('name', 'n5000');
    await expect(
      tree.tx((tx) => createContent(tx, anna, { path: '/Root/Content/big' }, { type: 'Folder', fields: {} })),
    ).rejects.toMatchObject({
      type: 'forbidden',
    });
  });
});
