import fc from 'fast-check';
import { createTestDatabase, type TestDatabase } from '@latchkey/database/testing';
import type { Expression } from './filter.js';
import { hereOnly, permissionBits } from './permissions.js';
import { countCollection, findNode, readCollection, type Query } from './read.js';
import { Model } from './testing/model.js';
import { TestTree } from './testing/tree.js';
import { wellKnown } from './well-known.js';

/*
 * Generated trees, permissions, groups and filters give the same answer as a plain model of the same rows. The seed is in the
 * report of a failure; MODEL_CASES sets how many there are, MODEL_SEED which.
 */

const cases = Number(process.env['MODEL_CASES'] ?? 150);
const seed = Number(process.env['MODEL_SEED'] ?? Date.now() % 1_000_000_000);

let test: TestDatabase;
let tree: TestTree;
let users: number[];
let groups: number[];
let base: number;

beforeAll(async () => {
  test = await createTestDatabase();
  tree = await TestTree.make(test);
  users = [(await tree.person('u0')).userId, (await tree.person('u1')).userId];
  groups = [];
  for (const name of ['g0', 'g1', 'g2']) groups.push((await tree.group(name)).id);
  base = (await tree.create('/Root/base')).id;
});
let asked = 0;
afterAll(async () => {
  await test.drop();
  if (process.env['MODEL_CASES']) process.stdout.write(`MODEL_SEED=${seed}: ${cases} trees, ${asked} questions\n`);
});

interface Row {
  id: number;
  parent: number;
  path: string;
  type: string;
  fields: { Index?: number; DisplayName?: string };
  permissionPath: number[];
}

interface World {
  nodes: { above: number; type: string; index: number | null; text: string | null; breaks: boolean }[];
  grants: { node: number; identity: number; bits: number; here: boolean }[];
  members: { group: number; member: number }[];
  questions: Question[];
}

interface Question {
  filter: Expression;
  reader: number;
  reach: Query['reach'];
  container: number;
}

const texts = fc.constantFrom('a', 'b', 'ab', "o'b", '%', 'Ä', '');
const leaf: fc.Arbitrary<Expression> = fc.oneof(
  fc.record({
    kind: fc.constant('compare' as const),
    field: fc.constantFrom('Index', 'index'),
    comparison: fc.constantFrom('eq' as const, 'ne' as const, 'gt' as const, 'ge' as const, 'lt' as const, 'le' as const),
    value: fc.oneof(fc.integer({ min: -2, max: 3 }), fc.constant(null)),
  }),
  fc.record({
    kind: fc.constant('text' as const),
    test: fc.constantFrom('contains' as const, 'startswith' as const, 'endswith' as const),
    field: fc.constant('DisplayName'),
    value: texts,
  }),
  fc.record({ kind: fc.constant('isOf' as const), type: fc.constantFrom('Folder', 'Workspace', 'File') }),
);
const { filter: filters } = fc.letrec<{ filter: Expression }>((tie) => ({
  filter: fc.oneof(
    { maxDepth: 3 },
    leaf,
    fc.record({ kind: fc.constantFrom('and' as const, 'or' as const), terms: fc.array(tie('filter'), { minLength: 1, maxLength: 3 }) }),
    fc.record({ kind: fc.constant('not' as const), term: tie('filter') }),
  ),
}));

const worlds: fc.Arbitrary<World> = fc.record({
  nodes: fc.array(
    fc.record({
      above: fc.nat(30),
      type: fc.constantFrom('Folder', 'Workspace', 'File'),
      index: fc.option(fc.integer({ min: -2, max: 3 })),
      text: fc.option(texts),
      breaks: fc.boolean(),
    }),
    { minLength: 1, maxLength: 14 },
  ),
  grants: fc.array(fc.record({ node: fc.nat(30), identity: fc.nat(5), bits: fc.integer({ min: 1, max: 31 }), here: fc.boolean() }), {
    maxLength: 10,
  }),
  members: fc.array(fc.record({ group: fc.nat(2), member: fc.nat(4) }), { maxLength: 6 }),
  questions: fc.array(
    fc.record({
      filter: filters,
      reader: fc.nat(1),
      reach: fc.constantFrom('children' as const, 'subtree' as const),
      container: fc.nat(30),
    }),
    { minLength: 1, maxLength: 8 },
  ),
});

