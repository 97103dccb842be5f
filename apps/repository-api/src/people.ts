import { createUserBody, Problem, updateUserBody } from '@latchkey/contracts';
import {
  holdPerson,
  readNode,
  requireAdministratorFor,
  requireWritable,
  updateContent,
  VersionMismatch,
  wellKnown,
  type Address,
  type ContentEntity,
  type ContentPermissionName,
  type PermittedEntity,
} from '@latchkey/content';
import { hashPassword } from '@latchkey/credentials';
import type { EntityManager } from '@latchkey/database';
import { changePerson, createPerson, refusePasswordAt } from '@latchkey/tenancy';
import { checked, type Body } from './odata/body.js';
import { badRequest } from './odata/fault.js';
import type { ContentRequest } from './request.js';

/*
 * People are content: whoever may add below /Root/IMS/Public makes someone who can sign in at the authority, and whoever may
 * save or delete a user changes or ends what signs in. The same domain functions serve the tenant API, with cut-off, audit and
 * event. An administrator is changed by administrators only.
 */

/** Fields of a user that signing in reads, as their body members at the tenant API. */
const membersOfFields: Record<string, string> = {
  loginname: 'loginName',
  email: 'email',
  fullname: 'name',
  password: 'password',
  enabled: 'enabled',
};

/** What a body says about a person, by the tenant API's names, and the rest of it. */
function partsOf(body: Body): { person: Record<string, unknown>; rest: Body } {
  const person: Record<string, unknown> = {};
  const rest: Body = {};
  for (const [name, value] of Object.entries(body)) {
    const member = membersOfFields[name.toLowerCase()];
    if (member === undefined || !Object.hasOwn(membersOfFields, name.toLowerCase())) rest[name] = value;
    // Clients send back what they have read: nothing there is nothing said.
    else if (value !== null && value !== '') person[member] = readFlag(member, value);
  }
  return { person, rest };
}

/** Forms send texts. */
const readFlag = (member: string, value: unknown) =>
  member === 'enabled' && (value === 'true' || value === 'false') ? value === 'true' : value;

const fieldOf = (member: string) => Object.keys(membersOfFields).find((field) => membersOfFields[field] === member) ?? member;

function requirePermission(node: PermittedEntity, permission: ContentPermissionName): void {
  if (!node.permissions.has(permission)) throw new Problem('forbidden', `This takes the permission ${permission} on ${node.path}.`);
}

/**
 * Makes a person below `/Root/IMS/Public`, who can sign in at once if the body holds a password.
 *
 * @param name of the node, if the body names it: the login name if it holds none.
 */
export async function createPersonContent(request: ContentRequest, parent: Address, name: unknown, body: Body): Promise<ContentEntity> {
  const { person, rest } = partsOf(body);
  const { enabled, ...fields } = person;
  const { DisplayName: displayName } = rest;
  const wish = { loginName: name, ...(displayName ? { name: displayName } : {}), ...fields };
  const { password, ...known } = checked(createUserBody, wish, fieldOf);
  if (typeof name === 'string' && name.toLowerCase() !== known.loginName.toLowerCase())
    throw badRequest('The name of a user is its login name: leave one of them out.');
  if (enabled !== undefined && enabled !== true) throw badRequest('Enabled: make the user first, then disable it.');
  const passwordHash = password === undefined ? null : await hashPassword(password);
  return request.write(async (tx) => {
    const { caller, repository, actor } = request;
    const folder = await readNode(tx, caller, parent);
    requireWritable(caller, folder.path);
    requirePermission(folder, 'AddNew');
    if (folder.id !== wellKnown.public) throw badRequest('Users are made below /Root/IMS/Public.');
    if (password !== undefined) await refusePasswordAt(tx, repository.id, password, known);
    const user = await createPerson(tx, actor, repository, { ...known, administrator: false, passwordHash }, caller.userId);
    const more = Object.keys(rest).some((field) => !field.startsWith('__') && field !== 'DisplayName');
    return more ? updateContent(tx, caller, { id: user.id }, { fields: rest }) : readNode(tx, caller, { id: user.id });
  });
}

/** True when a change could be one of a person's sign-in. */
export function concernsPerson(body: Body): boolean {
  return Object.keys(partsOf(body).person).length > 0;
}

/**
 * Changes a content whose body names fields of a person. When it resolves after a new password or a disabling, no node accepts
 * a token or session of the person that is older.
 */
export async function changePersonContent(
  request: ContentRequest,
  address: Address,
  body: Body,
  { replace }: { replace: boolean },
): Promise<ContentEntity> {
  const { person, rest } = partsOf(body);
  const { caller, repository, actor, ifVersion } = request;
  // Outside of the transaction that locks: hashing takes long. Whether the caller may, is looked at again there.
  const found = await request.read((tx) => readNode(tx, caller, address));
  if (found.type !== 'User') return request.write((tx) => updateContent(tx, caller, address, { fields: body, replace, ifVersion }));
  await request.read((tx) => requirePersonWritable(tx, request, found));
  const { loginName, ...wish } = person;
  const same = typeof loginName === 'string' && loginName.toLowerCase() === String(found.fields?.['LoginName']).toLowerCase();
  if (loginName !== undefined && !same) throw badRequest('LoginName does not change.');
  const { password, ...change } = checked(updateUserBody, wish, fieldOf);
  const passwordHash = password === undefined ? undefined : await hashPassword(password);
  const { entity, cutoff } = await request.write(async (tx) => {
    await holdPerson(tx, repository.id, found.id);
    const node = await readNode(tx, caller, { id: found.id }, { lock: true });
    await requirePersonWritable(tx, request, node);
    if (ifVersion !== undefined && node.version !== ifVersion) throw new VersionMismatch(node.version);
    if (password !== undefined) await refusePasswordAt(tx, repository.id, password, ownerOf(node, change));
    const { cutoff: ended } = await changePerson(tx, actor, repository, { id: node.id, ...change, passwordHash } as never, caller.userId);
    return { entity: await updateContent(tx, caller, { id: node.id }, { fields: rest, replace }), cutoff: ended };
  });
  await request.confirm(cutoff);
  return entity;
}

/** What the password of a user must not be made of. */
function ownerOf({ fields }: ContentEntity, change: { email?: string | undefined; name?: string | undefined }) {
  const text = (field: string) => String(fields?.[field] ?? '');
  return { loginName: text('LoginName'), name: change.name ?? text('FullName'), email: change.email ?? text('Email') };
}

async function requirePersonWritable(tx: EntityManager, { caller }: ContentRequest, node: PermittedEntity): Promise<void> {
  requireWritable(caller, node.path);
  requirePermission(node, 'Save');
  await requireAdministratorFor(tx, caller, node.id);
}
