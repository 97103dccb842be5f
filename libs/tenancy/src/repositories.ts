import {
  Problem,
  repositoryPermissions,
  type CreateRepositoryBody,
  type CutoffView,
  type NewSecretView,
  type Page,
  type ProvisionedRepositoryView,
  type RepositoriesQuery,
  type RepositoryView,
  type UpdateRepositoryBody,
} from '@latchkey/contracts';
import { audit, authorize, carryOut, cursor, enter, pageOf, type Actor, type Person } from '@latchkey/access';
import { createContentRoot, createUser, wellKnown } from '@latchkey/content';
import {
  announced,
  carryOutCutoff,
  createSigningKey,
  insertClient,
  insertSecret,
  newClientId,
  recordCutoff,
  replaceSigningKey,
  type KeyRing,
  type PendingCutoff,
} from '@latchkey/credentials';
import {
  Client,
  hasInIt,
  inTurn,
  insertRows,
  newId,
  prepared,
  Repository,
  RepositorySlug,
  violatedConstraint,
  type Database,
  type EntityManager,
  type Plan,
  type RepositorySettings,
} from '@latchkey/database';
import { announce } from '@latchkey/jobs';
import type { AddressTemplate } from '@latchkey/runtime';
import { presentBranding } from './branding.js';

export interface RepositoriesOptions {
  database: Database;
  /** Under which secrets are hashed. */
  peppers: KeyRing;
  /** Under which signing keys are encrypted. */
  encryption: KeyRing;
  authorityUrls: AddressTemplate;
  repositoryUrls: AddressTemplate;
}

const month = 30 * 86_400;
const defaultSettings: RepositorySettings = {
  allowedOrigins: [],
  accessTokenSeconds: 600,
  toolTokenSeconds: 3600,
  refreshTokenSeconds: month,
  sessionSeconds: month,
  signingAlgorithm: 'ES256',
};

/**
 * How long what was deleted can be restored, be it a repository or a tenant. After that `purgeDeleted` removes it, by functions of
 * the database that keep to the same time.
 */
export const keptDays = 30;

/** What is needed to provision, whoever asks for it. */
export interface Blueprint extends CreateRepositoryBody {
  tenantId: string;
  /** What the app client and the tool client may do. */
  permissions?: readonly string[];
  /** The member who makes it becomes a user and an administrator of it. */
  maker?: Person | undefined;
  /** What it may hold. */
  plan?: Plan;
  /** What it will be known by; a fresh id if absent. */
  id?: string;
}

/**
 * Makes a repository whole: its row, its content root with the root users, both clients, the secret and a signing key, all
 * in the transaction at hand. When that commits, everything about the repository works on every node, because every node
 * asks the primary.
 *
 * Seven statements in one round trip, planned once for each connection; no password is hashed and no RSA key made, so that it
 * takes milliseconds.
 *
 * @throws Problem `slug-taken` when the slug is or ever was in use.
 */
export async function provision(
  tx: EntityManager,
  keys: { peppers: KeyRing; encryption: KeyRing },
  { id = newId(), tenantId, slug, name, environment, redirectUris = [], permissions = repositoryPermissions, maker, plan }: Blueprint,
): Promise<{ repository: Repository; appClient: Client; toolClient: Client; secret: NewSecretView }> {
  const scope = { tenantId, repositoryId: id };
  const repository = {
    tenantId,
    id,
    slug,
    name,
    environment,
    settings: { ...defaultSettings, ...(plan ? { plan } : {}) },
    settingsVersion: 1,
    generation: 1,
    createdAt: new Date(),
    suspendedAt: null,
    deletedAt: null,
    purgeBeganAt: null,
    purgedAt: null,
  };
  const client = { ...scope, isDefault: true, permissions: [...permissions] };
  const toolClientId = newClientId('tool');
  // Sent one after the other without waiting, in the order in which the one needs the other: PostgreSQL takes them so. The
  // key is made while it does.
  const [, , , appClient, toolClient, secret] = await inTurn(
    takeSlug(tx, slug, scope),
    createContentRoot(tx, { ...scope, name }),
    insertRows(tx, Repository, [repository]),
    insertClient(tx, { ...client, kind: 'app', name: 'App', redirectUris }),
    insertClient(tx, { ...client, id: toolClientId, kind: 'tool', name: 'Tool', userId: wellKnown.publicAdmin }),
    insertSecret(tx, keys.peppers, { ...scope, clientId: toolClientId, environment }),
    createSigningKey(tx, keys.encryption, { tenantId, id }, { algorithm: defaultSettings.signingAlgorithm }),
    maker && createUser(tx, wellKnown.admin, { ...scope, ...maker, passwordHash: null, administrator: true }),
  );
  return { repository, appClient, toolClient, secret };
}