const firstId = 500_000;

function rowsOf({ nodes }: World): Row[] {
  const rows: Row[] = [{ id: base, parent: wellKnown.root, path: '/Root/base', type: 'Folder', fields: {}, permissionPath: [base] }];
  nodes.forEach(({ above, type, index, text, breaks }, i) => {
    const parent = rows[above % rows.length] as Row;
    const id = firstId + i;
    const fields = { ...(index === null ? {} : { Index: index }), ...(text === null ? {} : { DisplayName: text }) };
    const permissionPath = breaks ? [id] : [...parent.permissionPath, id];
    rows.push({ id, parent: parent.id, path: `${parent.path}/n${i}`, type, fields, permissionPath });
  });
  return rows;
}

const identityAt = (number: number) => [...users, ...groups, wellKnown.everyone][number] as number;

/** What the reader may do on a node, and which nodes meet a filter for it. */
function answersOf(model: Model, user: number) {
  const bitsOn = (row: Row) => model.bits(user, row.id);
  const sees = (row: Row) => (bitsOn(row) & permissionBits.See) !== 0;
  const opens = (row: Row) => (bitsOn(row) & permissionBits.Open) !== 0;
  const holds = (expression: Expression, row: Row): boolean => {
    const fields = opens(row) ? row.fields : {};
    switch (expression.kind) {
      case 'and':
        return expression.terms.every((term) => holds(term, row));
      case 'or':
        return expression.terms.some((term) => holds(term, row));
      case 'not':
        return !holds(expression.term, row);
      case 'isOf':
        return row.type === expression.type || (expression.type === 'Folder' && row.type === 'Workspace');
      case 'text': {
        const { value, test: kind } = expression;
        const text = fields.DisplayName;
        if (text === undefined) return false;
        return kind === 'contains' ? text.includes(value) : kind === 'startswith' ? text.startsWith(value) : text.endsWith(value);
      }
      case 'compare':
        return compare(fields.Index ?? null, expression.comparison, expression.value as number | null);
      default:
        throw new Error(`The model knows no ${expression.kind}`);
    }
  };
  return { sees, opens, holds, bitsOn };
}

function compare(left: number | null, comparison: string, right: number | null): boolean {
  if (comparison === 'eq') return left === right;
  if (comparison === 'ne') return left !== right;
  if (left === null || right === null) return false;
  return { gt: left > right, ge: left >= right, lt: left < right, le: left <= right }[comparison] ?? false;
}

function modelOf(world: World, rows: Row[]): Model {
  const model = new Model();
  for (const { id, parent, path, type, fields, permissionPath } of rows) {
    const name = path.slice(path.lastIndexOf('/') + 1);
    model.add({ id, parent: id === base ? undefined : parent, name, type, fields, breaks: permissionPath.length === 1 });
  }
  for (const { node, identity, bits, here } of world.grants)
    model.give((rows[node % rows.length] as Row).id, identityAt(identity), { bits, hereOnly: here });
  for (const { group, member } of world.members) model.members.push({ group: groups[group] as number, member: identityAt(member) });
  return model;
}

