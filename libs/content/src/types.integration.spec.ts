import type { EntityManager } from '@latchkey/database';
import { createTestDatabase, type TestDatabase } from '@latchkey/database/testing';
import type { Caller } from './caller.js';
import { contentTypesOf } from './custom-types.js';
import type { Expression } from './filter.js';
import { copyContent } from './move.js';
import { readNodes } from './read.js';
import { readTargets } from './references.js';
import { TestTree } from './testing/tree.js';
import { deleteContent, restoreContent } from './trash.js';
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

const car = {
  parent: 'Folder',
  fields: [
    { name: 'Plate', kind: 'ShortText', required: true, maxLength: 8 },
    { name: 'Colour', kind: 'ShortText', options: ['red', 'blue'] },
    { name: 'Seats', kind: 'Integer', minimum: 1, maximum: 9 },
    { name: 'Driver', kind: 'Reference', allowedTypes: ['User'] },
    { name: 'Parts', kind: 'Reference', multiple: true },
  ],
};
const typePath = (name: string) => `/Root/System/Schema/ContentTypes/${name}`;
const update = (path: string, fields: Record<string, unknown>, replace = false) =>
  tree.tx((tx) => updateContent(tx, admin, { path }, { fields, replace }));
const redefine = (name: string, definition: object) => update(typePath(name), { Definition: definition });
const remove = (path: string, permanent = false) => tree.tx((tx) => deleteContent(tx, admin, { path }, { permanent }));
/** Paths of what a field leads to. */
const targets = async (path: string, field: string) => {
  const node = await tree.read(admin, { path });
  return tree.tx(async (tx) => {
    const ids = (await readTargets(tx, tree.repository.repositoryId, [node], field)).get(node.id) ?? [];
    const found = await readNodes(tx, admin, ids);
    return ids.map((id) => found.get(id)?.path);
  });
};

