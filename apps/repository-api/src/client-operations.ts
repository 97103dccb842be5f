import { createClientBody, Problem, repositoryPermissions, type SecretView } from '@latchkey/contracts';
import { InsufficientScope, isAdministrator, permissionsOf, qualifiedLoginName, wellKnown } from '@latchkey/content';
import {
  addSecret,
  createClient as addClient,
  deleteClient as endClient,
  findClient,
  futureDate,
  listClients,
  liveSecrets,
  regenerateToolSecret,
  revokeSecret,
  type SecretOwner,
} from '@latchkey/credentials';
import { isId, RepositoryUser, type Client, type EntityManager } from '@latchkey/database';
import { json, noContent } from './answer.js';
import { checked } from './odata/body.js';
import { badRequest, ODataFault } from './odata/fault.js';
import { parameter, textParameter, type Operation, type OperationCall } from './operation.js';

/*
 * Clients and secrets as existing administration tools manage them. The same domain functions serve the tenant API. Whoever
 * calls must be an administrator with a credential for managing clients, and gets no secret of a client that acts as a user
 * it may not save, or that may be used for more than the credential it came with.
 */

/** What existing tools call our kinds of clients. */
const typeOf = { app: 'ExternalSpa', tool: 'ExternalClient' } as const;
const kindOf: Record<string, keyof typeof typeOf> = { externalclient: 'tool', externalspa: 'app' };
const ofTheirSystem = new Set(['internalclient', 'internalspa', 'adminui']);

/** What existing tools show as "no expiration date". They compare the text. */
const never = '9999-12-31T23:59:59.9999999';

/** The clients with their live secrets, masked. Of tools, those whose user the caller may save. */
const getClients: Operation = { name: 'GetClients', isFunction: true, run: showClients };

/** The same: every client here is one that customers' apps and tools use. */
const getClientsForRepository: Operation = { name: 'GetClientsForRepository', isFunction: true, run: showClients };

async function showClients(call: OperationCall) {
  return json({
    clients: await call.request.read(async (tx) => {
      await requireAdministration(tx, call);
      const { repository } = call.request;
      const all = (await listClients(tx, repository.id)).filter((client) => client.kind === 'app' || client.kind === 'tool');
      const managed = new Set<number | null>();
      for (const userId of new Set(all.map((client) => client.userId)))
        if (await mayManageUserOf(tx, call, { userId })) managed.add(userId);
      const clients = all.filter(({ userId }) => managed.has(userId));
      const secrets = await liveSecrets(
        tx,
        repository.id,
        clients.map(({ id }) => id),
      );
      const names = await userNames(tx, repository.id, clients);
      return clients.map((client) => shown(call, client, names, secrets.get(client.id) ?? []));
    }),
  });
}

/** Adds a client without a secret: CreateSecret makes one. */
const createClient: Operation = {
  name: 'CreateClient',
  isFunction: false,
  run: async (call) => {
    const { request } = call;
    const kind = readKind(textParameter(call, 'type'));
    const named = textParameter(call, 'userName');
    const body = readNewClient(call, kind);
    return request.write(async (tx) => {
      await requireAdministration(tx, call);
      const user = kind === 'app' ? null : named === '' ? request.caller.userId : await userNamed(tx, call, named);
      if (user !== null) await requireManagedUser(tx, call, user);
      const { client: made } = await addClient(tx, request.actor, request.repository, { ...body, userId: user });
      return json(shown(call, made, await userNames(tx, request.repository.id, [made]), []));
    });
  },
};

/** Removes a client. When it answers, no node accepts a secret of it or a token that it got. */
const deleteClient: Operation = {
  name: 'DeleteClient',
  isFunction: false,
  run: async (call) => {
    const { request } = call;
    const cutoff = await request.write(async (tx) => {
      const client = await readClient(tx, call);
      return endClient(tx, request.actor, request.repository, client.id);
    });
    await request.confirm(cutoff);
    return noContent;
  },
};

/** Adds a secret to a tool client. The value is in this answer only. */
const createSecret: Operation = {
  name: 'CreateSecret',
  isFunction: false,
  run: async (call) => {
    const { request, peppers } = call;
    const validTill = readValidTill(call) ?? null;
    return request.write(async (tx) => {
      const owner = await readTool(tx, call);
      const secret = await addSecret(tx, peppers, request.actor, owner, validTill);
      return json({ ...shownSecret(secret), value: secret.value });
    });
  },
};

