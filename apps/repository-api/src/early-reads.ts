import { LRUCache } from 'lru-cache';
import type { Answer } from './answer.js';
import type { Identified } from './authentication.js';

/** Callers that a process remembers at most: about 10 MB. */
const remembered = 10_000;

/**
 * Reads what a request asks for while the primary is still asked whether its credential is alive, so that the two take as long
 * as one.
 *
 * Who presented the same credential the last time is remembered, and believed for no more than this: what to read in the
 * meantime. Nobody is answered before the check of this very request; and when it says anything else than the last time, were
 * it one permission, what was read is thrown away, and read again as whoever it says. A credential that is refused is no longer
 * remembered, so that a dead one costs one read of each process, and then none.
 *
 * Only for requests that change nothing, whose answers hold nothing open.
 */
export class EarlyReads {
  readonly #last = new LRUCache<string, Identified>({ max: remembered });

  /**
   * @param presented what tells the repository and the credential from all others; a digest, since it is remembered.
   * @param identify the check of this request.
   * @throws what `identify` throws, or else what `read` throws for whom it names.
   */
  async answer(presented: string, identify: () => Promise<Identified>, read: (who: Identified) => Promise<Answer>): Promise<Answer> {
    const last = this.#last.get(presented);
    const early = last && read(last);
    early?.catch(() => undefined); // It is waited for below, if it is of use to anybody.
    let identified: Identified;
    try {
      identified = await identify();
    } catch (error) {
      this.#last.delete(presented);
      throw error;
    }
    if (early && isSame(last, identified)) return early;
    this.#last.set(presented, identified);
    return read(identified);
  }
}

function isSame(one: Identified, other: Identified): boolean {
  const [a, b] = [one.caller, other.caller];
  return (
    one.clientId === other.clientId &&
    a.userId === b.userId &&
    a.repositoryId === b.repositoryId &&
    a.tenantId === b.tenantId &&
    a.permissions.size === b.permissions.size &&
    [...a.permissions].every((permission) => b.permissions.has(permission))
  );
}
