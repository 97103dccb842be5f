import fc from 'fast-check';
import { Problem } from '@latchkey/contracts';
import { createTestDatabase, type TestDatabase } from '@latchkey/database/testing';
import type { Caller } from './caller.js';
import { addMembers, removeMembers } from './groups.js';
import { copyContent, moveContent } from './move.js';
import { changePermissions } from './node-permissions.js';
import { namesOf } from './node.js';
import { permissionBits } from './permissions.js';
import { readCollection } from './read.js';
import { Model, type ModelNode } from './testing/model.js';
import { TestTree } from './testing/tree.js';
import { deleteContent, restoreContent } from './trash.js';
import { wellKnown } from './well-known.js';
import { createContent } from './write.js';

/*
 * Generated changes of generated trees, by people with generated permissions: each is carried out or refused as the plain model
 * says, and at the end everyone sees what the model says. CHANGES_CASES sets how many trees there are, MODEL_SEED which; the
 * seed is in the report of a failure.
 */

const cases = Number(process.env['CHANGES_CASES'] ?? 30);
const seed = Number(process.env['MODEL_SEED'] ?? Date.now() % 1_000_000_000);

let test: TestDatabase;
let tree: TestTree;
let users: number[];
let groups: number[];
let base: number;
let changes = 0;
let refusals = 0;

beforeAll(async () => {
  test = await createTestDatabase();
  tree = await TestTree.make(test);
  users = [(await tree.person('u0')).userId, (await tree.person('u1')).userId];
  groups = [];
  for (const name of ['g0', 'g1', 'g2']) groups.push((await tree.group(name)).id);
  base = (await tree.create('/Root/base')).id;
  await tree.breakInheritance({ id: base });
});
afterAll(async () => {
  await test.drop();
  if (process.env['CHANGES_CASES']) process.stdout.write(`MODEL_SEED=${seed}: ${cases} trees, ${changes} changes, ${refusals} refused\n`);
});

const everything = 31;
const permissions = fc.oneof(fc.integer({ min: 1, max: 31 }), fc.constant(everything));
const types = fc.constantFrom('Folder', 'Workspace', 'File');
/** Which node, user or group, by its place in a list. */
const pick = fc.nat(30);

const changeKinds = fc.oneof(
  fc.record({ kind: fc.constant('create' as const), actor: pick, node: pick, name: fc.constantFrom('a', 'B', 'n1', 'n2'), type: types }),
  fc.record({ kind: fc.constant('move' as const), actor: pick, node: pick, target: pick }),
  fc.record({ kind: fc.constant('copy' as const), actor: pick, node: pick, target: pick }),
  fc.record({ kind: fc.constant('delete' as const), actor: pick, node: pick, permanent: fc.boolean() }),
  fc.record({ kind: fc.constant('restore' as const), actor: pick, node: pick, target: fc.option(pick) }),
  fc.record({ kind: fc.constant('give' as const), actor: pick, node: pick, identity: fc.nat(4), bits: fc.nat(31), hereOnly: fc.boolean() }),
  fc.record({ kind: fc.constant('break' as const), actor: pick, node: pick, keepInherited: fc.boolean() }),
  fc.record({ kind: fc.constant('inherit' as const), actor: pick, node: pick }),
  fc.record({ kind: fc.constantFrom('join' as const, 'leave' as const), group: fc.nat(2), member: fc.nat(4) }),
  fc.record({ kind: fc.constantFrom('delete group' as const, 'restore group' as const), group: fc.nat(2) }),
);
type Change = typeof changeKinds extends fc.Arbitrary<infer T> ? T : never;

const worlds = fc.record({
  nodes: fc.array(fc.record({ above: pick, type: types, index: fc.nat(3), breaks: fc.boolean() }), { minLength: 1, maxLength: 10 }),
  grants: fc.array(fc.record({ node: pick, identity: fc.nat(5), bits: permissions, here: fc.boolean() }), { maxLength: 8 }),
  members: fc.array(fc.record({ group: fc.nat(2), member: fc.nat(4) }), { maxLength: 4 }),
  changes: fc.array(changeKinds, { minLength: 1, maxLength: 8 }),
});

