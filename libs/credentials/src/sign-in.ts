import { RepositoryUser, type Database } from '@latchkey/database';
import { verifyPassword } from './password.js';
import type { KnownRepository } from './repository-directory.js';

/** A person who has just proved to be a repository user. */
export interface SignedIn {
  userId: number;
  /** The user's generation when the password was read: a session that is made of it dies when it is raised. */
  generation: number;
}

/** Somebody who has not. Whom they named is for the audit trail and must not show in the answer. */
export interface RefusedSignIn {
  refused: true;
  /** Null when there is no such user. */
  userId: number | null;
}

/** A typed login name or e-mail address as it is looked up: whatever its case, and without what people paste around it. */
export function nameKey(typed: string): string {
  return typed.trim().toLowerCase();
}

/**
 * The repository user whom a typed login name or e-mail address means, or nothing. Of accounts that are older than the rule
 * against it, one may have a login name that is another's address; the login name is the one that is meant. One statement by two unique indexes.
 */
export async function findByName(database: Database, repository: KnownRepository, typed: string): Promise<RepositoryUser | null> {
  const key = nameKey(typed);
  // PostgreSQL takes no NUL in a text, and no name holds one.
  if (key === '' || key.includes('\0')) return null;
  return database.read({ repositoryId: repository.id }, (tx) =>
    tx
      .createQueryBuilder(RepositoryUser, 'u')
      .where('u.repositoryId = :repositoryId AND (u.loginKey = :key OR u.emailKey = :key)', { repositoryId: repository.id, key })
      .orderBy('u.login_key = :key', 'DESC')
      .getOne(),
  );
}

/**
 * Whether the password belongs to the user whom a name meant. Nobody, disabled and technical users, and users without a
 * password, take as long as a wrong password and are told apart by nothing.
 */
export async function checkPassword(user: RepositoryUser | null, password: string): Promise<SignedIn | RefusedSignIn> {
  const right = await verifyPassword(password, user?.passwordHash);
  if (!right || !user?.enabled || user.technical) return { refused: true, userId: user?.id ?? null };
  return { userId: user.id, generation: user.generation };
}

/** `findByName` and `checkPassword` in one. */
export async function signIn(
  database: Database,
  repository: KnownRepository,
  typed: string,
  password: string,
): Promise<SignedIn | RefusedSignIn> {
  return checkPassword(await findByName(database, repository, typed), password);
}
