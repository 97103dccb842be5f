import {
  Problem,
  repositoryPermissions,
  tenantPermissions,
  type ConsoleView,
  type NewSecretView,
  type SecondFactorMode,
} from '@latchkey/contracts';
import { audit, systemActor } from '@latchkey/access';
import { wellKnown } from '@latchkey/content';
import { insertClient, insertSecret, type KeyRing, type KnownRepository, type RepositoryDirectory } from '@latchkey/credentials';
import { Client, isId, newId, Repository, Tenant, type Database, type EntityManager } from '@latchkey/database';
import type { AddressTemplate } from '@latchkey/runtime';
import { installCanary } from './canary.js';
import { createInvitation } from './invitations.js';
import { keptDays, provision } from './repositories.js';

/** The slug of the built-in repository whose authority signs members in. No customer can take it. */
export const consoleSlug = 'console';

export interface InstallationOptions {
  database: Database;
  peppers: KeyRing;
  encryption: KeyRing;
  authorityUrls: AddressTemplate;
  /** Where the portal is; members are sent back there after signing in. */
  portalUrl: string;
  /** Whether members must prove a second factor at the console; stays as it is if absent. */
  secondFactor?: SecondFactorMode;
}

/** What a new tenant begins with. It is shown once. */
export interface NewTenant {
  id: string;
  /** Opens a form in which a person becomes the owner. */
  ownerLink: string;
  credential: { clientId: string; secret: NewSecretView };
}

/**
 * Makes what an installation needs to be used: the console with its clients, what the canary works on, the first tenant, a
 * credential of it, and a link for its owner. Everything in one transaction, so that a start that is cut short leaves
 * nothing half made.
 *
 * @returns what to show, at the first start; nothing afterwards.
 */
export async function install(options: InstallationOptions): Promise<NewTenant | undefined> {
  return options.database.transaction('system', async (tx) => {
    await tx.query('SELECT pg_advisory_xact_lock(7160522703)');
    const existing = await tx.findOneBy(Repository, { slug: consoleSlug });
    if (existing) {
      await pointPortalClient(tx, existing.id, options.portalUrl);
      await setSecondFactor(tx, existing.id, options.secondFactor);
      await installCanary(tx, options, existing);
      return undefined;
    }
    const { repository, appClient } = await provisionConsole(tx, options);
    await pointPortalClient(tx, repository.id, options.portalUrl, appClient.id);
    await setSecondFactor(tx, repository.id, options.secondFactor);
    await installCanary(tx, options, repository);
    return makeTenant(tx, options, repository, 'First tenant');
  });
}

async function provisionConsole(tx: EntityManager, options: InstallationOptions) {
  const tenantId = newId();
  await tx.insert(Tenant, { id: tenantId, name: 'Latchkey' });
  return provision(tx, options, {
    tenantId,
    slug: consoleSlug,
    name: 'Latchkey',
    environment: 'production',
    plan: 'enterprise',
    permissions: [...tenantPermissions, ...repositoryPermissions],
  });
}

/**
 * Adds a tenant to an installation, as its operator does, with a link for its owner and a first credential.
 *
 * @throws Error when the installation has not been set up.
 */
export async function addTenant(options: InstallationOptions, name: string): Promise<NewTenant> {
  return options.database.transaction('system', async (tx) => {
    const consoleRepository = await tx.findOneBy(Repository, { slug: consoleSlug });
    if (!consoleRepository) throw new Error('the installation has no console yet: run the setup first');
    return makeTenant(tx, options, consoleRepository, name);
  });
}

/**
 * Brings a deleted tenant back, as its operator does, with a link for an owner and a first credential. Nothing else of it comes back
 * by itself: the owner restores its repositories, as long as each is kept.
 *
 * @throws Error when there is no such tenant that was deleted, or it was for more than 30 days.
 */
export async function restoreTenant(options: InstallationOptions, tenantId: string): Promise<NewTenant> {
  return options.database.transaction('system', async (tx) => {
    const consoleRepository = await tx.findOneByOrFail(Repository, { slug: consoleSlug });
    const tenant = isId(tenantId) ? await tx.findOneBy(Tenant, { id: tenantId }) : null;
    if (!tenant?.deletedAt) throw new Error('there is no such tenant that was deleted: its id is in the audit trail');
    // One statement decides, whatever removes or restores it at the same moment.
    const [, restored] = await tx.query<[unknown[], number]>(
      `UPDATE tenants SET deleted_at = NULL
       WHERE id = $1 AND deleted_at > now() - make_interval(days => $2) AND purge_began_at IS NULL`,
      [tenantId, keptDays],
    );
    if (restored === 0) throw new Error(`the tenant was deleted more than ${keptDays} days ago: what it had is gone for good`);
    return giveWaysIn(tx, options, consoleRepository, tenantId, 'tenant.restored');
  });
}