/** Ends one secret. When it answers, no node accepts it or a token that it minted. One that is not there is no error. */
const deleteSecret: Operation = {
  name: 'DeleteSecret',
  isFunction: false,
  run: async (call) => {
    const { request } = call;
    const secretId = required(call, 'secretId');
    const cutoff = await request.write(async (tx) => {
      const owner = await readTool(tx, call);
      const live = (await liveSecrets(tx, owner.repositoryId, [owner.clientId])).get(owner.clientId) ?? [];
      return live.some(({ id }) => id === secretId) ? revokeSecret(tx, request.actor, owner, secretId) : undefined;
    });
    await request.confirm(cutoff);
    return noContent;
  },
};

/**
 * Replaces one secret; the client's other secrets go on working. When it answers, no node accepts the old one. A tool that
 * still knows the id of one that was replaced means the only one that is left.
 */
const regenerateSecret: Operation = {
  name: 'RegenerateSecretForRepository',
  isFunction: false,
  run: async (call) => {
    const { request, peppers } = call;
    const secretId = required(call, 'secretId');
    const validTill = readValidTill(call);
    const { secret, cutoff } = await request.write(async (tx) => {
      const owner = await readTool(tx, call);
      const old = await secretNamed(tx, owner, secretId);
      const kept = old.expiresAt === null || old.status === 'ending' ? null : new Date(old.expiresAt);
      const wish = { overlapSeconds: 0, end: validTill === undefined ? kept : validTill, only: old.id };
      return regenerateToolSecret(tx, peppers, request.actor, owner, wish);
    });
    await request.confirm(cutoff);
    return json({ ...shownSecret(secret), value: secret.value });
  },
};

export const clientOperations = [
  getClients,
  getClientsForRepository,
  createClient,
  deleteClient,
  createSecret,
  deleteSecret,
  regenerateSecret,
];

async function requireAdministration(tx: EntityManager, { request, address }: OperationCall): Promise<void> {
  const { caller } = request;
  if (!caller.permissions.has('clients:manage')) throw new InsufficientScope('clients:manage');
  if (!(await isAdministrator(tx, caller))) throw new ODataFault(403, 'Forbidden', 'Only administrators may manage clients.');
  const isRoot = 'id' in address ? address.id === wellKnown.root : address.path.toLowerCase() === '/root';
  if (!isRoot) throw new ODataFault(404, 'UnknownAction', 'This operation is on the root.');
}

async function mayManageUserOf(tx: EntityManager, { request }: OperationCall, { userId }: Pick<Client, 'userId'>): Promise<boolean> {
  if (userId === null) return true;
  return (await permissionsOf(tx, request.caller, request.caller.userId, userId)).has('Save');
}

async function requireManagedUser(tx: EntityManager, call: OperationCall, userId: number): Promise<void> {
  if (!(await mayManageUserOf(tx, call, { userId })))
    throw new ODataFault(403, 'Forbidden', 'The Save permission on the user is required that the client acts as.');
}

/** The client that the call names, for a caller who may manage it. */
async function readClient(tx: EntityManager, call: OperationCall): Promise<Client> {
  await requireAdministration(tx, call);
  const clientId = required(call, 'clientId');
  const client = isClientId(clientId) ? await findClient(tx, call.request.repository, clientId).catch(orNothing) : undefined;
  if (!client || (client.kind !== 'app' && client.kind !== 'tool'))
    throw new ODataFault(404, 'ResourceNotFound', `Unknown client id: ${clientId}`);
  await requireManagedUser(tx, call, client.userId ?? call.request.caller.userId);
  return client;
}

const orNothing = (error: unknown) => {
  if (error instanceof Problem && error.type === 'not-found') return undefined;
  throw error;
};

/** What no client ID looks like is not looked for: PostgreSQL takes no NUL. */
const isClientId = (text: string) => /^\w{1,100}$/.test(text);

/** The tool client that the call names, for a caller who may get a secret of it. */
async function readTool(tx: EntityManager, call: OperationCall): Promise<SecretOwner> {
  const client = await readClient(tx, call);
  if (client.kind !== 'tool') throw badRequest(`Invalid client type: ${typeOf.app} has no secrets.`);
  const { repository, caller } = call.request;
  const beyond = repositoryPermissions.find((one) => client.permissions.includes(one) && !caller.permissions.has(one));
  if (beyond) throw new InsufficientScope(beyond);
  return { tenantId: repository.tenantId, repositoryId: repository.id, clientId: client.id, environment: repository.environment };
}