const firstId = 500_000_000;

/** Users, groups and Everyone. */
const identityAt = (number: number) => [...users, ...groups, wellKnown.everyone][number] as number;

/** The generated tree before any change. */
function modelOf(world: typeof worlds extends fc.Arbitrary<infer T> ? T : never): Model {
  const model = new Model();
  model.add({ id: base, parent: undefined, name: 'base', type: 'Folder', fields: {}, breaks: true });
  model.members.push({ group: wellKnown.administrators, member: wellKnown.publicAdmin });
  const ids = [base];
  world.nodes.forEach(({ above, type, index, breaks }, i) => {
    const parent = ids[above % ids.length] as number;
    const wanted = 'aBcd'[index] as string;
    const name = model.isTaken(parent, wanted) ? `n${i}` : wanted;
    model.add({ id: firstId + i, parent, name, type, fields: { Index: i }, breaks });
    ids.push(firstId + i);
  });
  for (const { id, breaks } of model.nodes.values())
    if (breaks) model.give(id, wellKnown.administrators, { bits: everything, hereOnly: false });
  for (const { node, identity, bits, here } of world.grants)
    model.give(ids[node % ids.length] as number, identityAt(identity), { bits, hereOnly: here });
  for (const { group, member } of world.members) {
    const [groupId, memberId] = [groups[group] as number, identityAt(member)];
    const isMember = model.members.some((known) => known.group === groupId && known.member === memberId);
    if (!isMember && !model.identitiesOf(groupId).has(memberId)) model.members.push({ group: groupId, member: memberId });
  }
  return model;
}

async function store(model: Model): Promise<void> {
  const { repositoryId, tenantId } = tree.repository;
  const quoted = (value: unknown) => `'${JSON.stringify(value).replaceAll("'", "''")}'`;
  const nodes = [...model.nodes.values()]
    .filter(({ id }) => id !== base)
    .map((node) => ({ ...node, path: model.path(node.id), permission_path: model.chain(node.id) }));
  const grants = [...model.grants].flatMap(([node_id, ofNode]) =>
    [...ofNode].map(([identity_id, given]) => ({
      node_id,
      identity_id,
      bits: given.reduce((bits, grant) => bits | (grant.hereOnly ? grant.bits << 8 : grant.bits), 0),
    })),
  );
  const members = model.members.filter(({ group }) => group !== wellKnown.administrators);
  await test.owner.query(`
    DELETE FROM content_trash WHERE repository_id = '${repositoryId}';
    UPDATE content_nodes SET parent_id = 13, name = g.name, path = '/Root/IMS/Public/' || g.name
      FROM unnest(ARRAY[${groups.join()}], ARRAY['g0', 'g1', 'g2']) AS g (id, name) WHERE repository_id = '${repositoryId}' AND content_nodes.id = g.id;
    DELETE FROM content_permissions WHERE repository_id = '${repositoryId}' AND node_id = ANY (SELECT id FROM content_nodes WHERE id >= ${base} AND repository_id = '${repositoryId}');
    DELETE FROM content_group_members WHERE repository_id = '${repositoryId}' AND group_id <> ${wellKnown.administrators};
    DELETE FROM content_nodes WHERE repository_id = '${repositoryId}' AND id > ${base};
    UPDATE content_nodes SET permission_path = ARRAY[${base}] WHERE repository_id = '${repositoryId}' AND id = ${base};
    INSERT INTO content_nodes (repository_id, tenant_id, id, parent_id, name, path, type, fields, permission_path, created_by, modified_by)
    SELECT '${repositoryId}', '${tenantId}', n.id, n.parent, n.name, n.path, n.type, n.fields, n.permission_path, 1, 1
    FROM jsonb_to_recordset(${quoted(nodes)}) AS n (id integer, parent integer, name text, path text, type text, fields jsonb, permission_path integer[]);
    INSERT INTO content_permissions (repository_id, tenant_id, node_id, identity_id, bits)
    SELECT '${repositoryId}', '${tenantId}', p.node_id, p.identity_id, p.bits
    FROM jsonb_to_recordset(${quoted(grants)}) AS p (node_id integer, identity_id integer, bits integer);
    INSERT INTO content_group_members (repository_id, tenant_id, group_id, member_id)
    SELECT '${repositoryId}', '${tenantId}', m.group_id, m.member_id
    FROM jsonb_to_recordset(${quoted(members.map(({ group, member }) => ({ group_id: group, member_id: member })))}) AS m (group_id integer, member_id integer)`);
}