/** Makes a tenant in the transaction at hand, which is `system`. */
export async function makeTenant(
  tx: EntityManager,
  options: Pick<InstallationOptions, 'peppers' | 'authorityUrls'>,
  consoleRepository: Pick<Repository, 'id' | 'environment'>,
  name: string,
): Promise<NewTenant> {
  const tenantId = newId();
  await tx.insert(Tenant, { id: tenantId, name });
  return giveWaysIn(tx, options, consoleRepository, tenantId, 'tenant.created');
}

async function giveWaysIn(
  tx: EntityManager,
  options: Pick<InstallationOptions, 'peppers' | 'authorityUrls'>,
  consoleRepository: Pick<Repository, 'id' | 'environment'>,
  tenantId: string,
  action: 'tenant.created' | 'tenant.restored',
): Promise<NewTenant> {
  const owner = { repositoryId: consoleRepository.id, tenantId };
  const client = await insertClient(tx, {
    ...owner,
    kind: 'tenant',
    name: 'First credential',
    userId: wellKnown.publicAdmin,
    permissions: [...tenantPermissions],
  });
  const secret = await insertSecret(tx, options.peppers, { ...owner, clientId: client.id, environment: consoleRepository.environment });
  const operator = systemActor(tenantId, 'setup');
  await audit(tx, operator, { action, targetKind: 'tenant', targetId: tenantId });
  const made = { action: 'client.created', repositoryId: owner.repositoryId, targetKind: 'client', targetId: client.id };
  await audit(tx, operator, { ...made, details: { kind: client.kind } });
  const token = await createInvitation(tx, options.peppers, { ...owner, userId: null, role: 'owner', invitedBy: null, invitedWith: null });
  const ownerLink = `${options.authorityUrls.of(consoleSlug)}/invitation/${token}`;
  return { id: tenantId, ownerLink, credential: { clientId: client.id, secret } };
}

/** The portal's address is configuration and may change between starts; its client follows. */
async function pointPortalClient(tx: EntityManager, repositoryId: string, portalUrl: string, clientId?: string): Promise<void> {
  const where = clientId ? { repositoryId, id: clientId } : { repositoryId, kind: 'app' as const, isDefault: true };
  await tx.update(Client, where, {
    name: 'Latchkey portal',
    redirectUris: [`${portalUrl}/signed-in`],
    postLogoutRedirectUris: [`${portalUrl}/`],
  });
}

/** Configuration like the portal's address: nobody is a member of the tenant that the console belongs to. */
async function setSecondFactor(tx: EntityManager, repositoryId: string, mode: SecondFactorMode | undefined): Promise<void> {
  if (mode === undefined) return;
  await tx.query(
    `UPDATE repositories SET settings = settings || jsonb_build_object('secondFactor', $2::text), settings_version = settings_version + 1
     WHERE id = $1 AND settings ->> 'secondFactor' IS DISTINCT FROM $2::text`,
    [repositoryId, mode],
  );
}

/** Finds the console. @throws Problem `unavailable` before the installation was set up. */
export async function findConsole(directory: RepositoryDirectory): Promise<KnownRepository> {
  const repository = await directory.find(consoleSlug);
  if (!repository) throw new Problem('unavailable', 'The installation is not set up yet.', { retryAfterSeconds: 1 });
  return repository;
}

export interface ConsoleOptions {
  database: Database;
  directory: RepositoryDirectory;
  authorityUrls: AddressTemplate;
  /** Whether strangers can sign up. */
  signUp: boolean;
}

/** Where members sign in, and as which client the portal does it. Nothing of it is secret. */
export class Console {
  readonly #options: ConsoleOptions;

  constructor(options: ConsoleOptions) {
    this.#options = options;
  }

  /** @throws Problem `unavailable` before the installation was set up. */
  async describe(): Promise<ConsoleView> {
    const { database, directory, authorityUrls, signUp } = this.#options;
    const repository = await findConsole(directory);
    const where = { repositoryId: repository.id, kind: 'app' as const, isDefault: true };
    const client = await database.read({ repositoryId: repository.id }, (tx) => tx.findOneByOrFail(Client, where));
    const authority = authorityUrls.of(consoleSlug);
    return { authority, clientId: client.id, signUpUrl: signUp ? `${authority}/sign-up` : null };
  }
}

/**
 * Whom a repository's access tokens are for (RFC 9068 §3): its repository API; at the console, the tenant API.
 */
export function audienceOf(slug: string, urls: { repositoryUrls: AddressTemplate; tenantApiUrl: string }): string {
  return slug === consoleSlug ? urls.tenantApiUrl : urls.repositoryUrls.of(slug);
}
