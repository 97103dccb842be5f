import type { IncomingMessage } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import type { Answer, KnownRepository } from '@latchkey/credentials';
import type { Authority } from './authority.js';
import { createIssuer } from './create-issuer.js';
import type { Issuer } from './issuer.js';
import { loadSettings, type IssuerSettings } from './issuer-settings.js';
import { namedClient } from './named-client.js';
import { stateOfRequest } from './request-state.js';

/** Repositories whose settings and keys a process remembers at most: each takes 2.4 KB of heap and up to 20 KB beside it. */
const maxSettings = 10_000;

/** Issuers that it keeps built at most: each takes 49 KB of heap. A tool's usual request for a token needs none. */
const maxIssuers = 2_000;

/**
 * The issuers that this process has built, and the settings that they are built from. Each is built at its first use, which
 * takes a millisecond or two, and again when the version of the repository's settings has changed or another of its keys
 * begins to sign. A request that is under way keeps the issuer it began with. The least used make way for others.
 */
export class IssuerPool {
  readonly #authority: Authority;
  /** By repository. */
  readonly #settings = new LRUCache<string, { settingsVersion: number; settings: Promise<IssuerSettings> }>({ max: maxSettings });
  /** By their address: the repository's own, or that at its domain. */
  readonly #issuers = new LRUCache<string, { settings: IssuerSettings; issuer: Promise<Issuer> }>({ max: maxIssuers });
  /** When the last of those that are to be built will have been. */
  #built: Promise<unknown> = Promise.resolve();

  constructor(authority: Authority) {
    this.#authority = authority;
  }

  /**
   * The issuer of an active repository. Asks the primary, every time, whether it is active and which settings it has, and of the
   * client that the request names with it, unless the express lane has in this very request.
   *
   * @param path below the repository's address, with its query.
   * @param url the issuer, if it is not the repository's own address.
   * @returns nothing when there is no such repository, or it is suspended or deleted.
   */
  async find(slug: string, path: string, request: IncomingMessage, url = this.#authority.addresses.of(slug)): Promise<Issuer | undefined> {
    const repository = await this.#authority.directory.find(slug);
    if (!repository) return undefined;
    const state = stateOfRequest(request);
    const answer = state.named ? state.named.answer : await this.#ask(repository.id, path, request);
    if (!answer?.repository.alive) return undefined;
    const settings = await this.settings(repository, answer.repository.settingsVersion);
    const known = this.#issuers.get(url);
    if (known?.settings === settings) return known.issuer;
    const issuer = this.#build(() => createIssuer(this.#authority, repository, url, settings));
    const built = { settings, issuer };
    this.#issuers.set(url, built);
    issuer.catch(() => {
      if (this.#issuers.peek(url) === built) this.#issuers.delete(url);
    });
    return issuer;
  }

  async #ask(repositoryId: string, path: string, request: IncomingMessage): Promise<Answer | undefined> {
    const clientId = await namedClient(path, request);
    if (clientId === undefined) return this.#authority.check.ask({ repositoryId });
    const answer = await this.#authority.check.ask({ repositoryId, clientId, withSecrets: true });
    stateOfRequest(request).named = { repositoryId, clientId, answer };
    return answer;
  }

  /** One in each turn of the event loop, so that however many are asked for at once, others wait for one at most. */
  #build(build: () => Issuer): Promise<Issuer> {
    const issuer = this.#built.then(() => nextTurn()).then(build);
    this.#built = issuer.catch(() => undefined);
    return issuer;
  }

  /** The settings of a repository, of the version that a check in this very request has named. */
  async settings(repository: KnownRepository, settingsVersion: number): Promise<IssuerSettings> {
    const known = this.#settings.get(repository.id);
    if (known?.settingsVersion === settingsVersion) {
      const settings = await known.settings;
      if (settings.until > Date.now()) return settings;
      // Of requests that find this out at once the first loads, and the others wait with it.
      const later = this.#settings.get(repository.id);
      if (later && later !== known) return later.settings;
    }
    const loaded = { settingsVersion, settings: loadSettings(this.#authority, repository) };
    this.#settings.set(repository.id, loaded);
    // A failure is not remembered: the next request tries again.
    loaded.settings.catch(() => {
      if (this.#settings.peek(repository.id) === loaded) this.#settings.delete(repository.id);
    });
    return loaded.settings;
  }
}