describe('a content type of the repository’s own', () => {
  it('is made as content, inherits, and checks what is written', async () => {
    await tree.type('Car', car);
    await tree.type('Taxi', { parent: 'Car', fields: [{ name: 'Licence', kind: 'Integer' }] });
    const types = await tree.tx((tx) => contentTypesOf(tx, tree.repository.repositoryId));
    expect(types.fieldsOf('Taxi').map(({ name }) => name)).toEqual(expect.arrayContaining(['Id', 'DisplayName', 'Plate', 'Licence']));
    expect(types.derivedFrom('Car')).toEqual(['Car', 'Taxi']);
    const made = await tree.create('/Root/Content/x', 'taxi', { Plate: 'AB-1', Colour: 'red', Seats: 4, Licence: 7 });
    expect(made).toMatchObject({ type: 'Taxi', fields: { Plate: 'AB-1', Licence: 7 } });
    await expect(tree.create('/Root/Content/y', 'Car', { Colour: 'green', Seats: 10, Licence: 7 })).rejects.toMatchObject({
      type: 'invalid-request',
      errors: [{ pointer: '/Colour' }, { pointer: '/Seats' }, { pointer: '/Licence' }, { pointer: '/Plate' }],
    });
    expect(await tree.paths(admin, '/Root/Content', { filter: { kind: 'compare', field: 'Licence', comparison: 'ge', value: 7 } })).toEqual(
      ['/Root/Content/x'],
    );
    expect(await tree.paths(admin, '/Root/Content', { filter: { kind: 'isOf', type: 'car' } })).toEqual(['/Root/Content/x']);
    const other = await TestTree.make(test);
    await expect(other.create('/Root/Content/x', 'Car', { Plate: 'AB-1' })).rejects.toMatchObject({ type: 'invalid-request' });
  });

  it.each<[object | string | number | null]>([
    [{ parent: 'User' }],
    [{ parent: 'Spaceship' }],
    [{ parent: 'Folder', fields: [{ name: `x' OR true --`, kind: 'ShortText' }] }],
    [{ parent: 'Folder', fields: [{ name: 'DisplayName', kind: 'ShortText' }] }],
    [{ parent: 'Folder', fields: [{ name: 'deadline', kind: 'DateTime' }] }],
    [{ parent: 'Folder', fields: [{ name: 'Deadline', kind: 'Integer' }] }],
    [
      {
        parent: 'Folder',
        fields: [
          { name: 'A', kind: 'Integer' },
          { name: 'a', kind: 'Integer' },
        ],
      },
    ],
    [{ parent: 'Folder', fields: [{ name: 'A', kind: 'Integer', maxLength: 4 }] }],
    [{ parent: 'Folder', fields: [{ name: 'A', kind: 'Magic' }] }],
    [{ parent: 'Folder', fields: [{ name: 'constructor', kind: 'Reference' }] }],
    [{ parent: 'Folder', fields: [{ name: 'toString', kind: 'ShortText' }] }],
    [{ parent: 'Folder', fields: [{ name: 'A', kind: 'Reference', allowedTypes: ['Nothing'] }] }],
    [{ parent: 'Folder', allowedChildTypes: ['User'] }],
    [{ parent: 'Folder', more: 1 }],
    ['{'],
    ['null'],
    [7],
    [null],
  ])('is refused with words: %j', async (definition) => {
    await expect(tree.create(typePath('Bad'), 'ContentType', { Definition: definition })).rejects.toMatchObject({
      type: 'invalid-request',
    });
    expect((await tree.tx((tx) => contentTypesOf(tx, tree.repository.repositoryId))).find('Bad')).toBeUndefined();
  });

  it('takes times that are some, and that can be compared', async () => {
    await tree.type('Event', { parent: 'Folder', fields: [{ name: 'At', kind: 'DateTime' }] });
    const at = async (At: string) => (await tree.create(`/Root/Content/${(count += 1)}`, 'Event', { At })).fields?.['At'];
    let count = 0;
    expect(await at('0001-01-01 00:00')).toBe('0001-01-01T00:00:00.000Z');
    expect(await at('2028-02-29')).toBe('2028-02-29T00:00:00.000Z');
    expect(await at('9999-12-31t23:59:59.1234567+01:00')).toBe('9999-12-31T22:59:59.123Z');
    for (const none of [
      '2026-02-29',
      '2026-04-31T08:00:00Z',
      '2026-01-01T08:00:60Z',
      '0000-01-01',
      '0001-01-01T00:00:00+01:00',
      '9999-12-31T23:59:59-01:00',
    ])
      await expect(at(none)).rejects.toMatchObject({ errors: [{ pointer: '/At' }] });
    const year: Expression = { kind: 'compare', field: 'At', functions: ['year'], comparison: 'ge', value: 2028 };
    expect(await tree.paths(admin, '/Root/Content', { filter: year })).toHaveLength(2);
    const ancient: Expression = { kind: 'compare', field: 'CreationDate', comparison: 'gt', value: '0000-01-01' };
    await expect(tree.paths(admin, '/Root/Content', { filter: ancient })).rejects.toMatchObject({ type: 'invalid-request' });
  });

  it('has a name that no other type has, which stays, and is for administrators', async () => {
    const anna = await tree.person('anna');
    await expect(tree.create(typePath('Mine'), 'ContentType', { Definition: { parent: 'Folder' } }, anna)).rejects.toMatchObject({
      type: 'not-found',
    });
    for (const name of ['folder', 'a b', '1x', 'x;y', "x'y", 'x'.repeat(65)]) {
      await expect(tree.type(name, { parent: 'Folder' })).rejects.toMatchObject({
        type: expect.stringMatching('invalid-request|already-exists') as string,
      });
    }
    await tree.type('Car', car);
    await expect(update(typePath('Car'), { Name: 'Auto' })).rejects.toMatchObject({ type: 'conflict' });
    await expect(tree.create('/Root/Content/t', 'ContentType', { Definition: { parent: 'Folder' } })).rejects.toMatchObject({
      type: 'invalid-request',
    });
  });

  it('that is in use takes no shorter texts, whether it says how long they are or not', async () => {
    const tale = (length: object) => ({ parent: 'Folder', fields: [{ name: 'Story', kind: 'ShortText', ...length }] });
    await tree.type('Tale', tale({ maxLength: 1_000 }));
    await tree.create('/Root/Content/x', 'Tale', { Story: 'x'.repeat(1_000) });
    await expect(redefine('Tale', tale({}))).rejects.toMatchObject({ type: 'conflict' });
    await tree.type('Note', { ...tale({}), parent: 'File' });
    await tree.create('/Root/Content/y', 'Note', { Story: 'y' });
    await redefine('Note', { ...tale({ maxLength: 450 }), parent: 'File' });
  });

  it('that is in use, in the trash too, changes only so that its content still fits, and is not deleted', async () => {
    await tree.type('Car', car);
    await tree.create('/Root/Content/x', 'Car', { Plate: 'AB-1' });
    await remove('/Root/Content/x');
    const wider = {
      ...car,
      fields: [
        ...car.fields.map((field) => ({ ...field, required: false, ...(field.name === 'Seats' ? { maximum: 20 } : {}) })),
        { name: 'Doors', kind: 'Integer' },
      ],
    };
    await redefine('Car', wider);
    // Each differs from what there is in this alone.
    const withField = (name: string, change: object) => ({
      ...wider,
      fields: wider.fields.map((field) => (field.name === name ? { ...field, ...change } : field)),
    });
    const refusals: [definition: object, because: string][] = [
      [{ ...wider, parent: 'Workspace' }, 'its parent cannot change'],
      [{ ...wider, fields: wider.fields.slice(1) }, 'its field Plate cannot be taken away'],
      [
        { ...wider, fields: [...wider.fields, { name: 'Owned', kind: 'ShortText', required: true }] },
        'its new field Owned cannot be required',
      ],
      [withField('Seats', { maximum: 3 }), 'its field Seats cannot take fewer values than before'],
      [withField('Seats', { minimum: 2 }), 'its field Seats cannot take fewer values than before'],
      [withField('Plate', { required: true }), 'its field Plate cannot take fewer values than before'],
      [withField('Plate', { maxLength: 7 }), 'its field Plate cannot take fewer values than before'],
      [withField('Colour', { options: ['red'] }), 'its field Colour cannot take fewer values than before'],
      [withField('Driver', { allowedTypes: ['Group'] }), 'its field Driver cannot take fewer values than before'],
      [withField('Parts', { multiple: false }), 'its field Parts cannot take fewer values than before'],
      [withField('Doors', { kind: 'Number' }), 'its field Doors cannot become another kind'],
    ];
    for (const [definition, because] of refusals)
      await expect(redefine('Car', definition)).rejects.toMatchObject({
        type: 'conflict',
        message: `There is content of the type Car, so ${because}.`,
      });
    await expect(remove(typePath('Car'))).rejects.toMatchObject({
      type: 'conflict',
      message: 'There is content of the type Car, perhaps in the trash.',
    });
    await tree.tx((tx) => restoreContent(tx, admin, { id: 1001 }));
    await remove('/Root/Content/x', true);
    await redefine('Car', { parent: 'Workspace' });
    await tree.type('Taxi', { parent: 'Car' });
    await expect(remove(typePath('Car'))).rejects.toMatchObject({ type: 'conflict', message: 'The type Taxi needs the type Car.' });
    await expect(redefine('Car', { parent: 'Taxi' })).rejects.toMatchObject({ type: 'invalid-request' });
    await remove(typePath('Taxi'));
    expect(await remove(typePath('Car'))).toMatchObject({ permanent: true });
    await expect(tree.create('/Root/Content/y', 'Car')).rejects.toMatchObject({ type: 'invalid-request' });
  });

  it('that somebody began to change and gave up is as it was', async () => {
    await tree.type('Car', car);
    const change = tree.tx(async (tx) => {
      await updateContent(tx, admin, { path: typePath('Car') }, { fields: { Definition: { parent: 'Folder' } } });
      expect((await contentTypesOf(tx, tree.repository.repositoryId)).field('Plate')).toBeUndefined();
      throw new Error('given up');
    });
    await expect(change).rejects.toThrow('given up');
    expect((await tree.tx((tx) => contentTypesOf(tx, tree.repository.repositoryId))).field('Plate')).toBeDefined();
  });

  describe('that one writes content of while another changes it', () => {
    const narrower = { ...car, fields: car.fields.filter(({ name }) => name !== 'Colour') };
    const write = { plate: { Plate: 'AB-1' }, colour: { Plate: 'AB-1', Colour: 'red' } };

    /** Begins the second while the first has not ended, and ends the first when the second waits for it. */
    async function meanwhile(first: (tx: EntityManager) => Promise<unknown>, second: () => Promise<unknown>): Promise<unknown> {
      const [done, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      const one = tree.tx(async (tx) => {
        await first(tx);
        done.resolve();
        await goOn.promise;
      });
      await Promise.race([done.promise, one]);
      const ended = new AbortController();
      const other = second()
        .catch((error: unknown) => error)
        .finally(() => ended.abort());
      const waits = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
      while (!ended.signal.aborted && (await test.owner.query(waits)).rowCount === 0)
        await new Promise((resolve) => setTimeout(resolve, 20));
      goOn.resolve();
      await one;
      return other;
    }
    const change = (tx: EntityManager, path: string, fields: Record<string, unknown>) => updateContent(tx, admin, { path }, { fields });

    it('is not narrowed under content that is being made', async () => {
      await tree.type('Car', car);
      const make = { type: 'Car', name: 'x', fields: write.colour };
      const narrowed = await meanwhile(
        (tx) => createContent(tx, admin, { path: '/Root/Content' }, make),
        () => redefine('Car', narrower),
      );
      expect(narrowed).toMatchObject({ type: 'conflict', message: expect.stringContaining('Colour cannot be taken away') as string });
    });

    it('is what content is checked by that is made while it is narrowed', async () => {
      await tree.type('Car', car);
      const made = await meanwhile(
        (tx) => change(tx, typePath('Car'), { Definition: narrower }),
        () => tree.create('/Root/Content/x', 'Car', write.colour),
      );
      expect(made).toMatchObject({ errors: [{ pointer: '/Colour' }] });
    });
  });
});

describe('a reference', () => {
  beforeEach(async () => {
    await tree.type('Car', car);
    for (const name of ['a', 'b', 'c']) await tree.create(`/Root/Content/${name}`);
  });

  it('leads to what it was given, in that order, and elsewhere when it is changed', async () => {
    await tree.person('anna');
    const b = await tree.read(admin, { path: '/Root/Content/b' });
    const fields = { Plate: 'x', Driver: '/Root/IMS/Public/anna', Parts: ['/Root/Content/c', b.id, { Path: '/root/content/A' }, b.id] };
    await tree.create('/Root/Content/car', 'Car', fields);
    expect(await targets('/Root/Content/car', 'Parts')).toEqual(['/Root/Content/c', '/Root/Content/b', '/Root/Content/a']);
    expect(await targets('/Root/Content/car', 'Driver')).toEqual(['/Root/IMS/Public/anna']);
    await update('/Root/Content/car', { Parts: [] });
    expect(await targets('/Root/Content/car', 'Parts')).toEqual([]);
    await update('/Root/Content/car', { Plate: 'y' }, true);
    expect(await targets('/Root/Content/car', 'Driver')).toEqual([]);
  });

  it('is refused when it leads nowhere, to too many, or to the wrong type', async () => {
    const anna = await tree.person('anna');
    for (const fields of [
      { Parts: ['/Root/Content/none'] },
      { Parts: [4711] },
      { Parts: [1e300, -1, 0.5] },
      { Parts: '/Root/\0' },
      { Parts: [[]] },
      { Parts: true },
      { Driver: '/Root/Content/a' },
      { Driver: [anna.userId, wellKnown.admin] },
      { Parts: Array.from({ length: 1001 }, (_, i) => i) },
    ]) {
      await expect(tree.create('/Root/Content/car', 'Car', { Plate: 'x', ...fields })).rejects.toMatchObject({
        type: 'invalid-request',
        errors: [{ pointer: expect.stringMatching(/^\/(Parts|Driver)$/) as string }],
      });
    }
    await tree.create('/Root/Content/mine');
    await tree.give({ path: '/Root/Content/mine' }, anna.userId, ['AddNew']);
    const hidden = { Plate: 'x', Driver: wellKnown.admin };
    await expect(tree.create('/Root/Content/mine/car', 'Car', hidden, anna)).rejects.toMatchObject({ type: 'invalid-request' });
  });

  it('is hidden while its target is in the trash, and gone when that is', async () => {
    await tree.create('/Root/Content/car', 'Car', { Plate: 'x', Parts: ['/Root/Content/a', '/Root/Content/b'] });
    const { node } = await remove('/Root/Content/a');
    expect(await targets('/Root/Content/car', 'Parts')).toEqual(['/Root/Content/b']);
    await tree.tx((tx) => restoreContent(tx, admin, { id: node.id }));
    expect(await targets('/Root/Content/car', 'Parts')).toEqual(['/Root/Content/a', '/Root/Content/b']);
    await remove('/Root/Content/a', true);
    const left = await test.owner.query('SELECT FROM content_references WHERE repository_id = $1', [tree.repository.repositoryId]);
    expect(left.rows).toHaveLength(1);
  });

  it('within what is copied leads to the copy', async () => {
    await tree.create('/Root/Content/a/car', 'Car', { Plate: 'x', Parts: ['/Root/Content/a', '/Root/Content/b'] });
    await tree.tx((tx) => copyContent(tx, admin, { path: '/Root/Content/a' }, { path: '/Root/Content/c' }));
    expect(await targets('/Root/Content/c/a/car', 'Parts')).toEqual(['/Root/Content/c/a', '/Root/Content/b']);
    expect(await targets('/Root/Content/a/car', 'Parts')).toEqual(['/Root/Content/a', '/Root/Content/b']);
  });
});
