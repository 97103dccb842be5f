import { repositoryPermissions } from '@latchkey/contracts';
import { createTestDatabase, type TestDatabase } from '@latchkey/database/testing';
import { makeRepository, type TestRepository } from './testing/repository.js';
import { deleteContent } from './trash.js';
import { createUser, findUser, listUsers, raiseUserGeneration, updateUser, type NewUser } from './users.js';
import { firstFreeId, wellKnown } from './well-known.js';

let test: TestDatabase;
let repository: TestRepository;

beforeAll(async () => {
  test = await createTestDatabase();
});
afterAll(() => test.drop());
beforeEach(async () => {
  repository = await makeRepository(test.database);
});

const create = (user: Partial<NewUser> & { loginName: string }) =>
  test.database.transaction(repository, (tx) => createUser(tx, wellKnown.admin, { ...repository, ...user }));
const update = (id: number, change: object) =>
  test.database.transaction(repository, (tx) => updateUser(tx, wellKnown.admin, { repositoryId: repository.repositoryId, id, ...change }));
const generationOf = async (id: number) =>
  (
    await test.owner.query<{ generation: number }>('SELECT generation FROM repository_users WHERE repository_id = $1 AND id = $2', [
      repository.repositoryId,
      id,
    ])
  ).rows[0]?.generation;
const nodeOf = async (id: number) =>
  (
    await test.owner.query<{ path: string; fields: Record<string, unknown>; version: number }>(
      'SELECT * FROM content_nodes WHERE repository_id = $1 AND id = $2',
      [repository.repositoryId, id],
    )
  ).rows[0];

