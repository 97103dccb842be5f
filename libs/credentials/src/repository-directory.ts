import type { Environment } from '@latchkey/contracts';
import type { Pool } from '@latchkey/database';
import type { DomainTemplate } from '@latchkey/runtime';

/** What identifies a repository. It never changes. */
export interface KnownRepository {
  tenantId: string;
  id: string;
  slug: string;
  environment: Environment;
}

/** Repositories that a process remembers at most: about 20 MB. */
const remembered = 100_000;

/**
 * Finds repositories by slug. What it found it remembers, because a slug is never given to another repository; what it did
 * not find it does not, so that strangers' guesses fill nothing and a repository is there the moment it was made.
 *
 * Says nothing about whether the repository is alive: that is what `CredentialCheck` is for.
 */
export class RepositoryDirectory {
  readonly #pool: Pool;
  readonly #known = new Map<string, KnownRepository>();

  /** @param pool from `connectForChecks`. */
  constructor(pool: Pool) {
    this.#pool = pool;
  }

  /** The slug of the repository that answers at this domain. Never remembered: whoever gives a domain up is done with it at once. */
  async findByDomain(domain: string): Promise<string | undefined> {
    const { rows } = await this.#pool.query<{ slug: string | null }>({
      name: 'find-repository-by-domain',
      text: 'SELECT find_repository_by_domain($1) AS slug',
      values: [domain],
    });
    return rows[0]?.slug ?? undefined;
  }

  async find(slug: string): Promise<KnownRepository | undefined> {
    const known = this.#known.get(slug);
    if (known) return known;
    const { rows } = await this.#pool.query<{ tenant_id: string; id: string; environment: Environment }>({
      name: 'find-repository',
      text: 'SELECT tenant_id, id, environment FROM find_repository($1)',
      values: [slug],
    });
    const [row] = rows;
    if (!row) return undefined;
    const repository = { tenantId: row.tenant_id, id: row.id, slug, environment: row.environment };
    if (this.#known.size >= remembered) this.#known.delete(this.#known.keys().next().value as string);
    this.#known.set(slug, repository);
    return repository;
  }
}

/** Whether an issuer is that of a domain that the repository has now; for `TokenVerifier`. One statement. */
export function issuersAtDomains(directory: RepositoryDirectory, urls: DomainTemplate): (slug: string, issuer: string) => Promise<boolean> {
  return async (slug, issuer) => {
    const domain = urls.domainOf(issuer);
    return domain !== undefined && (await directory.findByDomain(domain)) === slug;
  };
}
