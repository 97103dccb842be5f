import {
  Problem,
  type CreateIdentityProviderBody,
  type DeletedIdentityProviderView,
  type IdentityProviderKind,
  type IdentityProviderView,
  type Page,
  type PageQuery,
  type UpdatedIdentityProviderView,
  type UpdateIdentityProviderBody,
} from '@latchkey/contracts';
import { audit, authorize, carryOut, enter, pageOf, type Actor } from '@latchkey/access';
import { carryOutCutoff, recordCutoff, tellOfEnd, type EndedSession, type KeyRing, type PendingCutoff } from '@latchkey/credentials';
import { IdentityLink, IdentityProvider, Repository, type Database, type EntityManager } from '@latchkey/database';
import type { AddressTemplate } from '@latchkey/runtime';

/** Identity providers that a repository may have: each is a button on its sign-in page. */
const maxProviders = 20;

/** What is known of a kind, whoever sets it up. */
const known: Record<IdentityProviderKind, { name?: string; issuer?: string }> = {
  oidc: {},
  google: { name: 'Google', issuer: 'https://accounts.google.com' },
  github: { name: 'GitHub', issuer: 'https://github.com' },
};

/** With whom outside people sign in to a tenant's repositories. Every change takes effect at the next request. */
export class IdentityProviders {
  readonly #database: Database;
  readonly #encryption: KeyRing;
  readonly #authorityUrls: AddressTemplate;

  constructor(database: Database, encryption: KeyRing, authorityUrls: AddressTemplate) {
    this.#database = database;
    this.#encryption = encryption;
    this.#authorityUrls = authorityUrls;
  }

  /** All of them in one page, since there are few. */
  async list(actor: Actor, slug: string, { limit, after = '' }: PageQuery): Promise<Page<IdentityProviderView>> {
    authorize(actor, 'repositories:read');
    return this.#database.read({ tenantId: actor.tenantId }, async (tx) => {
      const repository = await enter(tx, slug);
      const rows = await tx.find(IdentityProvider, { where: { repositoryId: repository.id }, order: { id: 'ASC' } });
      const { page, next } = pageOf(
        rows.filter(({ id }) => id > after),
        limit,
      );
      const items: IdentityProviderView[] = [];
      for (const row of page) items.push(await this.#present(tx, repository, row));
      return { items, next };
    });
  }

  async get(actor: Actor, slug: string, id: string): Promise<IdentityProviderView> {
    authorize(actor, 'repositories:read');
    return this.#database.read({ tenantId: actor.tenantId }, async (tx) => {
      const repository = await enter(tx, slug);
      return this.#present(tx, repository, await findProvider(tx, repository, id));
    });
  }

  /** @throws Problem `already-exists` when the repository has one of this id, `quota-exceeded` when it has twenty. */
  async create(actor: Actor, slug: string, body: CreateIdentityProviderBody): Promise<IdentityProviderView> {
    authorize(actor, 'repositories:write');
    const { clientSecret, name, issuer, ...rest } = body;
    return carryOut(this.#database, actor, async (tx) => {
      const repository = await enter(tx, slug, { lock: true });
      const existing = await tx.find(IdentityProvider, { where: { repositoryId: repository.id } });
      if (existing.some(({ id }) => id === body.id))
        throw new Problem('already-exists', `The repository has an identity provider ${JSON.stringify(body.id)}.`);
      if (existing.length >= maxProviders)
        throw new Problem('quota-exceeded', `A repository may have ${maxProviders} identity providers, and this one has.`);
      const row: IdentityProvider = {
        ...rest,
        tenantId: repository.tenantId,
        repositoryId: repository.id,
        name: name ?? known[body.kind].name ?? body.id,
        issuer: issuer ?? known[body.kind].issuer ?? '',
        ...this.#seal(clientSecret),
        createdAt: new Date(),
      };
      await tx.insert(IdentityProvider, row);
      const details = { kind: row.kind, issuer: row.issuer };
      await this.#changed(tx, actor, repository, { action: 'identity-provider.created', id: row.id, details });
      return this.#present(tx, repository, row);
    });
  }

  /** Changes a provider. Disabling it is a cut-off: when it resolves, no node accepts a session or token of who came from there. */
  async update(actor: Actor, slug: string, id: string, body: UpdateIdentityProviderBody): Promise<UpdatedIdentityProviderView> {
    authorize(actor, 'repositories:write');
    const { clientSecret, ...change } = body;
    const { cutoff, ...view } = await carryOutCutoff(this.#database, actor, async (tx) => {
      const repository = await enter(tx, slug, { lock: true });
      const row = await findProvider(tx, repository, id, { lock: true });
      const changed = {
        ...Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined)),
        ...(clientSecret === undefined ? {} : this.#seal(clientSecret)),
      };
      if (Object.keys(changed).length > 0) await tx.update(IdentityProvider, { repositoryId: repository.id, id }, changed);
      const ended = change.enabled === false ? await endSessions(tx, repository, id) : undefined;
      const details = { changed: Object.keys(body), ...(ended ? { endedSessions: ended.sessions, cutoffId: ended.cutoff.id } : {}) };
      await this.#changed(tx, actor, repository, { action: 'identity-provider.updated', id, details });
      const shown = await this.#present(tx, repository, { ...row, ...changed });
      return { ...shown, endedSessions: ended?.sessions ?? 0, cutoff: ended?.cutoff, repositoryId: repository.id };
    });
    return cutoff ? { ...view, cutoff } : view;
  }

  /** Removes a provider and all its links to users; a cut-off as disabling it is. */
  async delete(actor: Actor, slug: string, id: string): Promise<DeletedIdentityProviderView> {
    authorize(actor, 'repositories:write');
    return carryOutCutoff(this.#database, actor, async (tx) => {
      const repository = await enter(tx, slug, { lock: true });
      await findProvider(tx, repository, id, { lock: true });
      const { sessions: endedSessions, cutoff } = await endSessions(tx, repository, id);
      await tx.delete(IdentityProvider, { repositoryId: repository.id, id });
      await this.#changed(tx, actor, repository, {
        action: 'identity-provider.deleted',
        id,
        details: { endedSessions, cutoffId: cutoff.id },
      });
      return { endedSessions, cutoff, repositoryId: repository.id };
    });
  }

  async #changed(
    tx: EntityManager,
    actor: Actor,
    { tenantId, id: repositoryId, settingsVersion }: Repository,
    { action, id, details }: { action: string; id: string; details: Record<string, unknown> },
  ): Promise<void> {
    await tx.update(Repository, { tenantId, id: repositoryId }, { settingsVersion: settingsVersion + 1 });
    await audit(tx, actor, { action, repositoryId, targetKind: 'identity-provider', targetId: id, details });
  }

  #seal(clientSecret: string | undefined): Pick<IdentityProvider, 'clientSecret' | 'encryptionKeyId'> {
    if (clientSecret === undefined) return { clientSecret: null, encryptionKeyId: null };
    const { keyId, sealed } = this.#encryption.seal(Buffer.from(clientSecret));
    return { clientSecret: sealed, encryptionKeyId: keyId };
  }

  async #present(tx: EntityManager, { id: repositoryId, slug }: Repository, row: IdentityProvider): Promise<IdentityProviderView> {
    const { id, kind, name, issuer, clientId, allowSignUp, emailDomains, trustsSecondFactor, enabled, createdAt } = row;
    return {
      id,
      kind,
      name,
      issuer,
      clientId,
      hasClientSecret: row.clientSecret !== null,
      allowSignUp,
      emailDomains,
      trustsSecondFactor,
      enabled,
      redirectUri: `${this.#authorityUrls.of(slug)}${federationCallbackPath(id)}`,
      linkedUsers: await tx.countBy(IdentityLink, { repositoryId, providerId: id }),
      createdAt: createdAt.toISOString(),
    };
  }
}