async function takeSlug(tx: EntityManager, slug: string, of: { tenantId: string; repositoryId: string }): Promise<void> {
  try {
    await insertRows(tx, RepositorySlug, [{ slug, ...of }]);
  } catch (error) {
    if (violatedConstraint(error) !== 'repository_slugs_pkey') throw error;
    throw new Problem('slug-taken', `The slug ${JSON.stringify(slug)} is or was in use. Choose another.`, { cause: error });
  }
}

/** The repositories of a tenant, from provisioning to deletion. */
export class Repositories {
  readonly #options: RepositoriesOptions;

  constructor(options: RepositoriesOptions) {
    this.#options = options;
  }

  /**
   * Provisions a repository. When it resolves, discovery, tokens and the repository API work on every node.
   *
   * @throws Problem `slug-taken`, `quota-exceeded`, `idempotency-replayed`.
   */
  async create(actor: Actor, body: CreateRepositoryBody): Promise<ProvisionedRepositoryView> {
    authorize(actor, 'repositories:write');
    return carryOut(
      this.#options.database,
      actor,
      async (tx) => {
        const [{ tenantId, person: maker }, { slug }, id] = [actor, body, newId()];
        const deed = { action: 'repository.created', repositoryId: id, targetKind: 'repository', targetId: id, details: { slug } };
        const [, { repository, appClient, toolClient, secret }] = await inTurn(
          refuseOverQuota(tx, tenantId),
          provision(tx, this.#options, { ...body, id, tenantId, maker }),
          audit(tx, actor, deed),
          announce(tx, tenantId, 'repository.created', { repositoryId: id, slug }),
        );
        return { ...this.#present(repository, appClient, toolClient), toolClient: { clientId: toolClient.id, secret } };
      },
      { answerIsSecret: true },
    );
  }

  /** Those that are there, or those that were deleted and can be restored. */
  async list(actor: Actor, { limit, after, deleted, search }: RepositoriesQuery): Promise<Page<RepositoryView>> {
    authorize(actor, 'repositories:read');
    const which = deleted === 'true' ? `r.deletedAt > now() - interval '${keptDays} days'` : 'r.deletedAt IS NULL';
    return this.#options.database.read({ tenantId: actor.tenantId }, async (tx) => {
      const query = tx.createQueryBuilder(Repository, 'r').where(`r.tenantId = :tenantId AND ${which}`, { tenantId: actor.tenantId });
      if (after !== undefined) query.andWhere('r.id > :after', { after: cursor(after) });
      if (search !== undefined) query.andWhere(hasInIt(':search', 'r.name', 'r.slug'), { search });
      const rows = await query
        .orderBy('r.id')
        .take(limit + 1)
        .getMany();
      const { page, next } = pageOf(rows, limit);
      const clients = await defaultClients(tx, page);
      return { items: page.map((row) => this.#present(row, ...clientsOf(clients, row))), next };
    });
  }

  async get(actor: Actor, slug: string): Promise<RepositoryView> {
    authorize(actor, 'repositories:read');
    return this.#options.database.read({ tenantId: actor.tenantId }, async (tx) => this.#view(tx, await enter(tx, slug)));
  }

  /** Changes settings; every node uses the new ones from its next request on. */
  async update(actor: Actor, slug: string, { name, branding, ...settings }: UpdateRepositoryBody): Promise<RepositoryView> {
    authorize(actor, 'repositories:write');
    return carryOut(this.#options.database, actor, async (tx) => {
      const repository = await enter(tx, slug, { lock: true });
      const { signingAlgorithm } = settings;
      // At once: whoever asks for another algorithm has clients that cannot verify this one.
      if (signingAlgorithm && signingAlgorithm !== repository.settings.signingAlgorithm)
        await replaceSigningKey(tx, this.#options.encryption, repository, { algorithm: signingAlgorithm, afterSeconds: 0 });
      const changed = {
        name: name ?? repository.name,
        settings: {
          ...repository.settings,
          ...settings,
          ...(branding ? { branding: { ...repository.settings.branding, ...branding } } : {}),
        },
        settingsVersion: repository.settingsVersion + 1,
      };
      const named = Object.entries({ name, branding, ...settings }).flatMap(([member, value]) => (value === undefined ? [] : [member]));
      await write(tx, actor, repository, 'repository.updated', changed, { changed: named });
      return this.#view(tx, { ...repository, ...changed });
    });
  }

  /** Stops a repository until it is resumed. When it resolves, no node accepts anything of it; its tokens stay dead. */
  async suspend(actor: Actor, slug: string): Promise<RepositoryView & { cutoff: CutoffView }> {
    return this.#cutOff(actor, slug, 'repository.suspended', (repository) => {
      if (repository.suspendedAt) throw new Problem('conflict', 'The repository is suspended already.');
      return { suspendedAt: new Date() };
    });
  }

