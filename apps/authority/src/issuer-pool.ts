import { LRUCache } from 'lru-cache';
import type { KnownRepository } from '@latchkey/credentials';
import type { Authority } from './authority.js';
import { createIssuer } from './create-issuer.js';
import type { Issuer } from './issuer.js';
import { loadSettings, type IssuerSettings } from './issuer-settings.js';

/** Issuers that a process keeps built at most: each takes 60 to 150 KB. */
const maxIssuers = 2_000;

/** What is known of one version of a repository's settings. */
interface Known {
  settingsVersion: number;
  settings: Promise<IssuerSettings>;
  /** By their address: the repository's own, and that at its domain. */
  issuers: Map<string, Promise<Issuer>>;
}

/**
 * The issuers that this process has built. Each is built at its first use, which takes a millisecond or two, and again when
 * the version of the repository's settings has changed or another of its keys begins to sign. A request that is under way
 * keeps the issuer it began with.
 */
export class IssuerPool {
  readonly #authority: Authority;
  readonly #known = new LRUCache<string, Known>({ max: maxIssuers });

  constructor(authority: Authority) {
    this.#authority = authority;
  }

  /**
   * The issuer of an active repository. Asks the primary, every time, whether it is active and which settings it has.
   *
   * @param url the issuer, if it is not the repository's own address.
   * @returns nothing when there is no such repository, or it is suspended or deleted.
   */
  async find(slug: string, url = this.#authority.addresses.of(slug)): Promise<Issuer | undefined> {
    const repository = await this.#authority.directory.find(slug);
    if (!repository) return undefined;
    const answer = await this.#authority.check.ask({ repositoryId: repository.id });
    if (!answer?.repository.alive) return undefined;
    const known = await this.#current(repository, answer.repository.settingsVersion);
    const issuer = known.issuers.get(url) ?? known.settings.then((settings) => createIssuer(this.#authority, repository, url, settings));
    known.issuers.set(url, issuer);
    return issuer;
  }

  /** The settings of a repository, of the version that a check in this very request has named. */
  async settings(repository: KnownRepository, settingsVersion: number): Promise<IssuerSettings> {
    return (await this.#current(repository, settingsVersion)).settings;
  }

  async #current(repository: KnownRepository, settingsVersion: number): Promise<Known> {
    const known = this.#known.get(repository.id);
    if (known?.settingsVersion === settingsVersion) {
      if ((await known.settings).until > Date.now()) return known;
      // Of requests that find this out at once the first loads, and the others wait with it.
      const later = this.#known.get(repository.id);
      if (later && later !== known) return later;
    }
    const loaded: Known = { settingsVersion, settings: loadSettings(this.#authority, repository), issuers: new Map() };
    this.#known.set(repository.id, loaded);
    // A failure is not remembered: the next request tries again.
    loaded.settings.catch(() => {
      if (this.#known.peek(repository.id) === loaded) this.#known.delete(repository.id);
    });
    return loaded;
  }
}