/**
 * Where a provider sends people back to, below the issuer. Each provider has an address of its own, so that an answer of one
 * cannot be passed off as another's (RFC 9700 §4.4.2).
 */
export const federationCallbackPath = (id: string) => `/federation/callback/${id}`;

/**
 * Ends every session and grant of those who came from a provider, and with the grants every token. The provider's row must be
 * locked: whoever is about to come in waits for it (see the authority's records), and finds the provider gone.
 */
async function endSessions(
  tx: EntityManager,
  repository: Repository,
  providerId: string,
): Promise<{ sessions: number; cutoff: PendingCutoff }> {
  const [ended] = await tx.query<[(EndedSession & { kind: string; id: string })[], number]>(
    `DELETE FROM oidc_records WHERE repository_id = $1 AND identity_provider_id = $2 RETURNING kind, id, user_id AS "userId", payload`,
    [repository.id, providerId],
  );
  const sessions = ended.filter(({ kind }) => kind === 'Session');
  await tellOfEnd(tx, repository, sessions);
  const grants = ended.flatMap(({ kind, id, userId }) => (kind === 'Grant' && userId !== null ? [{ id, userId }] : []));
  return {
    sessions: sessions.length,
    cutoff: await recordCutoff(tx, repository, { kind: 'identity-provider.ended', ended: { grants } }),
  };
}

async function findProvider(tx: EntityManager, repository: Repository, id: string, { lock = false } = {}): Promise<IdentityProvider> {
  const row = await tx.findOne(IdentityProvider, {
    where: { repositoryId: repository.id, id },
    ...(lock ? { lock: { mode: 'pessimistic_write' as const } } : {}),
  });
  if (!row) throw new Problem('not-found', 'There is no such identity provider in this repository.');
  return row;
}
