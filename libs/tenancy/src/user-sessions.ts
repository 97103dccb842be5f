import { Problem, type CutoffView, type UserSessionView } from '@latchkey/contracts';
import { audit, authorize, carryOut, enter, type Actor, type Call } from '@latchkey/access';
import { carryOutCutoff, tellOfEnd, type EndedSession, type KnownRepository } from '@latchkey/credentials';
import type { Database, EntityManager, Repository } from '@latchkey/database';
import { signOut } from './own-account.js';
import { carryOutOwn } from './own-act.js';
import { enterWithPerson } from './users.js';

/*
 * Where a repository user is signed in, and which apps hold a grant of theirs. Both are records of the authority
 * (`oidc_records`). Ending one removes it with everything that hangs on it: the check of an access token asks for its grant.
 */

/** A browser that has a session of a user's. Its id is no secret: the cookie holds another. */
export interface KnownSession {
  id: string;
  userAgent: string | null;
  address: string | null;
  signedInAt: Date;
  /** When an app last sent the browser to the authority with it. */
  usedAt: Date | null;
}

/** An app that can get tokens for a user. */
export interface KnownApp {
  clientId: string;
  name: string;
  since: Date;
}

/** The sessions of a user that are alive, the one used last first. */
export async function listSessions(database: Database, repository: KnownRepository, userId: number): Promise<KnownSession[]> {
  return database.read({ repositoryId: repository.id }, (tx) => findSessions(tx, repository.id, userId));
}

export async function findSessions(tx: EntityManager, repositoryId: string, userId: number): Promise<KnownSession[]> {
  return tx.query<KnownSession[]>(
    `SELECT o.uid AS id, o.user_agent AS "userAgent", o.address, to_timestamp((o.payload->>'loginTs')::bigint) AS "signedInAt", o.used_at AS "usedAt"
     FROM oidc_records o JOIN repository_users u ON u.repository_id = o.repository_id AND u.id = o.user_id
     WHERE o.repository_id = $1 AND o.user_id = $2 AND o.kind = 'Session' AND o.user_generation = u.generation AND u.enabled
       AND o.expires_at > now()
     ORDER BY coalesce(o.used_at, to_timestamp((o.payload->>'loginTs')::bigint)) DESC, o.uid LIMIT 100`,
    [repositoryId, userId],
  );
}

type Home = Pick<Repository, 'id' | 'tenantId'>;

/** What goes with a grant: itself, and the codes and refresh tokens under it. */
const endGrants = `
  DELETE FROM oidc_records o USING ended WHERE o.repository_id = $1 AND (o.grant_id = ended.id OR (o.kind = 'Grant' AND o.id = ended.id))`;

/** Ends one session with the grants that apps got in it, and has these told. @returns whether the user had it. */
export async function removeSession(tx: EntityManager, repository: Home, userId: number, id: string): Promise<boolean> {
  const ended = await tx.query<EndedSession[]>(
    `WITH session AS (
       DELETE FROM oidc_records WHERE repository_id = $1 AND user_id = $2 AND kind = 'Session' AND uid = $3 RETURNING payload),
     ended AS (SELECT app.value->>'grantId' AS id FROM session, jsonb_each(coalesce(session.payload->'authorizations', '{}')) app),
     grants AS (${endGrants})
     SELECT $2::integer AS "userId", payload FROM session`,
    [repository.id, userId, id],
  );
  await tellOfEnd(tx, repository, ended);
  return ended.length > 0;
}

/** Ends one of a person's own sessions; nothing happens when it is not theirs or has ended. */
export async function endSession(database: Database, repository: KnownRepository, userId: number, id: string, call: Call): Promise<void> {
  await carryOutOwn(database, repository, { userId, call }, async (tx) => {
    const ended = await removeSession(tx, repository, userId, id);
    return { answer: undefined, ...(ended ? { deed: { verb: 'session-ended' } } : {}) };
  });
}

