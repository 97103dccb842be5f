import {
  contentTypesOf,
  copyContent,
  moveContent,
  permissionNames,
  permissionsOf,
  readNode,
  type Address,
  type ContentEntity,
  type ContentPermissionName,
  type PermittedEntity,
} from '@latchkey/content';
import { Client, inTurn } from '@latchkey/database';
import { apiKeyOperations } from './api-key-operations.js';
import { clientOperations } from './client-operations.js';
import { contentOperations } from './content-operations.js';
import { getDashboardData } from './dashboard.js';
import { deleteNode, readPermanent } from './deletion.js';
import { errorBody, faultOf, json, plain, type Answer } from './answer.js';
import { present } from './expand.js';
import { groupOperations } from './group-operations.js';
import { trashOperations } from './trash-operations.js';
import { upload } from './uploads.js';
import { badRequest } from './odata/fault.js';
import { parseOperationOptions } from './odata/options.js';
import { presentSchema } from './odata/schema.js';
import { parameter, textParameter, type Operation, type OperationCall } from './operation.js';

/** The caller's own user, or the Visitor. It is told whatever else the credential may be used for. Two statements, one round trip. */
const getCurrentUser: Operation = {
  name: 'GetCurrentUser',
  isFunction: true,
  run: ({ request }) =>
    request.read(async (tx) => {
      const [user, types] = await inTurn(
        readNode(tx, request.caller, { id: request.caller.userId }),
        contentTypesOf(tx, request.repository.id),
      );
      const [shown] = await present(tx, request, [user], parseOperationOptions(request.query), types);
      return json({ d: shown });
    }),
};

/** The content types with their fields, the repository's own too. */
const getSchema: Operation = {
  name: 'GetSchema',
  isFunction: true,
  run: ({ request }) => request.read(async (tx) => json(presentSchema(await contentTypesOf(tx, request.repository.id)))),
};

const getRepositoryType: Operation = {
  name: 'GetRepositoryType',
  isFunction: true,
  run: async () => json({ name: 'latchkey', displayName: 'Latchkey' }),
};

/** Which default client stands behind each `clientType`. */
const clientKinds: Record<string, 'app' | 'tool'> = { client: 'tool', adminui: 'app', spa: 'app' };

/** Tells an app that knows the repository's address alone where to sign in and as which client. Anyone may ask. */
const getClientRequestParameters: Operation = {
  name: 'GetClientRequestParameters',
  isFunction: true,
  run: async (call) => {
    const { request, authorityUrls } = call;
    const type = textParameter(call, 'clientType').toLowerCase();
    const kind = Object.hasOwn(clientKinds, type) ? clientKinds[type] : undefined;
    if (!kind) return json({});
    const client = await request.read((tx) => tx.findOneBy(Client, { repositoryId: request.repository.id, kind, isDefault: true }));
    return json(client ? { authority: authorityUrls.of(request.repository.slug), type: 'IdentityServer', client_id: client.id } : {});
  },
};

/** Whether the caller, or another user or group that it sees, has all of the permissions on the content. */
const hasPermission: Operation = {
  name: 'HasPermission',
  isFunction: true,
  run: async (call) => {
    const wanted = readPermissions(call);
    const identity = textParameter(call, 'identity');
    return call.request.read(async (tx) => {
      const { caller } = call.request;
      const node = await readNode(tx, caller, call.address);
      const held =
        identity === '' ? node.permissions : await permissionsOf(tx, caller, (await readNode(tx, caller, { path: identity })).id, node.id);
      return plain(String(wanted.every((permission) => held.has(permission))));
    });
  },
};

/** From a list, or from names parted by commas. */
function readPermissions(call: OperationCall): ContentPermissionName[] {
  const value = parameter(call, 'permissions');
  const names = (Array.isArray(value) ? value.map(String) : textParameter(call, 'permissions').split(','))
    .map((name) => name.trim())
    .filter((name) => name !== '');
  if (names.length === 0) throw badRequest(`permissions must name at least one of ${permissionNames.join(', ')}.`);
  return names.map((name) => {
    const permission = permissionNames.find((known) => known.toLowerCase() === name.toLowerCase());
    if (!permission) throw badRequest(`permissions: ${JSON.stringify(name)} is none of ${permissionNames.join(', ')}.`);
    return permission;
  });
}

/** What a person can be offered to do, by the permission it takes. */
const offered: { name: string; displayName: string; icon: string; permission: ContentPermissionName }[] = [
  { name: 'Browse', displayName: 'Browse', icon: 'browse', permission: 'Open' },
  { name: 'Edit', displayName: 'Edit', icon: 'edit', permission: 'Save' },
  { name: 'Add', displayName: 'New', icon: 'add', permission: 'AddNew' },
  { name: 'Delete', displayName: 'Delete', icon: 'delete', permission: 'Delete' },
];

const actions: Operation = {
  name: 'Actions',
  isFunction: true,
  run: async ({ request, address }) => {
    const node = await request.read((tx) => readNode(tx, request.caller, address));
    return json({ d: { results: actionsOn(node) } });
  },
};

