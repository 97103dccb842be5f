import { audit } from '@latchkey/access';
import { addMembers, readNode, readNodes, removeMembers, rolesOf, type Caller, type Address } from '@latchkey/content';
import type { EntityManager } from '@latchkey/database';
import { json, noContent } from './answer.js';
import { present } from './expand.js';
import { badRequest, ODataFault } from './odata/fault.js';
import { parseOperationOptions } from './odata/options.js';
import { parameter, textParameter, type Operation, type OperationCall } from './operation.js';
import { changePersonContent } from './people.js';

/** Members that one call may let in or take out. */
const maxMembers = 1_000;

type Change = (tx: EntityManager, caller: Caller, address: Address, ids: number[], ifVersion?: number) => ReturnType<typeof addMembers>;

/** Lets users and groups, named by their ids, into a group, or takes them out of it. */
function membership(name: string, action: string, change: Change): Operation {
  return {
    name,
    isFunction: false,
    run: async (call) => {
      const ids = readIds(call);
      const { request } = call;
      await request.write(async (tx) => {
        const { group, changed } = await change(tx, request.caller, call.address, ids, request.ifVersion);
        const target = { repositoryId: request.repository.id, targetKind: 'group', targetId: String(group.id) };
        if (changed.length > 0) await audit(tx, request.actor, { action, ...target, details: { members: changed } });
      });
      return noContent;
    },
  };
}

function readIds(call: OperationCall): number[] {
  const value = parameter(call, 'contentIds');
  const items = typeof value === 'string' ? value.split(',') : typeof value === 'number' ? [value] : value;
  const isId = (item: unknown) => /^ *\d{1,9} *$/.test(String(item));
  if (!Array.isArray(items) || items.length === 0 || !items.every(isId)) throw badRequest('contentIds must be a list of ids.');
  if (items.length > maxMembers) throw badRequest(`contentIds may hold at most ${maxMembers} ids.`);
  return items.map(Number);
}

/** The groups that a user or group belongs to, at any depth or, with `directOnly`, those that name it. Those the caller sees. */
const getParentGroups: Operation = {
  name: 'GetParentGroups',
  isFunction: true,
  run: async (call) => {
    const { request } = call;
    const directly = /^true$/i.test(textParameter(call, 'directOnly'));
    const options = parseOperationOptions(request.query);
    return request.read(async (tx) => {
      const node = await readNode(tx, request.caller, call.address);
      if (node.type !== 'User' && node.type !== 'Group')
        throw new ODataFault(404, 'UnknownAction', 'This operation is on a user or group.');
      if (!node.fields) return json({ d: { __count: 0, results: [] } });
      const ids = (await rolesOf(tx, request.repository.id, [node.id], { directly })).get(node.id) ?? [];
      const groups = [...(await readNodes(tx, request.caller, ids)).values()];
      return json({ d: { __count: groups.length, results: await present(tx, request, groups, options) } });
    });
  },
};

/** Gives a user another password. When it answers, no node accepts a token or session that is older. */
const changePassword: Operation = {
  name: 'ChangePassword',
  isFunction: false,
  run: async (call) => {
    const password = textParameter(call, 'password');
    if (password === '') throw badRequest('password is missing.');
    const node = await call.request.read((tx) => readNode(tx, call.request.caller, call.address));
    if (node.type !== 'User') throw new ODataFault(404, 'UnknownAction', 'This operation is on a user.');
    await changePersonContent(call.request, { id: node.id }, { Password: password }, { replace: false });
    return noContent;
  },
};

export const groupOperations = [
  membership('AddMembers', 'group.members-added', addMembers),
  membership('RemoveMembers', 'group.members-removed', removeMembers),
  getParentGroups,
  changePassword,
];
