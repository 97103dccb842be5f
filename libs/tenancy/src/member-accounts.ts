import { Problem, type CutoffView, type FactorsView, type UserSessionView } from '@latchkey/contracts';
import { audit, authorize, carryOut, type Actor } from '@latchkey/access';
import { raiseUserGeneration } from '@latchkey/content';
import { confirmCutoff, recordCutoff, type KnownRepository, type RepositoryDirectory } from '@latchkey/credentials';
import { elsewhere, type Database, type EntityManager } from '@latchkey/database';
import { findConsole } from './installation.js';
import { findMember, holdTenant, isSelf, refuseRole } from './members.js';
import { factorsOf } from './second-factors.js';
import { presentFactors, removeFactors } from './user-factors.js';
import { findSessions, presentSession, removeSession } from './user-sessions.js';

/**
 * The accounts of a tenant's members, as far as others look after them: their second factors, and where they are signed in.
 * The accounts lie at the console and may serve several tenants. Those of people who are in another tenant too are nobody's to
 * change or to look into but their own: what protects another tenant's things is not this one's to take away.
 */
export class MemberAccounts {
  readonly #database: Database;
  readonly #directory: RepositoryDirectory;

  constructor(database: Database, directory: RepositoryDirectory) {
    this.#database = database;
    this.#directory = directory;
  }

  async factors(actor: Actor, id: string): Promise<FactorsView> {
    return this.#look(actor, id, async (tx, { id: repositoryId }, userId) => presentFactors(await factorsOf(tx, { repositoryId, userId })));
  }

  /** At most 100. */
  async sessions(actor: Actor, id: string): Promise<{ items: UserSessionView[] }> {
    return this.#look(actor, id, async (tx, home, userId) => ({ items: (await findSessions(tx, home.id, userId)).map(presentSession) }));
  }

  /**
   * Takes factors away from somebody who has lost them. When it resolves, no node accepts an older token or session of theirs.
   *
   * @param factor `totp` or the id of a passkey; all, with the recovery codes, if absent.
   * @throws Problem `not-found` when the member has no such factor, or none at all.
   */
  async resetFactors(actor: Actor, id: string, factor?: string): Promise<{ cutoff: CutoffView }> {
    return this.#cutOff(actor, id, { action: 'member.factors-reset', details: { factor: factor ?? 'all' } }, async (tx, home, userId) => {
      if (!(await removeFactors(tx, { repositoryId: home.id, userId }, factor)))
        throw new Problem('not-found', 'The member has no such second factor.');
    });
  }

  /** Ends every session and token of a member, who can sign in again; their credential goes on working. */
  async signOut(actor: Actor, id: string): Promise<{ cutoff: CutoffView }> {
    return this.#cutOff(actor, id, { action: 'member.signed-out' }, async () => undefined);
  }

  /** When it resolves, no node accepts the session or a token that came of it. @throws Problem `not-found`. */
  async endSession(actor: Actor, id: string, session: string): Promise<void> {
    await this.#change(actor, id, async (tx, home, userId) => {
      const ended = await elsewhere(tx, scopeOf(home), () => removeSession(tx, home, userId, session));
      if (!ended) throw new Problem('not-found', 'The member has no such session.');
      await audit(tx, actor, { action: 'member.session-ended', targetKind: 'member', targetId: id });
    });
  }

  async #cutOff(
    actor: Actor,
    id: string,
    { action, details = {} }: { action: string; details?: Record<string, unknown> },
    work: (tx: EntityManager, home: KnownRepository, userId: number) => Promise<void>,
  ): Promise<{ cutoff: CutoffView }> {
    const { cutoff, repositoryId } = await this.#change(actor, id, async (tx, home, userId) => {
      const belowGeneration = await elsewhere(tx, scopeOf(home), async () => {
        await work(tx, home, userId);
        return raiseUserGeneration(tx, { repositoryId: home.id, id: userId });
      });
      // Of the tenant that wanted it, which sees its proof.
      const owner = { id: home.id, tenantId: actor.tenantId };
      const cutoff = await recordCutoff(tx, owner, { kind: action, userId, ended: { belowGeneration } });
      await audit(tx, actor, { action, targetKind: 'member', targetId: id, details: { ...details, cutoffId: cutoff.id } });
      return { cutoff, repositoryId: home.id };
    });
    return { cutoff: await confirmCutoff(this.#database, { tenantId: actor.tenantId, repositoryId }, cutoff) };
  }

  async #change<T>(actor: Actor, id: string, work: (tx: EntityManager, home: KnownRepository, userId: number) => Promise<T>): Promise<T> {
    authorize(actor, 'members:write');
    const home = await findConsole(this.#directory);
    await this.#refuseShared(actor, id);
    return carryOut(this.#database, actor, async (tx) => {
      await holdTenant(tx, actor.tenantId);
      const member = await findMember(tx, id);
      // Whoever holds a token of somebody's shall not be able to take their second factor away with it.
      if (isSelf(actor, id)) throw new Problem('forbidden', 'Your own account is looked after at the page of your account.');
      await refuseRole(tx, actor, member.role);
      return work(tx, home, member.userId);
    });
  }

  async #look<T>(actor: Actor, id: string, work: (tx: EntityManager, home: KnownRepository, userId: number) => Promise<T>): Promise<T> {
    authorize(actor, 'members:write');
    const home = await findConsole(this.#directory);
    await this.#refuseShared(actor, id);
    const { userId } = await this.#database.read({ tenantId: actor.tenantId }, (tx) => findMember(tx, id));
    return this.#database.read(scopeOf(home), (tx) => work(tx, home, userId));
  }

  /** @throws Problem `not-found`; `forbidden` for somebody who is a member of another tenant as well. */
  async #refuseShared(actor: Actor, id: string): Promise<void> {
    const { userId } = await this.#database.read({ tenantId: actor.tenantId }, (tx) => findMember(tx, id));
    // Memberships span tenants, so no tenant's scope can hold them all.
    const [other] = await this.#database.read('system', (tx) =>
      tx.query<unknown[]>(
        `SELECT FROM members own JOIN members m ON m.repository_id = own.repository_id AND m.user_id = own.user_id
         WHERE own.tenant_id = $1 AND own.user_id = $2 AND m.tenant_id <> own.tenant_id LIMIT 1`,
        [actor.tenantId, userId],
      ),
    );
    if (other) throw new Problem('forbidden', 'This person is a member of another tenant too: only they look after their account.');
  }
}

const scopeOf = ({ id, tenantId }: KnownRepository) => ({ tenantId, repositoryId: id });
