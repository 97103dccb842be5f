import { audit } from '@latchkey/access';
import {
  changePermissions,
  permissionNames,
  readNode,
  readNodes,
  readPermissions,
  restoreContent,
  type Address,
  type ContentEntity,
  type ContentPermissionName,
  type Grant,
  type PermissionChange,
} from '@latchkey/content';
import { json, noContent } from './answer.js';
import { present } from './expand.js';
import { badRequest } from './odata/fault.js';
import { parseOperationOptions } from './odata/options.js';
import { parameter, textParameter, type Operation, type OperationCall } from './operation.js';

/** Entries that one call may set. */
const maxEntries = 500;

/**
 * Says who may do what on a content and below it: `{ r: [{ identity, localOnly?, See?: "allow", … }] }`, or breaks or mends
 * inheritance: `{ inheritance: "break" | "unbreak" }`. What an entry does not allow, its identity does not have there.
 */
const setPermissions: Operation = {
  name: 'SetPermissions',
  isFunction: false,
  run: async (call) => {
    const { request } = call;
    const change = readChange(call);
    await request.write(async (tx) => {
      const node = await readNode(tx, request.caller, call.address);
      await changePermissions(tx, request.caller, { id: node.id }, { ...change, ifVersion: request.ifVersion });
      const target = { repositoryId: request.repository.id, targetKind: 'content', targetId: String(node.id) };
      const details = { inheritance: change.inheritance ?? null, entries: change.grants?.length ?? 0 };
      await audit(tx, request.actor, { action: 'content.permissions-changed', ...target, details });
    });
    return noContent;
  },
};

function readChange(call: OperationCall): PermissionChange {
  const inheritance = textParameter(call, 'inheritance').toLowerCase();
  const known = { '': undefined, break: 'break', unbreak: 'inherit' } as const;
  if (!Object.hasOwn(known, inheritance)) throw badRequest('inheritance must be break or unbreak.');
  const entries = parameter(call, 'r') ?? [];
  if (!Array.isArray(entries)) throw badRequest('r must be a list of entries.');
  if (entries.length > maxEntries) throw badRequest(`r may hold at most ${maxEntries} entries.`);
  if (entries.length === 0 && inheritance === '') throw badRequest('r or inheritance must say what to change.');
  return { inheritance: known[inheritance as keyof typeof known], grants: entries.map(readEntry) };
}

/** Values as existing clients send them. */
const values: Record<string, boolean> = { allow: true, allowed: true, '1': true, true: true, undefined: false, '0': false, false: false };

function readEntry(entry: unknown): NonNullable<PermissionChange['grants']>[number] {
  if (typeof entry !== 'object' || entry === null) throw badRequest('r: an entry must be an object.');
  const members = Object.entries(entry as Record<string, unknown>).map(([name, value]) => [name.toLowerCase(), String(value)] as const);
  const permissions: ContentPermissionName[] = [];
  let identity: Address | undefined;
  let hereOnly = false;
  for (const [name, value] of members) {
    const permission = permissionNames.find((known) => known.toLowerCase() === name);
    if (name === 'identity') identity = /^\d{1,9}$/.test(value) ? { id: Number(value) } : { path: value };
    else if (name === 'localonly') hereOnly = value.toLowerCase() === 'true';
    else if (!permission) throw badRequest(`r: ${JSON.stringify(name)} is none of identity, localOnly, ${permissionNames.join(', ')}.`);
    else if (!Object.hasOwn(values, value.toLowerCase()))
      throw badRequest(`r: ${permission} must be allow or undefined. There is no denying here.`);
    else if (values[value.toLowerCase()]) permissions.push(permission);
  }
  if (!identity) throw badRequest('r: an entry must name its identity, by path or id.');
  return { identity, permissions, hereOnly };
}

/** Who may do what on a content, and from where they have it. For those who may do everything there. */
const getPermissions: Operation = {
  name: 'GetPermissions',
  isFunction: true,
  run: async ({ request, address }) =>
    request.read(async (tx) => {
      const node = await readNode(tx, request.caller, address);
      const { broken, own, inherited } = await readPermissions(tx, request.caller, { id: node.id });
      const entries: (Grant & { nodeId: number })[] = [...own.map((grant) => ({ ...grant, nodeId: node.id })), ...inherited];
      const known = await readNodes(tx, request.caller, [...new Set(entries.flatMap(({ identityId, nodeId }) => [identityId, nodeId]))]);
      return json({
        id: node.id,
        path: node.path,
        inherits: !broken,
        entries: entries.map((entry) => presentEntry(entry, known)),
      });
    }),
};

function presentEntry({ identityId, nodeId, hereOnly, permissions }: Grant & { nodeId: number }, known: Map<number, ContentEntity>) {
  const identity = known.get(identityId);
  return {
    identity: { id: identityId, path: identity?.path ?? null, name: identity?.name ?? null, kind: identity?.type.toLowerCase() ?? null },
    from: known.get(nodeId)?.path ?? null,
    propagates: !hereOnly,
    permissions: permissionNames.filter((name) => permissions.has(name)),
  };
}

/** Takes a content out of the trash: to where it was, or to `destination`; with `newname` a free name if its own is taken. */
const restore: Operation = {
  name: 'Restore',
  isFunction: false,
  run: async (call) => {
    const { request } = call;
    const destination = textParameter(call, 'destination');
    const onConflict = /^true$/i.test(textParameter(call, 'newname')) ? 'rename' : 'refuse';
    const to = destination === '' ? {} : { to: { path: destination } };
    return request.write(async (tx) => {
      const restored = await restoreContent(tx, request.caller, call.address, { ...to, onConflict, ifVersion: request.ifVersion });
      const [shown] = await present(tx, request, [restored], parseOperationOptions(request.query));
      return json({ d: shown });
    });
  },
};

export const contentOperations = [setPermissions, getPermissions, restore];