/** What may be said of a change that is refused; a change of which nothing can be said must be carried out. */
type Reason = 'not-found' | 'forbidden' | 'invalid-request' | 'already-exists' | 'conflict';

/** One change, ready to be made: why it must be refused, how it is made, and what it does to the model. */
interface Planned {
  reasons: Set<Reason>;
  make: () => Promise<unknown>;
  apply: (made: unknown) => Promise<void> | void;
}

/** Collects why a change must be refused. */
class Reasons extends Set<Reason> {
  on(condition: boolean, reason: Reason): this {
    return condition ? this.add(reason) : this;
  }
}

const callers = new Map<number, Caller>();
const callerOf = (user: number) => callers.get(user) ?? callers.set(user, tree.callerOf(user)).get(user)!;

/** Ids that the real tree gave to what the model does not know yet, by path. */
async function idsBelow(path: string): Promise<Map<string, number>> {
  const made = await tree.tx((tx) => readCollection(tx, callerOf(wellKnown.publicAdmin), { path }, { reach: 'subtree' }));
  return new Map(made.map((node) => [node.path, node.id]));
}

/** @returns nothing for a change of what is around the model. */
function plan(model: Model, change: Change): Planned | undefined {
  const ids = [...model.nodes.keys()].toSorted((a, b) => a - b);
  const at = (number: number) => ids[number % ids.length] as number;
  const actor = 'actor' in change ? ([...users, wellKnown.publicAdmin][change.actor % 3] as number) : wellKnown.publicAdmin;
  const caller = callerOf(actor);
  const node = 'node' in change ? model.node(at(change.node)) : model.node(base);
  const target = 'target' in change && change.target !== null ? model.node(at(change.target)) : undefined;
  if (node.id === base && ['move', 'delete', 'break', 'inherit'].includes(change.kind)) return undefined;
  const reasons = new Reasons().on('node' in change && !model.may(actor, 'See', node.id), 'not-found');
  const lacks = (permission: 'Delete' | 'Open') => model.subtree(node.id).some(({ id }) => !model.may(actor, permission, id));
  /** What moving, copying and restoring demand of the place. */
  const mustTake = (parent: ModelNode, type: string) =>
    reasons
      .on(!model.may(actor, 'See', parent.id), 'not-found')
      .on(model.isInTrash(parent.id), 'conflict')
      .on(!model.may(actor, 'AddNew', parent.id), 'forbidden')
      .on(!model.takes(parent.type, type), 'invalid-request');
  const isBelowItself = (parent: ModelNode) => model.subtree(node.id).includes(parent);

  switch (change.kind) {
    case 'create': {
      const { name, type } = change;
      mustTake(node, type).on(model.isTaken(node.id, name), 'already-exists');
      return {
        reasons,
        make: () => tree.tx((tx) => createContent(tx, caller, { id: node.id }, { type, name, fields: {} })),
        apply: (made) =>
          model.add({ id: (made as { id: number }).id, parent: node.id, name, type, fields: { DisplayName: name }, breaks: false }),
      };
    }
    case 'move': {
      const parent = target ?? node;
      mustTake(parent, node.type)
        .on(model.isInTrash(node.id), 'conflict')
        .on(lacks('Delete'), 'forbidden')
        .on(isBelowItself(parent), 'invalid-request')
        .on(node.parent !== parent.id && model.isTaken(parent.id, node.name), 'already-exists');
      return {
        reasons,
        make: () => tree.tx((tx) => moveContent(tx, caller, { id: node.id }, { id: parent.id })),
        apply: () => void (node.parent = parent.id),
      };
    }
    case 'copy': {
      const parent = target ?? node;
      mustTake(parent, node.type)
        .on(model.isInTrash(node.id), 'conflict')
        .on(lacks('Open'), 'forbidden')
        .on(isBelowItself(parent), 'invalid-request');
      return {
        reasons,
        make: () => tree.tx((tx) => copyContent(tx, caller, { id: node.id }, { id: parent.id })),
        apply: async (made) => {
          const { id, path } = made as { id: number; path: string };
          const real = (await idsBelow(path)).set(path, id);
          const name = model.freeName(parent.id, node.name);
          const copies = new Map<number, number>([[node.parent ?? 0, parent.id]]);
          const from = model.path(node.id);
          for (const original of model.subtree(node.id)) {
            const copy = real.get(`${model.path(parent.id)}/${name}${model.path(original.id).slice(from.length)}`);
            if (copy === undefined) throw new Error(`Nothing was copied from ${model.path(original.id)}`);
            copies.set(original.id, copy);
            const above = copies.get(original.parent ?? 0);
            model.add({ ...original, id: copy, parent: above, name: original === node ? name : original.name, breaks: false });
          }
        },
      };
    }
    case 'delete': {
      reasons.on(lacks('Delete'), 'forbidden');
      const { permanent } = change;
      return {
        reasons,
        make: () => tree.tx((tx) => deleteContent(tx, caller, { id: node.id }, { permanent })),
        apply: () => {
          if (permanent || model.isInTrash(node.id)) return model.erase(node.id);
          const above = node.breaks ? [] : model.chain(node.id).slice(0, -1);
          node.was = { parent: node.parent ?? 0, name: node.name, above };
        },
      };
    }
    case 'restore': {
      const parent = target ?? model.nodes.get(node.was?.parent ?? 0);
      reasons.on(!node.was, 'invalid-request').on(lacks('Delete'), 'forbidden');
      if (parent && node.was) {
        // Without a place of its own, one that is not there for the caller is a conflict.
        if (!target && !model.may(actor, 'See', parent.id)) reasons.add('conflict');
        mustTake(parent, node.type).on(model.isTaken(parent.id, node.was.name), 'already-exists');
      } else reasons.add('conflict');
      return {
        reasons,
        make: () => tree.tx((tx) => restoreContent(tx, caller, { id: node.id }, target ? { to: { id: target.id } } : {})),
        apply: () => {
          Object.assign(node, { parent: parent?.id, name: node.was?.name });
          delete node.was;
        },
      };
    }
    case 'give': {
      const identity = identityAt(change.identity);
      const grant = { identity: { id: identity }, permissions: namesOf(change.bits), hereOnly: change.hereOnly };
      reasons
        .on(model.isInTrash(node.id), 'conflict')
        .on(!model.mayEverything(actor, node.id), 'forbidden')
        // People see no other people, and no groups, unless somebody lets them.
        .on(actor !== wellKnown.publicAdmin && actor !== identity, 'invalid-request');
      return {
        reasons,
        make: () => tree.tx((tx) => changePermissions(tx, caller, { id: node.id }, { grants: [grant] })),
        apply: () => {
          model.grants.get(node.id)?.delete(identity);
          if (change.bits) model.give(node.id, identity, { bits: change.bits, hereOnly: change.hereOnly });
        },
      };
    }
    case 'break':
    case 'inherit': {
      reasons.on(model.isInTrash(node.id), 'conflict').on(!model.mayEverything(actor, node.id), 'forbidden');
      const wish =
        change.kind === 'break'
          ? { inheritance: 'break' as const, keepInherited: change.keepInherited }
          : { inheritance: 'inherit' as const };
      return {
        reasons,
        make: () => tree.tx((tx) => changePermissions(tx, caller, { id: node.id }, wish)),
        apply: () => (change.kind === 'break' ? model.break(node.id, change.keepInherited) : model.inheritAgain(node.id)),
      };
    }
    case 'join':
    case 'leave': {
      const [group, member] = [groups[change.group] as number, identityAt(change.member)];
      const isMember = model.members.some((known) => known.group === group && known.member === member);
      const joins = change.kind === 'join';
      // Who belongs to whom, groups in the trash with it: they may come back.
      const above = new Set([group]);
      for (const id of above) for (const known of model.members) if (known.member === id) above.add(known.group);
      reasons.on(joins && above.has(member), 'invalid-request').on(model.trashedGroups.has(group), 'conflict');
      reasons.on(joins && model.trashedGroups.has(member), 'conflict');
      return {
        reasons,
        make: () => tree.tx((tx) => (joins ? addMembers : removeMembers)(tx, caller, { id: group }, [member])),
        apply: () => {
          if (joins && !isMember) model.members.push({ group, member });
          const rest = model.members.filter((known) => known.group !== group || known.member !== member);
          if (!joins) model.members.splice(0, model.members.length, ...rest);
        },
      };
    }
    case 'delete group':
    case 'restore group': {
      const group = groups[change.group] as number;
      const isTrashed = model.trashedGroups.has(group);
      const deletes = change.kind === 'delete group';
      // One that is deleted twice would be gone.
      if (deletes === isTrashed) return undefined;
      return {
        reasons,
        make: () =>
          tree.tx<unknown>((tx) => (deletes ? deleteContent(tx, caller, { id: group }) : restoreContent(tx, caller, { id: group }))),
        apply: () => void (deletes ? model.trashedGroups.add(group) : model.trashedGroups.delete(group)),
      };
    }
  }
}

