import { Problem, type RepositoryPermission } from '@latchkey/contracts';
import { isBelow } from './statement.js';
import { wellKnown } from './well-known.js';

/**
 * In whose name content is read and written. Two things must hold for every act: the credential allows it
 * (`permissions`), and the user may do it on that node. Neither gives back what the other withholds.
 */
export interface Caller {
  tenantId: string;
  repositoryId: string;
  userId: number;
  /** What the credential that the call came with may be used for. */
  permissions: ReadonlySet<string>;
}

/** What a call without any credential may do: read what was made public. */
export function visitor(repository: { tenantId: string; repositoryId: string }): Caller {
  return { ...repository, userId: wellKnown.visitor, permissions: new Set<RepositoryPermission>(['content:read']) };
}

/** The identities that the user has without being listed as a member of anything. */
export function ownIdentities(userId: number): number[] {
  return userId === wellKnown.visitor ? [userId] : [userId, wellKnown.everyone];
}

/** Users and groups live below this path; everything else is content. */
const usersPath = '/root/ims';

/** True when the node is one of users and groups, to which `users:*` permissions apply and not `content:*`. */
function isOfUsers(path: string): boolean {
  const lower = path.toLowerCase();
  return lower === usersPath || lower.startsWith(`${usersPath}/`);
}

/** Which part of the tree the credential lets the caller read. */
export function readablePart(caller: Caller): 'everything' | 'content' | 'users' | 'itself' {
  const content = caller.permissions.has('content:read');
  const users = caller.permissions.has('users:read');
  if (content && users) return 'everything';
  if (content) return 'content';
  return users ? 'users' : 'itself';
}

/**
 * A condition on the node `n` that is true in the part of the tree which the caller's credential opens. Everyone may read
 * its own user.
 *
 * @param ownId gives the placeholder of the caller's id, if it is needed; the first of the identities in $2 if absent.
 */
export function readableCondition(caller: Caller, ownId = () => '($2::integer[])[1]'): string {
  // By type, because what was deleted there is in the trash with everything else.
  const ofUsers = `(n.path_key = '${usersPath}' OR ${isBelow(`'${usersPath}'`)} OR n.type IN ('User', 'Group', 'OrganizationalUnit', 'Domain'))`;
  const part = readablePart(caller);
  if (part === 'everything') return 'true';
  const itself = `n.id = ${ownId()}`;
  switch (part) {
    case 'content':
      return `(NOT ${ofUsers} OR ${itself})`;
    case 'users':
      return `(${ofUsers} OR ${itself})`;
    case 'itself':
      return itself;
  }
}

/** A credential that may not be used for this. The permission it lacks is named, as RFC 6750 §3.1 has it. */
export class InsufficientScope extends Problem {
  constructor(readonly permission: RepositoryPermission) {
    super('forbidden', `This takes the permission ${permission}, which the credential does not have.`);
  }
}

/** @throws InsufficientScope when the credential may not be used to write at this path. */
export function requireWritable(caller: Caller, path: string): void {
  const permission = isOfUsers(path) ? 'users:write' : 'content:write';
  if (!caller.permissions.has(permission)) throw new InsufficientScope(permission);
}
