import type { KeyRing } from '@latchkey/credentials';
import { IdentityProvider, type Database } from '@latchkey/database';
import { GitHub } from './github.js';
import { OpenIdOutside } from './openid-outside.js';
import type { OutsideProvider } from './outside-provider.js';

/** The identity providers of repositories, ready to be asked. */
export class Federation {
  readonly #database: Database;
  readonly #encryption: KeyRing;
  readonly #allowPrivateAddresses: boolean;

  constructor(database: Database, encryption: KeyRing, { allowPrivateAddresses }: { allowPrivateAddresses: boolean }) {
    this.#database = database;
    this.#encryption = encryption;
    this.#allowPrivateAddresses = allowPrivateAddresses;
  }

  /** The enabled provider of a repository, as it is set up now, and how to ask it. */
  async find(repositoryId: string, id: string): Promise<{ settings: IdentityProvider; outside: OutsideProvider } | undefined> {
    const settings = await this.#database.read({ repositoryId }, (tx) =>
      tx.findOneBy(IdentityProvider, { repositoryId, id, enabled: true }),
    );
    return settings ? { settings, outside: this.#outside(settings) } : undefined;
  }

  #outside({ kind, issuer, clientId, clientSecret: sealed, encryptionKeyId }: IdentityProvider): OutsideProvider {
    const allowPrivateAddresses = this.#allowPrivateAddresses;
    const clientSecret = sealed && encryptionKeyId ? this.#encryption.open(encryptionKeyId, sealed).toString() : undefined;
    return kind === 'github'
      ? new GitHub({ url: issuer, clientId, clientSecret: clientSecret ?? '', allowPrivateAddresses })
      : new OpenIdOutside({ issuer, clientId, clientSecret, allowPrivateAddresses });
  }
}
