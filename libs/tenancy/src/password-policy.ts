import { passwordLengths, Problem, shortestPassword } from '@latchkey/contracts';
import { passwordFault, type PasswordFault } from '@latchkey/credentials';
import { Repository, type EntityManager } from '@latchkey/database';

const words: Record<PasswordFault, (shortest: number) => string> = {
  tooShort: (shortest) => `must be at least ${shortest} characters`,
  tooLong: () => `must be at most ${passwordLengths.longest} characters`,
  common: () => 'is one that many people use, which is tried first',
  repetitive: () => 'repeats or counts the same characters',
  personal: () => 'is made of the name of the repository, the login name or the address',
};

/** A password that nobody may choose here, with its fault for pages that say it in their own words. */
export class PasswordRefused extends Problem {
  constructor(
    readonly fault: PasswordFault,
    readonly shortest: number,
  ) {
    const detail = words[fault](shortest);
    super('invalid-request', `The password ${detail}.`, { errors: [{ pointer: '/password', detail }] });
  }
}

/** What a password must not be made of. */
export interface PasswordOwner {
  loginName?: string | null | undefined;
  name?: string | null | undefined;
  email?: string | null | undefined;
}

/** Holds a new password against the rules of its repository. @throws PasswordRefused. */
export function refusePassword(repository: Pick<Repository, 'name' | 'slug' | 'settings'>, password: string, owner: PasswordOwner): void {
  const shortest = shortestPassword(repository.settings);
  const fault = passwordFault(password, { shortest, words: [repository.name, repository.slug, owner.loginName, owner.name, owner.email] });
  if (fault) throw new PasswordRefused(fault, shortest);
}

/** Likewise, in a transaction that sees the repository. */
export async function refusePasswordAt(tx: EntityManager, repositoryId: string, password: string, owner: PasswordOwner): Promise<void> {
  refusePassword(await tx.findOneByOrFail(Repository, { id: repositoryId }), password, owner);
}
