import { Problem, type Page, type UsersQuery } from '@latchkey/contracts';
import { hasInIt, IsNull, prepared, RepositoryUser, violatedConstraint, type EntityManager } from '@latchkey/database';
import { hereOnly, permissionBits } from './permissions.js';
import { userFields } from './root.js';
import { lockShape } from './shape.js';
import { wellKnown } from './well-known.js';

/*
 * A repository's people. A person is two rows with one id: a `repository_users` row, which signing in reads, and a node
 * of the content tree, which everything else reads. This file is the only one that writes either, so they agree.
 */

export interface NewUser {
  tenantId: string;
  repositoryId: string;
  /** Unique in the repository, whatever its case. Also the name of the node. */
  loginName: string;
  email?: string | null;
  /** The person has proved to read what is sent to `email`. */
  emailVerified?: boolean;
  /** What people are called; the login name if absent. */
  name?: string;
  /** argon2id, as a PHC string. Without one nobody can sign in with a password yet. */
  passwordHash?: string | null;
  /** Whether the person belongs to the Administrators. */
  administrator?: boolean;
}

/** A repository user as others may know it: without the hash. */
export interface KnownUser {
  id: number;
  loginName: string;
  email: string | null;
  /** The person has proved to read what is sent to `email`. */
  emailVerified: boolean;
  name: string;
  enabled: boolean;
  technical: boolean;
  hasPassword: boolean;
  createdAt: Date;
}

export interface UserChange {
  /** Another address is not verified, unless the same change says so. */
  email?: string | null;
  emailVerified?: boolean;
  name?: string;
  passwordHash?: string;
  enabled?: boolean;
}

export interface ChangedUser {
  user: KnownUser;
  /** Names of what is different now; empty when the change changed nothing. */
  changed: (keyof UserChange)[];
  /** The user's generation now. */
  generation: number;
  /** Whether every token and session of the user ended with it. */
  endedTokens: boolean;
}

const insertUser = `
  WITH next AS (
    UPDATE content_counters SET next_id = next_id + 1 WHERE repository_id = $1 RETURNING next_id - 1 AS id
  ), person AS (
    INSERT INTO repository_users (repository_id, tenant_id, id, login_name, email, name, password_hash, email_verified_at)
    SELECT $1, $2, next.id, $3, $4, $5, $6, CASE WHEN $10 THEN now() END FROM next
    RETURNING id, created_at
  ), node AS (
    INSERT INTO content_nodes (repository_id, tenant_id, id, parent_id, name, path, type, fields, permission_path, created_by, modified_by)
    SELECT $1, $2, next.id, parent.id, $3, parent.path || '/' || $3, 'User', $7, parent.permission_path || next.id, $8, $8
    FROM next JOIN content_nodes parent ON parent.repository_id = $1 AND parent.id = ${wellKnown.public}
  ), administrator AS (
    INSERT INTO content_group_members (repository_id, tenant_id, group_id, member_id)
    SELECT $1, $2, ${wellKnown.administrators}, next.id FROM next WHERE $9
  ), itself AS (
    INSERT INTO content_permissions (repository_id, tenant_id, node_id, identity_id, bits)
    SELECT $1, $2, next.id, next.id, ${hereOnly(permissionBits.See | permissionBits.Open)} FROM next
  )
  SELECT id, created_at FROM person`;

/**
 * Makes a person who can sign in: a node under `/Root/IMS/Public` and, with the same id, what signing in needs. One
 * statement. The caller has authorised the act.
 *
 * @param actorUserId the repository user in whose name it happens; `wellKnown.admin` when nobody's.
 * @throws Problem `already-exists` when the login name or the e-mail address is taken.
 */
