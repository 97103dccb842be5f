import type { IncomingMessage } from 'node:http';
import proxyAddress from 'proxy-addr';
import {
  CredentialCheck,
  issuersAtDomains,
  RepositoryDirectory,
  SigningKeys,
  TokenVerifier,
  UseRecorder,
  warnOfLackingPeppers,
  type KeyRing,
} from '@latchkey/credentials';
import { connectForChecks, Database, warnOfConnections } from '@latchkey/database';
import type { AddressTemplate, DomainTemplate, Logger } from '@latchkey/runtime';
import { audienceOf, Invitations, OwnAccounts, Refusals, SecondFactors, SignUps } from '@latchkey/tenancy';
import type { Config } from './config.js';
import { Federation } from './federation/federation.js';
import { Guessing } from './guessing.js';
import { Attempts, Requests } from './people/attempts.js';

/** What every issuer of this process shares. */
export interface Authority {
  database: Database;
  check: CredentialCheck;
  directory: RepositoryDirectory;
  keys: SigningKeys;
  verifier: TokenVerifier;
  invitations: Invitations;
  /** Absent where strangers cannot become customers by themselves. */
  signUps: SignUps | undefined;
  secondFactors: SecondFactors;
  accounts: OwnAccounts;
  /** Identity providers outside. */
  federation: Federation;
  uses: UseRecorder;
  guessing: Guessing;
  attempts: Attempts;
  requests: Requests;
  /** Who was not let in, for the audit trail. */
  refusals: Refusals;
  peppers: KeyRing;
  encryption: KeyRing;
  addresses: AddressTemplate;
  /** Where repositories answer at domains of their tenants. */
  domains: DomainTemplate;
  portalUrl: string;
  /** Whether the addresses that clients register may be inside. */
  allowPrivateAddresses: boolean;
  /** Whom a repository's access tokens are for. */
  audienceOf: (slug: string) => string;
  /** The address that a request came from, behind the proxies that are trusted. */
  addressOf: (request: IncomingMessage | undefined) => string;
  log: Logger;
  close: () => Promise<void>;
}

/** Connects to the database and makes what the issuers need. */
export async function openAuthority(config: Config, log: Logger): Promise<Authority> {
  const { DATABASE_URL: url, SECRET_PEPPERS: peppers, KEY_ENCRYPTION_KEYS: encryption, AUTHORITY_URL_TEMPLATE: addresses } = config;
  const applicationName = config.NODE_NAME ?? 'authority';
  const database = await Database.connect({ url, applicationName, poolSize: config.DATABASE_POOL_SIZE });
  await warnOfConnections(database, config.DATABASE_POOL_SIZE, log);
  await warnOfLackingPeppers(database, peppers, log);
  const checks = connectForChecks({ url, applicationName });
  const check = new CredentialCheck(checks);
  const directory = new RepositoryDirectory(checks);
  const domains = config.CUSTOM_DOMAIN_URL_TEMPLATE;
  const keys = new SigningKeys(database);
  const uses = new UseRecorder(checks, (error) => log.error({ err: error }, 'uses could not be recorded'));
  const refusals = new Refusals(database, (error) => log.error({ err: error }, 'refusals could not be written to the audit trail'));
  const trusted = proxyAddress.compile(config.TRUSTED_PROXIES);
  const audience = (slug: string) =>
    audienceOf(slug, { repositoryUrls: config.REPOSITORY_URL_TEMPLATE, tenantApiUrl: config.TENANT_API_URL });
  return {
    database,
    check,
    directory,
    keys,
    verifier: new TokenVerifier({
      check,
      keys,
      issuerOf: (slug) => addresses.of(slug),
      isIssuerOf: issuersAtDomains(directory, domains),
      audienceOf: audience,
    }),
    invitations: new Invitations(database, peppers),
    signUps: config.NEW_TENANTS === 'open' ? new SignUps(database, peppers) : undefined,
    secondFactors: new SecondFactors({ database, peppers, encryption }),
    accounts: new OwnAccounts(database, peppers),
    federation: new Federation(database, encryption, { allowPrivateAddresses: config.FEDERATION_ALLOW_PRIVATE_ADDRESSES }),
    uses,
    guessing: new Guessing(),
    attempts: new Attempts(),
    requests: new Requests(),
    refusals,
    addressOf: (request) => (request ? proxyAddress(request, trusted) : ''),
    peppers,
    encryption,
    addresses,
    domains,
    portalUrl: config.PORTAL_URL,
    allowPrivateAddresses: config.CLIENT_ALLOW_PRIVATE_ADDRESSES,
    audienceOf: audience,
    log,
    close: async () => {
      await Promise.all([uses.close(), refusals.close()]);
      await checks.end();
      await database.close();
    },
  };
}