/** The apps of the repository that hold a live grant of a user's. */
export async function listAppsOfUser(database: Database, repository: KnownRepository, userId: number): Promise<KnownApp[]> {
  return database.read({ repositoryId: repository.id }, (tx) =>
    tx.query<KnownApp[]>(
      `SELECT c.id AS "clientId", c.name, min(to_timestamp((o.payload->>'iat')::bigint)) AS since
       FROM oidc_records o
       JOIN repository_users u ON u.repository_id = o.repository_id AND u.id = o.user_id
       JOIN clients c ON c.repository_id = o.repository_id AND c.id = o.payload->>'clientId' AND c.deleted_at IS NULL
       WHERE o.repository_id = $1 AND o.user_id = $2 AND o.kind = 'Grant' AND o.user_generation = u.generation AND o.expires_at > now()
       GROUP BY c.id, c.name ORDER BY c.name, c.id`,
      [repository.id, userId],
    ),
  );
}

/** Ends every grant of a person to an app: its tokens are refused from then on. Sessions stay, so it can ask for another. */
export async function endAppAccess(
  database: Database,
  repository: KnownRepository,
  userId: number,
  clientId: string,
  call: Call,
): Promise<void> {
  await carryOutOwn(database, repository, { userId, call }, async (tx) => {
    const rows = await tx.query<unknown[]>(
      `WITH ended AS (
         SELECT id FROM oidc_records WHERE repository_id = $1 AND user_id = $2 AND kind = 'Grant' AND payload->>'clientId' = $3),
       grants AS (${endGrants})
       SELECT FROM ended`,
      [repository.id, userId, clientId],
    );
    return { answer: undefined, ...(rows.length > 0 ? { deed: { verb: 'app-access-ended', details: { clientId } } } : {}) };
  });
}

/** The sessions of a repository's users, as the tenant's members and machines manage them. */
export class UserSessions {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Says from where a person signs in, which not everybody who reads settings shall know. */
  async list(actor: Actor, slug: string, userId: number): Promise<{ items: UserSessionView[] }> {
    authorize(actor, 'users:write');
    return this.#database.read({ tenantId: actor.tenantId }, async (tx) => {
      const { repository } = await enterWithPerson(tx, slug, userId);
      return { items: (await findSessions(tx, repository.id, userId)).map(presentSession) };
    });
  }

  /** When it resolves, no node accepts the session or a token that an app got in it. @throws Problem `not-found`. */
  async end(actor: Actor, slug: string, userId: number, id: string): Promise<void> {
    authorize(actor, 'users:write');
    await carryOut(this.#database, actor, async (tx) => {
      const { repository } = await enterWithPerson(tx, slug, userId);
      if (!(await removeSession(tx, repository, userId, id))) throw new Problem('not-found', 'The user has no such session.');
      const target = { repositoryId: repository.id, targetKind: 'user', targetId: String(userId) };
      await audit(tx, actor, { action: 'user.session-ended', ...target });
    });
  }

  /** Ends every session and token of a user, who can sign in again; API keys go on working. The answer says so with a cut-off. */
  async signOut(actor: Actor, slug: string, userId: number): Promise<{ cutoff: CutoffView }> {
    authorize(actor, 'users:write');
    return carryOutCutoff(this.#database, actor, async (tx) => {
      const repository = await enter(tx, slug);
      const cutoff = await signOut(tx, repository, userId);
      const target = { repositoryId: repository.id, targetKind: 'user', targetId: String(userId) };
      await audit(tx, actor, { action: 'user.signed-out', ...target, details: { cutoffId: cutoff.id } });
      return { cutoff, repositoryId: repository.id };
    });
  }
}

export function presentSession({ id, userAgent, address, signedInAt, usedAt }: KnownSession): UserSessionView {
  return { id, userAgent, address, signedInAt: signedInAt.toISOString(), lastUsedAt: usedAt?.toISOString() ?? null };
}