export async function createUser(tx: EntityManager, actorUserId: number, user: NewUser): Promise<KnownUser> {
  const { loginName, email = null, emailVerified = false, passwordHash = null, administrator = false } = user;
  const name = user.name ?? loginName;
  // The id, which tells people from technical users, is not known yet; any of a person's will do.
  const fields = userFields({ id: Number.MAX_SAFE_INTEGER, loginName, email, name, enabled: true });
  const parameters = [
    user.repositoryId,
    user.tenantId,
    loginName,
    email,
    name,
    passwordHash,
    JSON.stringify(fields),
    actorUserId,
    administrator,
    emailVerified && email !== null,
  ];
  const rows = await orAlreadyExists(prepared<{ id: number; created_at: Date }>(tx, insertUser, parameters));
  const made = rows[0];
  if (!made) throw new Error('The repository has no content root');
  return {
    id: made.id,
    loginName,
    email,
    emailVerified: emailVerified && email !== null,
    name,
    enabled: true,
    technical: false,
    hasPassword: passwordHash !== null,
    createdAt: made.created_at,
  };
}

/**
 * Changes a person. A new password and disabling raise the user's generation, so that every token and session that is
 * older ends with the transaction. Two statements. The caller has authorised the act.
 *
 * @throws Problem `not-found`; `already-exists` when the e-mail address is taken; `forbidden` for a technical user.
 */
export async function updateUser(
  tx: EntityManager,
  actorUserId: number,
  { repositoryId, id, ...change }: { repositoryId: string; id: number } & UserChange,
): Promise<ChangedUser> {
  const row = await lockPerson(tx, repositoryId, id);

  if (change.email !== undefined && change.email !== row.email) change.emailVerified ??= false;
  const before: UserChange = { ...row, emailVerified: row.emailVerifiedAt !== null, passwordHash: row.passwordHash ?? '' };
  const changed = (Object.keys(change) as (keyof UserChange)[]).filter((key) => change[key] !== undefined && change[key] !== before[key]);
  const endedTokens = change.passwordHash !== undefined || (change.enabled === false && row.enabled);
  const { emailVerified, ...columns } = change;
  for (const key of changed) if (key !== 'emailVerified') Object.assign(row, { [key]: columns[key] });
  if (changed.includes('emailVerified')) row.emailVerifiedAt = emailVerified ? new Date() : null;
  if (endedTokens) row.generation += 1;
  if (changed.length > 0) await writeUser(tx, actorUserId, row, { isRenamed: changed.includes('name') });
  return { user: known(row), changed, generation: row.generation, endedTokens };
}

/**
 * Holds a person until the transaction ends, and the shape of the tree before: whoever changes a person and its node as well
 * does so in the order in which the person is deleted, so that the two never wait for each other. Two statements.
 *
 * @throws Problem `not-found`; `forbidden` for a technical user.
 */
export async function holdPerson(tx: EntityManager, repositoryId: string, id: number): Promise<void> {
  await lockShape(tx, { repositoryId });
  await lockPerson(tx, repositoryId, id);
}

/** Holds a person's row until the transaction ends. */
async function lockPerson(tx: EntityManager, repositoryId: string, id: number): Promise<RepositoryUser> {
  const row = await tx.findOne(RepositoryUser, {
    where: { repositoryId, id, deletedAt: IsNull(), trashedAt: IsNull() },
    lock: { mode: 'pessimistic_write' },
  });
  if (!row) throw new Problem('not-found', 'There is no such user in this repository.');
  if (row.technical) throw new Problem('forbidden', 'This user is part of every repository: it can be neither changed nor deleted.');
  return row;
}

/** Writes the row and the fields of its node together. */
async function writeUser(
  tx: EntityManager,
  actorUserId: number,
  row: RepositoryUser,
  { isRenamed }: { isRenamed: boolean },
): Promise<void> {
  const statement = `
    WITH person AS (
      UPDATE repository_users SET email = $3, name = $4, password_hash = $5, enabled = $6, generation = $7, email_verified_at = $10
      WHERE repository_id = $1 AND id = $2
    )
    UPDATE content_nodes SET fields = fields || $8, version = version + 1, modified_at = now(), modified_by = $9
    WHERE repository_id = $1 AND id = $2`;
  const { repositoryId, id, email, name, passwordHash, enabled, generation, emailVerifiedAt } = row;
  const { DisplayName, ...fields } = userFields(row);
  // Whoever gave it another display name keeps it until the name changes.
  const written = JSON.stringify(isRenamed ? { ...fields, DisplayName } : fields);
  const values = [repositoryId, id, email, name, passwordHash, enabled, generation, written, actorUserId, emailVerifiedAt];
  await orAlreadyExists(tx.query(statement, values));
}

