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

/**
 * Whether the password belongs to the repository user with this login name or e-mail address. Unknown, disabled and
 * technical users, and users without a password, take as long as a wrong password and are told apart by nothing.
 */
export async function signIn(
  database: Database,
  repository: KnownRepository,
  nameOrEmail: string,
  password: string,
): Promise<SignedIn | RefusedSignIn> {
  const user = await database.read({ repositoryId: repository.id }, (tx) =>
    tx
      .createQueryBuilder(RepositoryUser, 'u')
      .where('u.repositoryId = :repositoryId AND (lower(u.loginName) = lower(:name) OR lower(u.email) = lower(:name))', {
        repositoryId: repository.id,
        name: nameOrEmail,
      })
      // A login name may be spelled like someone else's address; the login name is the one that is meant.
      .orderBy('lower(u.login_name) = lower(:name)', 'DESC')
      .getOne(),
  );
  const right = await verifyPassword(password, user?.passwordHash);
  if (!right || !user?.enabled || user.technical) return { refused: true, userId: user?.id ?? null };
  return { userId: user.id, generation: user.generation };
}
