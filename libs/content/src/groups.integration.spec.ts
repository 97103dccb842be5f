import { costOf, createTestDatabase, type TestDatabase } from '@latchkey/database/testing';
import { addMembers, membersOf } from './groups.js';
import { changePermissions, readPermissions } from './node-permissions.js';
import { TestTree } from './testing/tree.js';
import { wellKnown } from './well-known.js';

/* Whoever changes a group or permissions holds the whole tree meanwhile. */

let test: TestDatabase;
let tree: TestTree;
let people: number[];

beforeAll(async () => {
  test = await createTestDatabase();
  tree = await TestTree.make(test);
  people = [];
  for (let i = 0; i < 40; i++) people.push((await tree.person(`person-${i}`)).userId);
});
afterAll(() => test.drop());

describe('many people at once', () => {
  it('are let into a group by as many statements as one', async () => {
    const letIn = async (ids: number[]) => {
      const group = await tree.group(`group-${ids.length}`);
      const cost = await costOf(() => tree.tx((tx) => addMembers(tx, tree.admin, { id: group.id }, ids)));
      const members = await tree.tx((tx) => membersOf(tx, tree.repository.repositoryId, [group.id]));
      return { cost, members: members.get(group.id) };
    };
    const one = await letIn(people.slice(0, 1));
    expect(await letIn(people)).toEqual({ cost: one.cost, members: people });
  });

  it('are given permissions by as many statements as one, and lose them so', async () => {
    const set = (ids: number[], permissions: ['See'] | []) => {
      const grants = ids.map((id) => ({ identity: { id }, permissions }));
      return costOf(() => tree.tx((tx) => changePermissions(tx, tree.admin, { id: wellKnown.content }, { grants })));
    };
    const given = async () => (await tree.tx((tx) => readPermissions(tx, tree.admin, { id: wellKnown.content }))).own;
    const before = await given();
    const one = await set(people.slice(0, 1), ['See']);
    expect(await set(people, ['See'])).toEqual(one);
    expect(await given()).toHaveLength(before.length + people.length);
    expect(await set(people, [])).toEqual(one);
    expect(await given()).toEqual(before);
  });
});