describe('a repository user', () => {
  it('is a node and a sign-in with the same id, made by one call', async () => {
    const user = await create({ loginName: 'Anna', email: 'anna@example.com', name: 'Anna Kiss', passwordHash: '$argon2id$x' });
    expect(user).toMatchObject({
      loginName: 'Anna',
      email: 'anna@example.com',
      name: 'Anna Kiss',
      enabled: true,
      hasPassword: true,
      technical: false,
    });
    expect(user.id).toBeGreaterThanOrEqual(firstFreeId);
    expect(user).not.toHaveProperty('passwordHash');
    expect(await nodeOf(user.id)).toMatchObject({
      path: '/Root/IMS/Public/Anna',
      fields: { LoginName: 'Anna', FullName: 'Anna Kiss', Email: 'anna@example.com', Enabled: true, Domain: 'public' },
    });
    const found = await test.database.read(repository, (tx) => findUser(tx, { ...repository, id: user.id }));
    expect(found).toEqual({ ...user, createdAt: expect.any(Date) as Date });
  });

  it('is refused when the login name or the address is taken, whatever its case', async () => {
    await create({ loginName: 'anna', email: 'anna@example.com' });
    await expect(create({ loginName: 'ANNA' })).rejects.toMatchObject({ type: 'already-exists', errors: [{ pointer: '/loginName' }] });
    await expect(create({ loginName: 'other', email: 'Anna@example.com' })).rejects.toMatchObject({
      type: 'already-exists',
      errors: [{ pointer: '/email' }],
    });
    await expect(create({ loginName: 'PublicAdmin' })).rejects.toMatchObject({ type: 'already-exists' });
    const other = await create({ loginName: 'bela', email: 'bela@example.com' });
    await expect(update(other.id, { email: 'ANNA@example.com' })).rejects.toMatchObject({ type: 'already-exists' });
  });

  it('is refused with a login name that is another user’s address, and the reverse, also when both come at once', async () => {
    const anna = await create({ loginName: 'anna@example.com', email: 'Anna@Example.com' });
    const taken = (pointer: string) => ({ type: 'already-exists', errors: [{ pointer }] });
    await update(anna.id, { email: 'kiss@example.com' });
    await expect(create({ loginName: 'KISS@example.com' })).rejects.toMatchObject(taken('/loginName'));
    await expect(create({ loginName: 'bela', email: 'ANNA@example.com' })).rejects.toMatchObject(taken('/email'));
    const bela = await create({ loginName: 'bela' });
    await expect(update(bela.id, { email: 'anna@example.com' })).rejects.toMatchObject(taken('/email'));
    for (let turn = 0; turn < 10; turn++) {
      const name = `both-${turn}@example.com`;
      const both = await Promise.allSettled([create({ loginName: name }), update(bela.id, { email: name })]);
      expect(both.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
      for (const each of both) if (each.status === 'rejected') expect(each.reason).toMatchObject({ type: 'already-exists' });
    }
  });

  it('may have the same name in another repository', async () => {
    await create({ loginName: 'anna', email: 'anna@example.com' });
    repository = await makeRepository(test.database);
    await expect(create({ loginName: 'anna', email: 'anna@example.com' })).resolves.toMatchObject({ loginName: 'anna' });
  });

  it.each([[{ passwordHash: '$argon2id$new' }], [{ enabled: false }]])('loses every token when it changes %j', async (change) => {
    const { id } = await create({ loginName: 'anna', passwordHash: '$argon2id$old' });
    const changed = await update(id, change);
    expect(changed).toMatchObject({ endedTokens: true, changed: Object.keys(change) });
    expect(await generationOf(id)).toBe(2);
  });

  it('keeps its tokens when it changes its name, and its node follows', async () => {
    const { id } = await create({ loginName: 'anna', name: 'Anna' });
    expect(await update(id, { name: 'Anna Nagy', email: 'a@example.com' })).toMatchObject({
      endedTokens: false,
      changed: ['name', 'email'],
    });
    expect(await generationOf(id)).toBe(1);
    expect(await nodeOf(id)).toMatchObject({
      version: 2,
      fields: { FullName: 'Anna Nagy', Email: 'a@example.com', LoginName: 'anna', Domain: 'public' },
    });
    expect(await update(id, { name: 'Anna Nagy' })).toMatchObject({ changed: [] });
    expect(await nodeOf(id)).toMatchObject({ version: 2 });
  });

  it('that the product made cannot be changed, and one that is not there is not found', async () => {
    await expect(update(wellKnown.publicAdmin, { enabled: false })).rejects.toMatchObject({ type: 'forbidden' });
    await expect(update(999_999, { enabled: false })).rejects.toMatchObject({ type: 'not-found' });
  });

  it('of another repository is not found', async () => {
    const { id } = await create({ loginName: 'anna' });
    const owner = repository;
    repository = await makeRepository(test.database);
    await expect(update(id, { enabled: false })).rejects.toMatchObject({ type: 'not-found' });
    // Not even when the code asks for it: the rows are out of the transaction's scope.
    const asked = await test.database.read(repository, (tx) => findUser(tx, { repositoryId: owner.repositoryId, id }));
    expect(asked).toBeUndefined();
  });

  it('that is in the trash has no sessions that could be ended', async () => {
    const { id } = await create({ loginName: 'anna' });
    const caller = { ...repository, userId: wellKnown.admin, permissions: new Set(repositoryPermissions) };
    await test.database.transaction(repository, (tx) => deleteContent(tx, caller, { id }));
    const signOut = test.database.transaction(repository, (tx) => raiseUserGeneration(tx, { ...repository, id }));
    await expect(signOut).rejects.toMatchObject({ type: 'not-found' });
  });

  it('is listed in pages, without those that the product made', async () => {
    const ids = [];
    for (const loginName of ['c', 'a', 'b']) ids.push((await create({ loginName })).id);
    const page = (after?: string) => test.database.read(repository, (tx) => listUsers(tx, { ...repository, limit: 2, after }));
    const first = await page();
    expect(first.items.map(({ id }) => id)).toEqual(ids.slice(0, 2));
    const second = await page(first.next ?? undefined);
    expect(second).toMatchObject({ items: [{ id: ids[2] }], next: null });
    await expect(page(`1' OR true`)).rejects.toMatchObject({ type: 'invalid-request' });
  });

  it('made by twenty calls at once is twenty users', async () => {
    const users = await Promise.all(Array.from({ length: 20 }, (_, i) => create({ loginName: `user-${i}` })));
    expect(new Set(users.map(({ id }) => id)).size).toBe(20);
  });
});