/**
 * Ends every session and token of a person, who stays who they are: raises the generation. The caller has authorised the act.
 *
 * @returns the generation now.
 * @throws Problem `not-found` for nobody, somebody in the trash, and a technical user, who has no sessions.
 */
export async function raiseUserGeneration(tx: EntityManager, { repositoryId, id }: { repositoryId: string; id: number }): Promise<number> {
  const [[row]] = await tx.query<[[{ generation: number }?]]>(
    'UPDATE repository_users SET generation = generation + 1 WHERE repository_id = $1 AND id = $2 AND NOT technical AND deleted_at IS NULL AND trashed_at IS NULL RETURNING generation',
    [repositoryId, id],
  );
  if (!row) throw new Problem('not-found', 'There is no such user in this repository.');
  return row.generation;
}

/**
 * The people of a repository by id, without the technical users; one page of them, or of those who are called what is searched
 * for. One statement.
 *
 * @throws Problem `invalid-request` when `after` is not a cursor that an earlier page gave.
 */
export async function listUsers(
  tx: EntityManager,
  { repositoryId, limit, after = '0', search }: { repositoryId: string } & UsersQuery,
): Promise<Page<KnownUser>> {
  if (!/^\d{1,9}$/.test(after)) {
    throw new Problem('invalid-request', 'The cursor is not one that this list gave.', {
      errors: [{ pointer: '/after', detail: 'is not a cursor of this list' }],
    });
  }
  const query = tx
    .createQueryBuilder(RepositoryUser, 'u')
    .where('u.repositoryId = :repositoryId AND u.id > :after AND NOT u.technical AND u.deletedAt IS NULL AND u.trashedAt IS NULL', {
      repositoryId,
      after: Number(after),
    })
    .orderBy('u.id')
    .limit(limit + 1);
  if (search !== undefined) query.andWhere(hasInIt(':search', 'u.name', 'u.loginName', 'u.email'), { search });
  const rows = await query.getMany();
  const items = rows.slice(0, limit).map(known);
  return { items, next: rows.length > limit ? String(items.at(-1)?.id) : null };
}

/** A user of a repository, a technical one too; nothing when there is none, or it was deleted. One statement by primary key. */
export async function findUser(
  tx: EntityManager,
  { repositoryId, id }: { repositoryId: string; id: number },
): Promise<KnownUser | undefined> {
  const row = await tx.findOneBy(RepositoryUser, { repositoryId, id, deletedAt: IsNull(), trashedAt: IsNull() });
  return row ? known(row) : undefined;
}

function known(row: RepositoryUser): KnownUser {
  const { id, loginName, email, name, enabled, technical, createdAt } = row;
  const [emailVerified, hasPassword] = [row.emailVerifiedAt !== null, row.passwordHash !== null];
  return { id, loginName, email, emailVerified, name, enabled, technical, hasPassword, createdAt };
}

/** Which part of a user each unique constraint is about. */
const takenPart: Record<string, { pointer: string; words: string }> = {
  repository_users_login_name: { pointer: '/loginName', words: 'login name' },
  repository_users_email: { pointer: '/email', words: 'e-mail address' },
  repository_users_name_is_address: { pointer: '/loginName', words: 'login name as e-mail address' },
  repository_users_address_is_name: { pointer: '/email', words: 'e-mail address as login name' },
  content_nodes_path: { pointer: '/loginName', words: 'login name' },
};

async function orAlreadyExists<T>(statement: Promise<T>): Promise<T> {
  try {
    return await statement;
  } catch (error) {
    const part = takenPart[violatedConstraint(error) ?? ''];
    if (!part) throw error;
    throw new Problem('already-exists', `Another user of this repository has this ${part.words}.`, {
      cause: error,
      errors: [{ pointer: part.pointer, detail: 'is taken' }],
    });
  }
}
