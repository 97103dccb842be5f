import { createApiKeyBody, Problem, repositoryPermissions, type ApiKeyView, type CreateApiKeyBody } from '@latchkey/contracts';
import { InsufficientScope, isAdministrator, readNode, type PermittedEntity } from '@latchkey/content';
import { endApiKeys, findApiKey, insertApiKey, listApiKeys } from '@latchkey/credentials';
import type { EntityManager } from '@latchkey/database';
import { json, noContent } from './answer.js';
import { checked } from './odata/body.js';
import { badRequest, ODataFault } from './odata/fault.js';
import { parameter, textParameter, type Operation, type OperationCall } from './operation.js';

/*
 * API keys as existing clients manage them. The same domain functions serve the tenant API; what differs is who may: here
 * a user manages its own keys, and whoever may save a user manages that user's.
 */

/** The keys of a user, without their values. Of a user whose keys the caller may not manage: none. */
const getApiKeys: Operation = {
  name: 'GetApiKeys',
  isFunction: true,
  run: async (call) => {
    const { request } = call;
    requireManagement(call);
    return request.read(async (tx) => {
      const user = await readUser(tx, call);
      const keys = (await mayManage(tx, call, user)) ? await listApiKeys(tx, ownerOf(call, user.id)) : [];
      return json({ apiKeys: keys.map((key) => shown(key)) });
    });
  },
};

/** Makes a key of a user; the value is in this answer only. */
const createApiKey: Operation = {
  name: 'CreateApiKey',
  isFunction: false,
  run: async (call) => {
    requireManagement(call);
    const body = readNewKey(call);
    // Whoever makes a key cannot make one that may be used for more than its own credential.
    const beyond = body.permissions.find((permission) => !call.request.caller.permissions.has(permission));
    if (beyond) throw new InsufficientScope(beyond);
    return call.request.write(async (tx) => {
      const user = await readUser(tx, call);
      if (!(await mayManage(tx, call, user))) throw forbidden();
      const { environment } = call.request.repository;
      const key = await insertApiKey(tx, call.peppers, call.request.actor, { ...ownerOf(call, user.id), environment }, body);
      return json(shown(key, key.value));
    });
  },
};

/** Ends one key, named by its value, its masked value or its id. When it answers, no node accepts it. */
const deleteApiKey: Operation = {
  name: 'DeleteApiKey',
  isFunction: false,
  run: async (call) => {
    requireManagement(call);
    const { request } = call;
    const named = textParameter(call, 'apiKey');
    if (named === '') throw badRequest('apiKey must name the key to delete.');
    const cutoff = await request.write(async (tx) => {
      const bound = await readNode(tx, request.caller, call.address);
      const { tenantId, repositoryId } = ownerOf(call, 0);
      const key = await findApiKey(tx, call.peppers, repositoryId, named);
      const isOfBound = bound.type === 'PortalRoot' || bound.id === key?.userId;
      // Whose keys the caller may not manage are nothing to it.
      if (!key || !isOfBound || !(await mayManage(tx, call, await readNode(tx, request.caller, { id: key.userId })))) throw noSuchKey();
      return endApiKeys(tx, request.actor, { tenantId, repositoryId, keyId: key.id });
    });
    await request.confirm(cutoff);
    return noContent;
  },
};

/** Ends every key of a user or, on the root, of the repository. For administrators. */
const deleteApiKeys: Operation = {
  name: 'DeleteApiKeys',
  isFunction: false,
  run: async (call) => {
    requireManagement(call);
    const { request } = call;
    const cutoff = await request.write(async (tx) => {
      const bound = await readNode(tx, request.caller, call.address);
      if (!(await isAdministrator(tx, request.caller)))
        throw new ODataFault(403, 'Forbidden', 'Only administrators may delete all API keys.');
      if (bound.type !== 'User' && bound.type !== 'PortalRoot') throw onlyOn('a user or the root');
      const { tenantId, repositoryId } = ownerOf(call, 0);
      return endApiKeys(tx, request.actor, { tenantId, repositoryId, ...(bound.type === 'User' ? { userId: bound.id } : {}) });
    });
    await request.confirm(cutoff);
    return noContent;
  },
};

export const apiKeyOperations = [getApiKeys, createApiKey, deleteApiKey, deleteApiKeys];

/** The credential must be for managing keys, whatever its user may do. */
function requireManagement({ request }: OperationCall): void {
  if (!request.caller.permissions.has('api-keys:manage')) throw new InsufficientScope('api-keys:manage');
}

async function readUser(tx: EntityManager, { request, address }: OperationCall): Promise<PermittedEntity> {
  const user = await readNode(tx, request.caller, address);
  if (user.type !== 'User') throw onlyOn('a user');
  return user;
}

/** Whoever could make a key of an administrator would be one. */
async function mayManage(tx: EntityManager, { request: { caller } }: OperationCall, user: PermittedEntity): Promise<boolean> {
  if (user.id === caller.userId) return true;
  if (!user.permissions.has('Save')) return false;
  return !(await isAdministrator(tx, { ...caller, userId: user.id })) || isAdministrator(tx, caller);
}

function ownerOf({ request }: OperationCall, userId: number) {
  return { tenantId: request.repository.tenantId, repositoryId: request.repository.id, userId };
}

function readNewKey(call: OperationCall): CreateApiKeyBody {
  const wish = {
    name: parameter(call, 'name') ?? 'API key',
    permissions: parameter(call, 'permissions') ?? repositoryPermissions.filter((one) => call.request.caller.permissions.has(one)),
    expiresAt: parameter(call, 'expirationDate'),
  };
  return checked(createApiKeyBody, wish, (member) => (member === 'expiresAt' ? 'expirationDate' : member));
}

function shown(key: ApiKeyView, value?: string) {
  return {
    Id: key.id,
    Name: key.name,
    Value: value ?? key.hint,
    Permissions: key.permissions,
    CreationDate: key.createdAt,
    ExpirationDate: key.expiresAt,
    LastUsed: key.lastUsedAt,
  };
}

const forbidden = () =>
  new ODataFault(403, 'Forbidden', 'The Save permission on the user is required, and for an administrator to be one.');
const onlyOn = (what: string) => new ODataFault(404, 'UnknownAction', `This operation is on ${what}.`);
const noSuchKey = () => new Problem('not-found', 'There is no such API key.');
