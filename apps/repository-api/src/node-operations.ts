import {
  changePermissions,
  listTrash,
  permissionNames,
  readPermissions,
  restoreContent,
  type Address,
  type ContentPermissionName,
  type Grant,
  type PermissionChange,
} from '@latchkey/content';
import { json, noContent, versionTag } from './answer.js';
import { badRequest } from './odata/fault.js';
import { parameter, textParameter, type Operation, type OperationCall } from './operation.js';

/** Who may do what on a content, for those who may do everything there. */
const getPermissions: Operation = {
  name: 'GetPermissions',
  isFunction: true,
  run: ({ request, address }) =>
    request.read(async (tx) => {
      const { broken, own, inherited } = await readPermissions(tx, request.caller, address);
      const entries = [
        ...own.map((grant) => ({ ...shown(grant), propagates: !grant.hereOnly, inherited: false })),
        ...inherited.map((grant) => ({ ...shown(grant), propagates: true, inherited: true, from: grant.nodeId })),
      ];
      return json({ isInherited: !broken, entries });
    }),
};

const shown = ({ identityId, permissions }: Grant) => ({ identity: identityId, permissions: [...permissions] });

/** A path, or an id as a number or as its digits. */
function addressIn(value: unknown): Address {
  if (typeof value === 'number' || (typeof value === 'string' && /^\d+$/.test(value))) return { id: Number(value) };
  if (typeof value === 'string') return { path: value };
  throw badRequest('An identity is the path or the id of a user or a group.');
}

/**
 * Changes who may do what on a content: `r` is a list of `{ identity, permissions, localOnly? }`, each of which replaces what
 * the identity was given there; `inheritance` is `break`, which keeps what was inherited unless `keepInherited` is false, or
 * `unbreak`.
 */
const setPermissions: Operation = {
  name: 'SetPermissions',
  isFunction: false,
  run: async (call) => {
    const { request, address } = call;
    const keep = textParameter(call, 'keepInherited').toLowerCase() !== 'false';
    const change: PermissionChange = {
      grants: readGrants(parameter(call, 'r') ?? []),
      inheritance: readInheritance(call),
      keepInherited: keep,
      ifVersion: request.ifVersion,
    };
    await request.write((tx) => changePermissions(tx, request.caller, address, change));
    return noContent;
  },
};

function readInheritance(call: OperationCall): PermissionChange['inheritance'] {
  const value = textParameter(call, 'inheritance').toLowerCase();
  if (value === '') return undefined;
  if (value === 'break') return 'break';
  if (value === 'unbreak') return 'inherit';
  throw badRequest('inheritance must be break or unbreak.');
}

function readGrants(value: unknown): NonNullable<PermissionChange['grants']> {
  if (!Array.isArray(value) || value.length > 1_000) throw badRequest('r must be a list of at most 1000 entries.');
  return value.map((entry: unknown) => {
    if (typeof entry !== 'object' || entry === null) throw badRequest('Each entry of r must be an object.');
    const { identity, permissions, localOnly } = entry as Record<string, unknown>;
    if (!Array.isArray(permissions)) throw badRequest('Each entry of r must have a list of permissions.');
    return { identity: addressIn(identity), permissions: permissions.map(readPermission), hereOnly: localOnly === true };
  });
}

function readPermission(name: unknown): ContentPermissionName {
  const found = permissionNames.find((known) => typeof name === 'string' && known.toLowerCase() === name.toLowerCase());
  if (!found) throw badRequest(`${JSON.stringify(name)} is none of ${permissionNames.join(', ')}.`);
  return found;
}

/** What the caller may see of the trash, the latest deletion first; on the root. */
const getTrash: Operation = {
  name: 'GetTrash',
  isFunction: true,
  run: ({ request }) =>
    request.read(async (tx) => {
      const size = (name: string) => Number(/^\d{1,7}$/.exec(request.query.get(name) ?? '')?.[0] ?? Number.NaN);
      const [top, skip] = [size('$top'), size('$skip')];
      const entries = await listTrash(tx, request.caller, { ...(top >= 0 ? { top } : {}), ...(skip >= 0 ? { skip } : {}) });
      const results = entries.map(({ node, originalPath, deletedAt, deletedBy }) => ({
        Id: node.id,
        Path: node.path,
        Type: node.type,
        DisplayName: node.fields?.['DisplayName'] ?? null,
        OriginalPath: originalPath,
        DeletionDate: deletedAt.toISOString(),
        DeletedById: deletedBy,
      }));
      return json({ d: { __count: results.length, results } });
    }),
};

/** Takes a content out of the trash: to where it was or below `destination`; with `rename=true` under a free name. */
const restore: Operation = {
  name: 'Restore',
  isFunction: false,
  run: async (call) => {
    const { request, address } = call;
    const destination = parameter(call, 'destination') ?? '';
    const rename = textParameter(call, 'rename').toLowerCase() === 'true';
    const node = await request.write((tx) =>
      restoreContent(tx, request.caller, address, {
        to: destination === '' ? undefined : addressIn(destination),
        onConflict: rename ? 'rename' : 'refuse',
        ifVersion: request.ifVersion,
      }),
    );
    return json({ d: { Id: node.id, Path: node.path, Name: node.name } }, 200, versionTag(node.version));
  },
};

/** Operations on one node of the tree and what hangs on it. */
export const nodeOperations = [getPermissions, setPermissions, getTrash, restore];
