import type { KnownRepository } from '@latchkey/credentials';
import { Client, Repository, type Database } from '@latchkey/database';

/** For how long an origin may go on being allowed after it was taken away. One that is new is allowed at once. */
const rememberedMillis = 5_000;

/** Repositories whose origins are remembered at most. */
const rememberedRepositories = 10_000;

interface Remembered {
  origins: Set<string>;
  until: number;
}

/** Knows whose pages may call a repository. */
export class CrossOrigin {
  readonly #database: Database;
  readonly #remembered = new Map<string, Remembered>();

  constructor(database: Database) {
    this.#database = database;
  }

  /**
   * True when pages of this origin may call the repository: when the settings name it, or an app client sends people back
   * to it. Two statements for an origin that is not remembered, none for one that is.
   */
  async allows(repository: KnownRepository, origin: string): Promise<boolean> {
    const known = this.#remembered.get(repository.id);
    if (known && known.until > Date.now() && known.origins.has(origin)) return true;
    const origins = await this.#read(repository);
    if (this.#remembered.size >= rememberedRepositories) this.#remembered.clear();
    this.#remembered.set(repository.id, { origins, until: Date.now() + rememberedMillis });
    return origins.has(origin);
  }

  async #read({ tenantId, id }: KnownRepository): Promise<Set<string>> {
    return this.#database.read({ tenantId, repositoryId: id }, async (tx) => {
      const repository = await tx.findOneBy(Repository, { tenantId, id });
      const clients = await tx
        .createQueryBuilder(Client, 'c')
        .where(`c.repositoryId = :id AND c.kind = 'app' AND c.deletedAt IS NULL`, { id })
        .getMany();
      const redirects = clients.flatMap((client) => client.redirectUris.map((uri) => new URL(uri)));
      // An app with a scheme of its own has no origin.
      const ofApps = redirects.filter(({ protocol }) => /^https?:$/.test(protocol)).map(({ origin }) => origin);
      return new Set([...(repository?.settings.allowedOrigins ?? []), ...ofApps]);
    });
  }
}

/** What an allowed origin is told (Fetch §3.2), in answers and pre-flights alike. */
export function crossOriginHeaders(origin: string): Record<string, string> {
  return {
    'access-control-allow-origin': origin,
    'access-control-allow-credentials': 'true',
    'access-control-expose-headers': 'ETag, WWW-Authenticate, Retry-After, RateLimit, RateLimit-Policy, X-Request-Id',
  };
}

export const preflightHeaders = {
  'access-control-allow-methods': 'GET, POST, PATCH, PUT, DELETE, MERGE, HEAD',
  'access-control-allow-headers':
    'Authorization, DPoP, Content-Type, Content-Range, Content-Disposition, If-Match, apikey, X-Authentication-Type, X-Refresh-Data, X-Access-Data, X-Requested-With',
  'access-control-max-age': '600',
};
