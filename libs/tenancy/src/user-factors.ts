import { Problem, type CutoffView, type FactorsView } from '@latchkey/contracts';
import { audit, authorize, type Actor } from '@latchkey/access';
import { raiseUserGeneration } from '@latchkey/content';
import { announced, carryOutCutoff, recordCutoff } from '@latchkey/credentials';
import { FactorGuesses, isId, Passkey, RecoveryCode, TotpSecret, type Database, type EntityManager } from '@latchkey/database';
import { announce } from '@latchkey/jobs';
import { factorsOf, hasFactor, type FactorsOfUser } from './second-factors.js';
import { enterWithPerson } from './users.js';

/** The second factors of a repository's users, as the tenant's members and machines see and reset them. */
export class UserFactors {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async get(actor: Actor, slug: string, userId: number): Promise<FactorsView> {
    authorize(actor, 'repositories:read');
    return this.#database.read({ tenantId: actor.tenantId }, async (tx) => {
      const { id: repositoryId } = (await enterWithPerson(tx, slug, userId)).repository;
      return presentFactors(await factorsOf(tx, { repositoryId, userId }));
    });
  }

  /**
   * Takes factors away from somebody who has lost them, or may have lost them to somebody else. When it resolves, no node
   * accepts a token or session of the user that is older. With the last factor the recovery codes go too, and where the
   * repository demands a factor the user sets a new one up at the next sign-in.
   *
   * @param factor `totp` or the id of a passkey; all, with the recovery codes, if absent.
   * @throws Problem `not-found` when the user has no such factor, or none at all.
   */
  async reset(actor: Actor, slug: string, userId: number, factor?: string): Promise<{ cutoff: CutoffView }> {
    authorize(actor, 'users:write');
    return carryOutCutoff(this.#database, actor, async (tx) => {
      const { repository } = await enterWithPerson(tx, slug, userId);
      const owner = { repositoryId: repository.id, userId };
      const generation = await raiseUserGeneration(tx, { repositoryId: repository.id, id: userId });
      if (!(await removeFactors(tx, owner, factor))) throw new Problem('not-found', 'The user has no such second factor.');
      const cutoff = await recordCutoff(tx, repository, { kind: 'user.factors-reset', userId, ended: { belowGeneration: generation } });
      const details = { factor: factor ?? 'all', cutoffId: cutoff.id };
      const deed = { action: 'user.factors-reset', repositoryId: repository.id, targetKind: 'user', targetId: String(userId), details };
      await audit(tx, actor, deed);
      await announce(tx, actor.tenantId, 'user.factors.reset', { ...owner, ...announced(cutoff) });
      return { cutoff, repositoryId: repository.id };
    });
  }
}

/** Removes one factor, or all; with the last one, the recovery codes. @returns whether there was anything to remove. */
export async function removeFactors(
  tx: EntityManager,
  owner: { repositoryId: string; userId: number },
  factor: string | undefined,
): Promise<boolean> {
  const results = [
    ...(factor === undefined || factor === 'totp' ? [await tx.delete(TotpSecret, owner)] : []),
    ...(factor === undefined ? [await tx.delete(Passkey, owner)] : []),
    ...(factor !== undefined && isId(factor) ? [await tx.delete(Passkey, { ...owner, id: factor })] : []),
  ];
  if (!results.some(({ affected }) => affected)) return false;
  if (!hasFactor(await factorsOf(tx, owner))) for (const rest of [RecoveryCode, FactorGuesses]) await tx.delete(rest, owner);
  return true;
}

export function presentFactors({ totp, recoveryCodesLeft, passkeys }: FactorsOfUser): FactorsView {
  return {
    totp: totp && { createdAt: totp.createdAt.toISOString() },
    recoveryCodesLeft,
    passkeys: passkeys.map(({ id, name, synced, createdAt, lastUsedAt }) => ({
      id,
      name,
      synced,
      createdAt: createdAt.toISOString(),
      lastUsedAt: lastUsedAt?.toISOString() ?? null,
    })),
  };
}