function actionsOn(node: PermittedEntity) {
  return offered
    .filter(({ permission }) => node.permissions.has(permission))
    .map(({ name, displayName, icon }, Index) => ({
      Name: name,
      DisplayName: displayName,
      Icon: icon,
      Index,
      Url: '',
      IncludeBackUrl: false,
      ClientAction: false,
      Forbidden: false,
    }));
}

/** Contents that one batch may hold. */
const maxBatch = 1_000;

/** Deletes one content after the other; each succeeds or fails by itself. */
const deleteBatch: Operation = {
  name: 'DeleteBatch',
  isFunction: false,
  run: async (call) => {
    const permanent = readPermanent(parameter(call, 'permanent'));
    return batch(call, (address, ifVersion) => deleteNode(call.request, address, { permanent, ifVersion }));
  },
};

/** Puts several contents below another, one after the other. */
const moveBatch: Operation = {
  name: 'MoveBatch',
  isFunction: false,
  run: async (call) => {
    const { request } = call;
    const target = addressOf(textParameter(call, 'targetPath'));
    return batch(call, (address, ifVersion) => request.write((tx) => moveContent(tx, request.caller, address, target, ifVersion)));
  },
};

/** Copies several contents below another, one after the other. */
const copyBatch: Operation = {
  name: 'CopyBatch',
  isFunction: false,
  run: async (call) => {
    const { request } = call;
    const target = addressOf(textParameter(call, 'targetPath'));
    return batch(call, (address, ifVersion) => request.write((tx) => copyContent(tx, request.caller, address, target, { ifVersion })));
  },
};

/** Each of the contents that `paths` names succeeds or fails by itself. */
async function batch(
  call: OperationCall,
  work: (address: Address, ifVersion: number | undefined) => Promise<ContentEntity>,
): Promise<Answer> {
  const results: unknown[] = [];
  const errors: unknown[] = [];
  for (const { item, version } of readPaths(parameter(call, 'paths'))) {
    try {
      const { id, path, name } = await work(addressOf(item), version);
      results.push({ Id: id, Path: path, Name: name });
    } catch (error) {
      errors.push(itemError(item, error));
    }
  }
  return json({ d: { __count: results.length, results, errors } });
}

/** One content of a batch, and the version that it must have, if the caller says so. */
interface BatchItem {
  item: string | number;
  version: number | undefined;
}

/** Paths and ids, and `{ "path": …, "version": 3 }` or `{ "id": …, "version": 3 }` for what must not have changed since. */
function readPaths(value: unknown): BatchItem[] {
  const items: unknown = typeof value === 'string' ? value.split(',').map((item) => item.trim()) : value;
  if (!Array.isArray(items) || items.length === 0) throw badRequest('paths must be a list of paths or ids.');
  if (items.length > maxBatch) throw badRequest(`paths may hold at most ${maxBatch} items.`);
  return items.map(readItem);
}

function readItem(value: unknown): BatchItem {
  const { path, id, version } = (typeof value === 'object' && value !== null ? value : { id: value }) as Record<string, unknown>;
  const item = path ?? id;
  const isItem = typeof item === 'string' || (typeof item === 'number' && Number.isInteger(item));
  const isVersion = version === undefined || (typeof version === 'number' && Number.isInteger(version));
  if (isItem && isVersion) return { item, version };
  throw badRequest('paths must be a list of paths or ids, or of objects with path or id and version.');
}

/** A path, or an id as a number or as its digits. */
function addressOf(item: string | number): Address {
  return /^\d+$/.test(String(item)) ? { id: Number(item) } : { path: String(item) };
}

/** @throws what nobody expected, so that the whole batch fails visibly. */
function itemError(item: string | number, error: unknown) {
  const fault = faultOf(error);
  if (!fault || fault.status >= 500) throw error;
  const address = addressOf(item);
  const content =
    'id' in address
      ? { Id: address.id, Path: '', Name: '' }
      : { Id: 0, Path: address.path, Name: address.path.slice(address.path.lastIndexOf('/') + 1) };
  return { content, error: errorBody(fault) };
}

const uploadFile: Operation = { name: 'upload', isFunction: false, run: ({ request, address }) => upload(request, address) };

const operations = new Map<string, Operation>(
  [
    getCurrentUser,
    getSchema,
    getRepositoryType,
    getDashboardData,
    getClientRequestParameters,
    hasPermission,
    actions,
    deleteBatch,
    moveBatch,
    copyBatch,
    uploadFile,
    ...trashOperations,
    ...apiKeyOperations,
    ...clientOperations,
    ...contentOperations,
    ...groupOperations,
  ].map((operation) => [operation.name.toLowerCase(), operation]),
);

/** What can be called. */
export const operationNames = () => [...operations.values()].map(({ name }) => name);

/** The operation of this name in any case. */
export function findOperation(name: string): Operation | undefined {
  return operations.get(name.toLowerCase());
}
