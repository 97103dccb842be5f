import { slugSchema, type SlugAvailabilityView } from '@latchkey/contracts';
import { authorize, type Actor } from '@latchkey/access';
import { RepositorySlug, type Database } from '@latchkey/database';

/** Which slugs are left in the installation. */
export class Slugs {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Whether a repository could have the slug now. Whose it is, if somebody's, is not told. */
  async look(actor: Actor, slug: string): Promise<SlugAvailabilityView> {
    authorize(actor, 'repositories:write');
    const fault = slugSchema.safeParse(slug).error?.issues[0]?.message;
    if (fault !== undefined) return { slug, available: false, fault };
    // Slugs are unique in the installation, so no tenant's scope holds the answer.
    const taken = await this.#database.read('system', (tx) => tx.existsBy(RepositorySlug, { slug }));
    return { slug, available: !taken, fault: taken ? 'is or was in use' : null };
  }
}
