import { createTestDatabase, type TestDatabase } from '@latchkey/database/testing';
import type { Caller } from './caller.js';
import { countCollection, readCollection } from './read.js';
import { TestTree } from './testing/tree.js';

let test: TestDatabase;
let tree: TestTree;
let anna: Caller;

beforeAll(async () => {
  test = await createTestDatabase();
  tree = await TestTree.make(test);
  anna = await tree.person('anna');
});
afterAll(() => test.drop());

describe('one read', () => {
  it('sees one state of things: the count, the page and what was given go together, whatever others do meanwhile', async () => {
    await tree.create('/Root/Content/open');
    await tree.create('/Root/Content/open/before');
    await tree.breakInheritance({ path: '/Root/Content/open' });
    await tree.give({ path: '/Root/Content/open' }, anna.userId, ['See']);
    const query = { reach: 'children' } as const;
    const scope = { tenantId: anna.tenantId, repositoryId: anna.repositoryId };
    const seen = await test.database.read(scope, async (tx) => {
      const count = await countCollection(tx, anna, { path: '/Root/Content/open' }, query);
      await tree.create('/Root/Content/open/after');
      await tree.give({ path: '/Root/Content/open' }, anna.userId, []);
      const page = await readCollection(tx, anna, { path: '/Root/Content/open' }, query);
      return { count, names: page.map(({ name }) => name) };
    });
    expect(seen).toEqual({ count: 1, names: ['before'] });
    await expect(test.database.read(scope, (tx) => readCollection(tx, anna, { path: '/Root/Content/open' }, query))).rejects.toMatchObject({
      type: 'not-found',
    });
  });
});
