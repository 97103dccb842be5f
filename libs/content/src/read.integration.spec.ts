import { createTestDatabase, type TestDatabase } from '@latchkey/database/testing';
import type { Caller } from './caller.js';
import type { AppliedFunction, Comparison, Expression, Literal } from './filter.js';
import { countCollection, readCollection } from './read.js';
import { TestTree } from './testing/tree.js';
import { deleteContent } from './trash.js';
import { updateContent } from './write.js';

let test: TestDatabase;
let tree: TestTree;
let anna: Caller;

beforeAll(async () => {
  test = await createTestDatabase();
  tree = await TestTree.make(test);
  anna = await tree.person('anna');
});
afterAll(() => test.drop());

describe('a filter', () => {
  const names = async (filter: Expression, caller = tree.admin) => {
    const found = await tree.tx((tx) => readCollection(tx, caller, { path: '/Root/Content/cars' }, { reach: 'children', filter }));
    return found.map(({ name }) => name);
  };
  const refers = (field: string, target: number | 'any'): Expression => ({ kind: 'refers', field, target });

  beforeAll(async () => {
    await tree.type('Car', {
      parent: 'Folder',
      fields: [
        { name: 'Driver', kind: 'Reference', allowedTypes: ['Folder'] },
        { name: 'Parts', kind: 'Reference', multiple: true },
        { name: 'Parent', kind: 'Reference' },
      ],
    });
    for (const path of ['cars', 'people', 'people/shown', 'people/hidden']) await tree.create(`/Root/Content/${path}`);
    await tree.breakInheritance({ path: '/Root/Content/people/hidden' });
    const of = (name: string) => `/Root/Content/people/${name}`;
    await tree.create('/Root/Content/cars/abc', 'Car', { Driver: of('shown'), Parts: [of('shown'), of('hidden')] });
    await tree.create('/Root/Content/cars/bcd', 'Car', { Driver: of('hidden') });
    await tree.create('/Root/Content/cars/äxb', 'Car', {});
  });

  it('finds what refers to a node, or to anything', async () => {
    const { id: shown } = await tree.read(tree.admin, { path: '/Root/Content/people/shown' });
    const { id: hidden } = await tree.read(tree.admin, { path: '/Root/Content/people/hidden' });
    expect(await names(refers('driver', shown))).toEqual(['abc']);
    expect(await names(refers('Parts', hidden))).toEqual(['abc']);
    expect(await names({ kind: 'not', term: refers('Driver', hidden) })).toEqual(['abc', 'äxb']);
    expect(await names(refers('Driver', 'any'))).toEqual(['abc', 'bcd']);
    expect(await names(refers('CreatedBy', tree.admin.userId))).toEqual(['abc', 'bcd', 'äxb']);
    const group = await tree.group('crew');
    await tree.join(group.id, anna.userId);
    const groups = await tree.tx((tx) =>
      readCollection(tx, tree.admin, { path: '/Root/IMS/Public' }, { reach: 'children', filter: refers('Members', anna.userId) }),
    );
    expect(groups.map(({ name }) => name)).toEqual(['crew']);
  });

  it('asks of a reference that is called as a column begins for where it leads', async () => {
    const { id: shown } = await tree.read(tree.admin, { path: '/Root/Content/people/shown' });
    const { id: cars } = await tree.read(tree.admin, { path: '/Root/Content/cars' });
    const { id } = await tree.create('/Root/Content/cars/child', 'Car', { Parent: shown });
    expect([await names(refers('Parent', shown)), await names(refers('Parent', cars))]).toEqual([['child'], []]);
    await tree.tx((tx) => deleteContent(tx, tree.admin, { id }, { permanent: true }));
  });

  it('tells nothing of what a node refers to that the caller does not see', async () => {
    const { id: hidden } = await tree.read(tree.admin, { path: '/Root/Content/people/hidden' });
    expect(await names(refers('Parts', hidden), anna)).toEqual([]);
    expect(await names({ kind: 'not', term: refers('Parts', hidden) }, anna)).toEqual(['abc', 'bcd', 'äxb']);
    expect(await names(refers('Driver', 'any'), anna)).toEqual(['abc']);
  });

  it.each(['Name', 'AllRoles', 'None'])('asks of %s no reference', async (field) => {
    await expect(names(refers(field, 5))).rejects.toMatchObject({ type: 'invalid-request' });
  });

  it('looks into texts, from their first character on', async () => {
    const compare = (functions: AppliedFunction[], comparison: Comparison, value: Literal): Expression => ({
      kind: 'compare',
      field: 'Name',
      functions,
      comparison,
      value,
    });
    expect(await names(compare([{ name: 'substring', start: 1 }], 'eq', 'bc'))).toEqual(['abc']);
    expect(await names(compare([{ name: 'substring', start: 1, length: 1 }, 'toupper'], 'eq', 'X'))).toEqual(['äxb']);
    expect(await names(compare([{ name: 'substring', start: 100_000 }], 'eq', ''))).toEqual(['abc', 'bcd', 'äxb']);
    expect(await names(compare([{ name: 'indexof', text: 'b' }], 'ge', 1))).toEqual(['abc', 'äxb']);
    expect(await names(compare(['toupper', { name: 'indexof', text: 'b' }], 'eq', -1))).toEqual(['abc', 'bcd', 'äxb']);
    await expect(names(compare(['length', { name: 'indexof', text: 'b' }], 'eq', 1))).rejects.toMatchObject({ type: 'invalid-request' });
    await expect(names(compare([{ name: 'indexof', text: '\0' }], 'eq', 1))).rejects.toMatchObject({ type: 'invalid-request' });
  });
});

describe('a path', () => {
  it('is found as long as one can be, whatever its characters take', async () => {
    const { id, path } = await tree.create('/Root/Content/short');
    const below = await tree.create(`${path}/${'😀'.repeat(120)}`);
    await tree.tx((tx) => updateContent(tx, tree.admin, { id }, { fields: { Name: 'l'.repeat(200) } }));
    const { path: longer } = await tree.read(tree.admin, { id: below.id });
    expect(await tree.read(tree.admin, { path: longer })).toMatchObject({ id: below.id });
  });
});

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