/** What somebody sees of the tree and of the trash. */
async function seenBy(user: number, model: Model): Promise<unknown[]> {
  const caller = callerOf(user);
  const found = await tree.tx(async (tx) => [
    ...(model.may(user, 'See', base) ? await readCollection(tx, caller, { id: base }, { reach: 'subtree' }) : []),
    ...(await readCollection(tx, caller, { id: wellKnown.trash }, { reach: 'subtree' })),
  ]);
  return found
    .filter(({ id }) => !groups.includes(id))
    .map(({ id, path, type, fields }) => ({ id, path, type, fields }))
    .toSorted((a, b) => a.id - b.id);
}

function expectedOf(user: number, model: Model): unknown[] {
  const isThere = ({ id }: ModelNode) => id !== base && model.may(user, 'See', id) && (model.isInTrash(id) || model.may(user, 'See', base));
  return [...model.nodes.values()]
    .filter(isThere)
    .map(({ id, type, fields }) => ({ id, path: model.path(id), type, fields: model.may(user, 'Open', id) ? fields : undefined }))
    .toSorted((a, b) => a.id - b.id);
}

it('is changed and refused as the model says, and seen as it says', async () => {
  await fc.assert(
    fc.asyncProperty(worlds, async (world) => {
      const model = modelOf(world);
      await store(model);
      for (const change of world.changes) {
        const planned = plan(model, change);
        if (!planned) continue;
        const { reasons, make, apply } = planned;
        changes += 1;
        const outcome = await make().then(
          (made) => ({ made }),
          (error: unknown) => ({ refused: error instanceof Problem ? error.type : String(error) }),
        );
        if ('refused' in outcome) {
          refusals += 1;
          expect([change, [...reasons]]).toEqual([change, expect.arrayContaining([outcome.refused])]);
        } else {
          expect([change, [...reasons]]).toEqual([change, []]);
          await apply(outcome.made);
        }
      }
      for (const user of [...users, wellKnown.publicAdmin]) {
        expect([user, await seenBy(user, model)]).toEqual([user, expectedOf(user, model)]);
        for (const { id } of model.nodes.values())
          if (model.may(user, 'See', id)) {
            const { permissions: held } = await tree.read(callerOf(user), { id });
            expect([id, [...held].reduce((sum, name) => sum | permissionBits[name], 0)]).toEqual([id, model.bits(user, id)]);
            break;
          }
      }
    }),
    { numRuns: cases, seed, includeErrorInReport: true },
  );
});