async function store(world: World, rows: Row[]): Promise<void> {
  const { repositoryId, tenantId } = tree.repository;
  const nodes = rows
    .slice(1)
    .map(({ permissionPath, ...row }) => ({ ...row, permission_path: permissionPath, name: row.path.split('/').at(-1) }));
  const grants = new Map<string, { node_id: number; identity_id: number; bits: number }>();
  for (const { node, identity, bits, here } of world.grants) {
    const [node_id, identity_id] = [(rows[node % rows.length] as Row).id, identityAt(identity)];
    const key = `${node_id} ${identity_id}`;
    grants.set(key, { node_id, identity_id, bits: (grants.get(key)?.bits ?? 0) | (here ? hereOnly(bits) : bits) });
  }
  const members = [...new Set(world.members.map(({ group, member }) => `${groups[group]} ${identityAt(member)}`))].map((pair) =>
    pair.split(' '),
  );
  const quoted = (value: unknown) => `'${JSON.stringify(value).replaceAll("'", "''")}'`;
  await test.owner.query(`
    DELETE FROM content_permissions WHERE repository_id = '${repositoryId}' AND node_id = ANY (SELECT id FROM content_nodes WHERE id >= ${firstId} OR id = ${base});
    DELETE FROM content_group_members WHERE repository_id = '${repositoryId}' AND group_id <> ${wellKnown.administrators};
    DELETE FROM content_nodes WHERE repository_id = '${repositoryId}' AND id >= ${firstId};
    UPDATE content_nodes SET permission_path = ARRAY[${base}] WHERE repository_id = '${repositoryId}' AND id = ${base};
    INSERT INTO content_nodes (repository_id, tenant_id, id, parent_id, name, path, type, fields, permission_path, created_by, modified_by)
    SELECT '${repositoryId}', '${tenantId}', n.id, n.parent, n.name, n.path, n.type, n.fields, n.permission_path, 1, 1
    FROM jsonb_to_recordset(${quoted(nodes)}) AS n (id integer, parent integer, name text, path text, type text, fields jsonb, permission_path integer[]);
    INSERT INTO content_permissions (repository_id, tenant_id, node_id, identity_id, bits)
    SELECT '${repositoryId}', '${tenantId}', p.node_id, p.identity_id, p.bits
    FROM jsonb_to_recordset(${quoted([...grants.values()])}) AS p (node_id integer, identity_id integer, bits integer);
    INSERT INTO content_group_members (repository_id, tenant_id, group_id, member_id)
    SELECT '${repositoryId}', '${tenantId}', (m ->> 0)::integer, (m ->> 1)::integer FROM jsonb_array_elements(${quoted(members)}) m`);
}

async function compareAnswer(rows: Row[], model: Model, question: Question): Promise<void> {
  const caller = tree.callerOf(identityAt(question.reader));
  const { sees, opens, holds, bitsOn } = answersOf(model, caller.userId);
  const container = rows[question.container % rows.length] as Row;
  const query = { reach: question.reach, filter: question.filter };
  const got = await tree.tx(async (tx) => {
    const found = await findNode(tx, caller, { id: container.id });
    if (!found) return undefined;
    const page = await readCollection(tx, caller, { path: container.path }, query);
    return { found, page, count: await countCollection(tx, caller, { id: container.id }, query) };
  });
  if (!sees(container)) return expect(got).toBeUndefined();
  const isIn = (row: Row) => (question.reach === 'children' ? row.parent === container.id : row.path.startsWith(`${container.path}/`));
  const expected = rows.filter((row) => isIn(row) && sees(row) && holds(question.filter, row));
  expect(got?.page.map(({ id, fields }) => [id, fields])).toEqual(expected.map((row) => [row.id, opens(row) ? row.fields : undefined]));
  expect(got?.count).toBe(expected.length);
  expect([...(got?.found.permissions ?? [])].reduce((sum, name) => sum | permissionBits[name], 0)).toBe(bitsOn(container));
}

it('answers as the model does', async () => {
  await fc.assert(
    fc.asyncProperty(worlds, async (world) => {
      const rows = rowsOf(world);
      await store(world, rows);
      const model = modelOf(world, rows);
      for (const question of world.questions) {
        asked += 1;
        await compareAnswer(rows, model, question);
      }
    }),
    { numRuns: cases, seed, includeErrorInReport: true },
  );
});
