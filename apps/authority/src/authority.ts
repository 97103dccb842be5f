import { CredentialCheck, RepositoryDirectory, SigningKeys, TokenVerifier, type KeyRing } from '@latchkey/credentials';
import { connectForChecks, Database } from '@latchkey/database';
import type { AddressTemplate, Logger } from '@latchkey/runtime';
import { audienceOf, Invitations } from '@latchkey/tenancy';
import type { Config } from './config.js';

/** What every issuer of this process shares. */
export interface Authority {
  database: Database;
  check: CredentialCheck;
  directory: RepositoryDirectory;
  keys: SigningKeys;
  verifier: TokenVerifier;
  invitations: Invitations;
  peppers: KeyRing;
  encryption: KeyRing;
  addresses: AddressTemplate;
  portalUrl: string;
  /** Whom a repository's access tokens are for. */
  audienceOf: (slug: string) => string;
  log: Logger;
  close: () => Promise<void>;
}

/** Connects to the database and makes what the issuers need. */
export async function openAuthority(config: Config, log: Logger): Promise<Authority> {
  const { DATABASE_URL: url, SECRET_PEPPERS: peppers, KEY_ENCRYPTION_KEYS: encryption, AUTHORITY_URL_TEMPLATE: addresses } = config;
  const applicationName = config.NODE_NAME ?? 'authority';
  const database = await Database.connect({ url, applicationName });
  const checks = connectForChecks({ url, applicationName });
  const check = new CredentialCheck(checks);
  const keys = new SigningKeys(database);
  const audience = (slug: string) =>
    audienceOf(slug, { repositoryUrls: config.REPOSITORY_URL_TEMPLATE, tenantApiUrl: config.TENANT_API_URL });
  return {
    database,
    check,
    directory: new RepositoryDirectory(checks),
    keys,
    verifier: new TokenVerifier({ check, keys, issuerOf: (slug) => addresses.of(slug), audienceOf: audience }),
    invitations: new Invitations(database, peppers),
    peppers,
    encryption,
    addresses,
    portalUrl: config.PORTAL_URL,
    audienceOf: audience,
    log,
    close: async () => {
      await checks.end();
      await database.close();
    },
  };
}