  /** Sets a suspended repository going again. Secrets work as before; tokens from before the suspension do not. */
  async resume(actor: Actor, slug: string): Promise<RepositoryView> {
    authorize(actor, 'repositories:write');
    return carryOut(this.#options.database, actor, async (tx) => {
      const repository = await enter(tx, slug, { lock: true });
      if (!repository.suspendedAt) throw new Problem('conflict', 'The repository is not suspended.');
      await write(tx, actor, repository, 'repository.resumed', { suspendedAt: null });
      await announce(tx, actor.tenantId, 'repository.resumed', { repositoryId: repository.id, slug });
      return this.#view(tx, { ...repository, suspendedAt: null });
    });
  }

  /** Deletes a repository; it can be restored for 30 days. When it resolves, no node accepts anything of it. */
  async delete(actor: Actor, slug: string): Promise<RepositoryView & { cutoff: CutoffView }> {
    return this.#cutOff(actor, slug, 'repository.deleted', () => ({ deletedAt: new Date() }));
  }

  /** @throws Problem `conflict` when it is not deleted, or was for more than 30 days. */
  async restore(actor: Actor, slug: string): Promise<RepositoryView> {
    authorize(actor, 'repositories:write');
    return carryOut(this.#options.database, actor, async (tx) => {
      const repository = await enter(tx, slug, { lock: true, deleted: true });
      if (!repository.deletedAt) throw new Problem('conflict', 'The repository is not deleted.');
      if (repository.purgeBeganAt || Date.now() - repository.deletedAt.getTime() > keptDays * 86_400_000)
        throw new Problem('conflict', `The repository was deleted more than ${keptDays} days ago: what it had is gone for good.`);
      await write(tx, actor, repository, 'repository.restored', { deletedAt: null });
      await announce(tx, actor.tenantId, 'repository.restored', { repositoryId: repository.id, slug });
      return this.#view(tx, { ...repository, deletedAt: null });
    });
  }

  async #cutOff(
    actor: Actor,
    slug: string,
    event: 'repository.suspended' | 'repository.deleted',
    change: (repository: Repository) => Partial<Repository>,
  ): Promise<RepositoryView & { cutoff: CutoffView }> {
    authorize(actor, 'repositories:write');
    return carryOutCutoff(this.#options.database, actor, async (tx) => {
      const repository = await enter(tx, slug, { lock: true });
      const { changed, cutoff } = await endTokens(tx, actor, repository, event, change(repository));
      return { ...(await this.#view(tx, changed)), repositoryId: repository.id, cutoff };
    });
  }

  async #view(tx: EntityManager, repository: Repository): Promise<RepositoryView> {
    return this.#present(repository, ...clientsOf(await defaultClients(tx, [repository]), repository));
  }

  #present(row: Repository, appClient: Client, toolClient: Client): RepositoryView {
    return {
      id: row.id,
      slug: row.slug,
      name: row.name,
      environment: row.environment,
      status: row.deletedAt ? 'deleted' : row.suspendedAt ? 'suspended' : 'active',
      authorityUrl: this.#options.authorityUrls.of(row.slug),
      repositoryUrl: this.#options.repositoryUrls.of(row.slug),
      appClient: { clientId: appClient.id, redirectUris: appClient.redirectUris },
      toolClient: { clientId: toolClient.id },
      secondFactor: 'optional',
      newDeviceMails: true,
      deviceFlow: false,
      ...row.settings,
      branding: presentBranding(row.settings.branding, this.#options.authorityUrls.of(row.slug)),
      createdAt: row.createdAt.toISOString(),
      deletedAt: row.deletedAt?.toISOString() ?? null,
    };
  }
}

