import { LRUCache } from 'lru-cache';
import type { KnownRepository } from '@latchkey/credentials';
import type { Authority } from './authority.js';
import { createIssuer } from './create-issuer.js';
import type { Issuer } from './issuer.js';

/** Issuers that a process keeps built at most: each takes 60 to 150 KB. */
const maxIssuers = 2_000;

/**
 * The issuers that this process has built. Each is built at its first use, which takes a millisecond or two, and again when
 * the version of the repository's settings has changed or another of its keys begins to sign. A request that is under way keeps the issuer it began with.
 */
export class IssuerPool {
  readonly #authority: Authority;
  readonly #issuers = new LRUCache<string, { settingsVersion: number; issuer: Promise<Issuer> }>({ max: maxIssuers });

  constructor(authority: Authority) {
    this.#authority = authority;
  }

  /**
   * The issuer of an active repository. Asks the primary, every time, whether it is active and which settings it has.
   *
   * @returns nothing when there is no such repository, or it is suspended or deleted.
   */
  async find(slug: string): Promise<Issuer | undefined> {
    const repository = await this.#authority.directory.find(slug);
    if (!repository) return undefined;
    const answer = await this.#authority.check.ask({ repositoryId: repository.id });
    if (!answer?.repository.alive) return undefined;
    return this.#build(repository, answer.repository.settingsVersion);
  }

  async #build(repository: KnownRepository, settingsVersion: number): Promise<Issuer> {
    const built = this.#issuers.get(repository.id);
    if (built?.settingsVersion === settingsVersion) {
      const known = await built.issuer;
      if (known.until > Date.now()) return known;
      // Of requests that find this out at once the first builds, and the others wait with it.
      const later = this.#issuers.get(repository.id);
      if (later && later !== built) return later.issuer;
    }
    const issuer = createIssuer(this.#authority, repository);
    this.#issuers.set(repository.id, { settingsVersion, issuer });
    // A failure is not remembered: the next request tries again.
    issuer.catch(() => this.#issuers.delete(repository.id));
    return issuer;
  }
}
