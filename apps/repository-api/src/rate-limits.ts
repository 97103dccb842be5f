import { Limiters } from '@latchkey/access';
import type { KnownRepository } from '@latchkey/credentials';
import type { Database } from '@latchkey/database';
import type { Logger } from '@latchkey/runtime';
import { ODataFault } from './odata/fault.js';

const windowSeconds = 60;

/** For how long a repository's limit is remembered. */
const rememberedMillis = 5_000;
const rememberedRepositories = 10_000;

/** The limiter compares with nothing: what is allowed differs from repository to repository. */
const window = { keyPrefix: 'latchkey-calls', points: Number.MAX_SAFE_INTEGER, duration: windowSeconds };

/**
 * Keeps each credential to the calls in a minute that the repository's plan allows. They are counted as all `Limiters` count.
 */
export class RateLimits {
  readonly #database: Database;
  readonly #limiters: Limiters;
  readonly #counter: ReturnType<Limiters['of']>;
  readonly #remembered = new Map<string, { limit: number | null; until: number }>();

  /** @param redisUrl of the Redis that counts for all nodes. */
  constructor(database: Database, redisUrl: string | undefined, log: Logger) {
    this.#database = database;
    this.#limiters = new Limiters({ url: redisUrl, log });
    this.#counter = this.#limiters.of(window);
  }

  close(): void {
    this.#limiters.close();
  }

  /**
   * Counts one call: one round trip to Redis, if there is one. No statement, but for one each five seconds and repository.
   *
   * @param who the credential, or the address of a caller who has none.
   * @returns what the answer says about the limit (draft-ietf-httpapi-ratelimit-headers); nothing when there is none.
   * @throws ODataFault 429 with `Retry-After` when the credential has made as many as it may.
   */
  async count(repository: KnownRepository, who: string): Promise<Record<string, string>> {
    const limit = await this.#limitOf(repository);
    if (limit === null) return {};
    const { consumedPoints, msBeforeNext } = await this.#counter.consume(`${repository.id} ${who}`);
    const seconds = Math.ceil(msBeforeNext / 1_000);
    const headers = {
      'ratelimit-policy': `"credential";q=${limit};w=${windowSeconds}`,
      ratelimit: `"credential";r=${Math.max(0, limit - consumedPoints)};t=${seconds}`,
    };
    if (consumedPoints <= limit) return headers;
    throw new ODataFault(429, 'TooManyRequests', `A credential may make ${limit} calls in a minute. Try again in ${seconds} seconds.`, {
      ...headers,
      'retry-after': String(seconds),
    });
  }

  async #limitOf({ tenantId, id }: KnownRepository): Promise<number | null> {
    const known = this.#remembered.get(id);
    if (known && known.until > Date.now()) return known.limit;
    const [row] = await this.#database.read({ tenantId, repositoryId: id }, (tx) =>
      tx.query<{ limit: string | null }[]>(
        `SELECT repository_limits(settings) ->> 'requestsPerMinute' AS limit FROM repositories WHERE tenant_id = $1 AND id = $2`,
        [tenantId, id],
      ),
    );
    const limit = row?.limit == null ? null : Number(row.limit);
    if (this.#remembered.size >= rememberedRepositories) this.#remembered.clear();
    this.#remembered.set(id, { limit, until: Date.now() + rememberedMillis });
    return limit;
  }
}