/**
 * Deletes a repository whose row the transaction holds, with cut-off, audit and event. The caller has authorised the act, and
 * confirms the cut-off after the commit.
 */
export async function deleteRepository(tx: EntityManager, actor: Actor, repository: Repository): Promise<{ cutoff: PendingCutoff }> {
  return endTokens(tx, actor, repository, 'repository.deleted', { deletedAt: new Date() });
}

async function endTokens(
  tx: EntityManager,
  actor: Actor,
  repository: Repository,
  event: 'repository.suspended' | 'repository.deleted',
  change: Partial<Repository>,
): Promise<{ changed: Repository; cutoff: PendingCutoff }> {
  const { id: repositoryId, slug } = repository;
  const changes = { ...change, generation: repository.generation + 1 };
  const cutoff = await recordCutoff(tx, repository, { kind: event, ended: { belowGeneration: changes.generation } });
  await write(tx, actor, repository, event, changes, { cutoffId: cutoff.id });
  await announce(tx, actor.tenantId, event, { repositoryId, slug, ...announced(cutoff) });
  return { changed: { ...repository, ...changes }, cutoff };
}

async function write(
  tx: EntityManager,
  actor: Actor,
  repository: Repository,
  action: string,
  change: Partial<Repository>,
  details = {},
): Promise<void> {
  await tx.update(Repository, { tenantId: repository.tenantId, id: repository.id }, change);
  await audit(tx, actor, { action, repositoryId: repository.id, targetKind: 'repository', targetId: repository.id, details });
}

/** Where there is a quota, calls of one tenant take turns from here on, until each has made its repository or failed. */
async function refuseOverQuota(tx: EntityManager, tenantId: string): Promise<void> {
  const [over] = await prepared<{ quota: number | null }>(tx, 'SELECT reached_repository_quota($1) AS quota', [tenantId]);
  if (over && over.quota !== null) throw new Problem('quota-exceeded', `The tenant may have ${over.quota} repositories, and it has.`);
}

async function defaultClients(tx: EntityManager, repositories: Repository[]): Promise<Client[]> {
  const ids = repositories.map((repository) => repository.id);
  return tx.createQueryBuilder(Client, 'c').where('c.repositoryId = ANY(:ids) AND c.isDefault', { ids }).getMany();
}

function clientsOf(clients: Client[], repository: Repository): [appClient: Client, toolClient: Client] {
  const find = (kind: string) => clients.find((client) => client.repositoryId === repository.id && client.kind === kind);
  const [app, tool] = [find('app'), find('tool')];
  if (!app || !tool) throw new Error(`the repository ${repository.id} lacks a default client`);
  return [app, tool];
}