async function secretNamed(tx: EntityManager, { repositoryId, clientId }: SecretOwner, secretId: string): Promise<SecretView> {
  const live = (await liveSecrets(tx, repositoryId, [clientId])).get(clientId) ?? [];
  const found = live.find(({ id }) => id === secretId);
  if (found) return found;
  const [only, ...others] = live;
  const replaced: unknown[] = isId(secretId)
    ? await tx.query('SELECT FROM secret_versions WHERE repository_id = $1 AND client_id = $2 AND id = $3', [
        repositoryId,
        clientId,
        secretId,
      ])
    : [];
  if (replaced.length > 0 && only && others.length === 0) return only;
  throw new ODataFault(404, 'ResourceNotFound', 'Secret not found.');
}

function readKind(type: string): keyof typeof typeOf {
  const name = type.toLowerCase();
  if (ofTheirSystem.has(name)) throw new ODataFault(403, 'Forbidden', 'The current user cannot create internal clients.');
  const kind = Object.hasOwn(kindOf, name) ? kindOf[name] : undefined;
  if (!kind) throw badRequest(`type must be ${Object.values(typeOf).join(' or ')}.`);
  return kind;
}

/** A client that is made may be used for no more than what its maker's credential may. */
function readNewClient(call: OperationCall, kind: keyof typeof typeOf) {
  const { permissions: held } = call.request.caller;
  const permissions = parameter(call, 'permissions') ?? repositoryPermissions.filter((one) => held.has(one));
  const rest = kind === 'tool' ? { permissions } : { redirectUris: parameter(call, 'redirectUris') ?? [] };
  const body = checked(createClientBody, { kind, name: textParameter(call, 'name') || 'Client', ...rest });
  const wanted = body.kind === 'tool' ? body.permissions : [];
  const beyond = wanted.find((one) => !held.has(one));
  if (beyond) throw new InsufficientScope(beyond);
  return kind === 'app' ? { ...body, permissions: repositoryPermissions.filter((one) => held.has(one)) } : body;
}

/** @returns nothing when the call does not say, null for never. */
function readValidTill(call: OperationCall): Date | null | undefined {
  const text = textParameter(call, 'validTill');
  if (text === '') return undefined;
  if (text.startsWith('9999-')) return null;
  if (Number.isNaN(Date.parse(text))) throw badRequest('validTill must be a date and time such as 2027-11-21T08:30:00Z.');
  return futureDate(new Date(text).toISOString());
}

function required(call: OperationCall, name: string): string {
  const value = textParameter(call, name);
  if (value === '') throw badRequest(`${name} is missing.`);
  return value;
}

/** `builtin\publicadmin`, `public\anna` or `anna`, in any case. */
async function userNamed(tx: EntityManager, call: OperationCall, text: string): Promise<number> {
  const [loginName = '', domain] = text.toLowerCase().split('\\').reverse();
  const rows: RepositoryUser[] = loginName.includes('\0')
    ? []
    : await tx
        .createQueryBuilder(RepositoryUser, 'u')
        .where('u.repositoryId = :id AND lower(u.loginName) = :loginName', { id: call.request.repository.id, loginName })
        .getMany();
  const user = rows.find((row) => domain === undefined || qualifiedLoginName(row).startsWith(`${domain}\\`));
  if (!user?.enabled) throw badRequest('User does not exist or is not accessible.');
  return user.id;
}

async function userNames(tx: EntityManager, repositoryId: string, clients: Client[]): Promise<Map<number, string>> {
  const ids = clients.flatMap(({ userId }) => userId ?? []);
  if (ids.length === 0) return new Map();
  const rows = await tx
    .createQueryBuilder(RepositoryUser, 'u')
    .where('u.repositoryId = :repositoryId AND u.id = ANY(:ids)', { repositoryId, ids })
    .getMany();
  return new Map(rows.map((row) => [row.id, qualifiedLoginName(row)]));
}

function shown(call: OperationCall, client: Client, userNamesById: Map<number, string>, secrets: SecretView[]) {
  const withoutScheme = (url: string) => url.replace(/^https?:\/\//, '');
  const { slug } = call.request.repository;
  return {
    name: client.name,
    repository: withoutScheme(call.repositoryUrls.of(slug)),
    clientId: client.id,
    userName: client.userId === null ? null : (userNamesById.get(client.userId) ?? null),
    authority: withoutScheme(call.authorityUrls.of(slug)),
    type: typeOf[client.kind === 'app' ? 'app' : 'tool'],
    secrets: secrets.map(shownSecret),
  };
}

/** A secret with its value masked. */
function shownSecret({ id, hint, createdAt, expiresAt }: Pick<SecretView, 'id' | 'hint' | 'createdAt' | 'expiresAt'>) {
  return { id, value: hint, creationDate: createdAt, validTill: expiresAt ?? never };
}
