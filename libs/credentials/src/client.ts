import {
  Problem,
  repositoryPermissions,
  type ClientView,
  type CreateClientBody,
  type CreatedClientView,
  type CutoffView,
  type NewSecretView,
  type Page,
  type PageQuery,
  type UpdateClientBody,
  type UpdatedClientView,
} from '@latchkey/contracts';
import { audit, authorize, carryOut, enter, noCursor, pageOf, type Actor } from '@latchkey/access';
import { Client, insertRows, IsNull, RepositoryUser, type Database, type EntityManager, type Repository } from '@latchkey/database';
import { announce } from '@latchkey/jobs';
import { insertSecret } from './client-secret.js';
import { endKeys, liveKeys } from './client-key.js';
import { findClient } from './find-client.js';
import { announced, carryOutCutoff, confirmCutoff, recordCutoff, type PendingCutoff } from './cutoff.js';
import type { KeyRing } from './key-ring.js';
import { randomText } from './plain-secret.js';
import { sealingOf } from './sealed-secret.js';

/** 22 characters of 62 hold 130 bits: nobody guesses a client ID, and no two are alike. */
const randomLength = 22;

/** A fresh client ID: unreserved characters only (RFC 3986 §2.3), so that every encoding leaves it as it is. */
export function newClientId(kind: 'app' | 'tool' | 'tenant' | 'member'): string {
  return `${kind}_${randomText(randomLength)}`;
}

/** Stores a client. Its ID is fixed from here on. */
export async function insertClient(
  tx: EntityManager,
  client: Pick<Client, 'repositoryId' | 'tenantId' | 'kind' | 'name'> & Partial<Client>,
): Promise<Client> {
  const row = {
    id: newClientId(client.kind),
    isDefault: false,
    redirectUris: [],
    postLogoutRedirectUris: [],
    permissions: [...repositoryPermissions],
    userId: null,
    generation: 1,
    jwksUri: null,
    jwksFetchedAt: null,
    backchannelLogoutUri: null,
    createdAt: new Date(),
    deletedAt: null,
    ...client,
  };
  await insertRows(tx, Client, [row]);
  return row;
}

/**
 * Ends a client with its secrets and tokens for good, in a transaction that holds its row, with cut-off and audit. Every kind
 * of client ends here. The event is the caller's, since each kind has its own.
 */
export async function endClient(tx: EntityManager, actor: Actor, client: Client): Promise<PendingCutoff> {
  const { repositoryId, tenantId, id: clientId, kind } = client;
  const generation = client.generation + 1;
  await tx.update(Client, { repositoryId, id: clientId }, { deletedAt: new Date(), generation });
  await tx.query('UPDATE secret_versions SET ended_at = now() WHERE repository_id = $1 AND client_id = $2 AND ended_at IS NULL', [
    repositoryId,
    clientId,
  ]);
  await tx.query('UPDATE client_keys SET ended_at = now() WHERE repository_id = $1 AND client_id = $2 AND ended_at IS NULL', [
    repositoryId,
    clientId,
  ]);
  const cutoff = await recordCutoff(
    tx,
    { id: repositoryId, tenantId },
    { kind: 'client.deleted', clientId, ended: { belowGeneration: generation } },
  );
  const details = { kind, cutoffId: cutoff.id };
  await audit(tx, actor, { action: 'client.deleted', repositoryId, targetKind: 'client', targetId: clientId, details });
  return cutoff;
}

/** Whose client it is to be. */
type ClientHome = Pick<Repository, 'id' | 'tenantId'>;

/**
 * Adds a client, with audit and event. The caller has authorised the act.
 *
 * @param firstSecret makes the secret that it comes with; it comes with none if absent.
 * @throws Problem `invalid-request` when the user it is to act as is not in the repository; `quota-exceeded`.
 */
export async function createClient(
  tx: EntityManager,
  actor: Actor,
  { id: repositoryId, tenantId }: ClientHome,
  client: Pick<Client, 'kind' | 'name'> & Partial<Client>,
  firstSecret?: (clientId: string) => Promise<NewSecretView>,
): Promise<{ client: Client; secret: NewSecretView | undefined }> {
  const userId = client.userId ?? null;
  if (userId !== null) await refuseStranger(tx, { id: repositoryId }, userId);
  await refuseOverLimit(tx, { id: repositoryId, tenantId });
  const made = await insertClient(tx, { ...client, repositoryId, tenantId, userId });
  const { id: clientId, kind } = made;
  await audit(tx, actor, { action: 'client.created', repositoryId, targetKind: 'client', targetId: clientId, details: { kind } });
  const secret = await firstSecret?.(clientId);
  const event = { repositoryId, clientId, ...(secret ? { secretId: secret.id } : {}) };
  await announce(tx, tenantId, 'client.created', event, secret ? { seal: sealingOf(clientId, secret) } : {});
  return { client: made, secret };
}

/** As many clients as the plan of a repository allows. Its row orders those who add one at once, so that the limit holds. */
async function refuseOverLimit(tx: EntityManager, { id, tenantId }: ClientHome): Promise<void> {
  await tx.query('SELECT FROM repositories WHERE tenant_id = $1 AND id = $2 FOR NO KEY UPDATE', [tenantId, id]);
  await tx.query(
    `SELECT refuse_over_limit('clients', 1 + (SELECT count(*) FROM clients WHERE repository_id = $2 AND deleted_at IS NULL), repository_limits(settings))
     FROM repositories WHERE tenant_id = $1 AND id = $2`,
    [tenantId, id],
  );
}

/** The clients of a repository, the earliest first. The caller has authorised the act. */
export async function listClients(tx: EntityManager, repositoryId: string): Promise<Client[]> {
  return liveClients(tx, repositoryId).getMany();
}

const liveClients = (tx: EntityManager, repositoryId: string) =>
  tx
    .createQueryBuilder(Client, 'c')
    .where('c.repositoryId = :repositoryId AND c.deletedAt IS NULL', { repositoryId })
    .orderBy('c.createdAt')
    .addOrderBy('c.id');

/**
 * Removes a client for good, with cut-off, audit and event. The caller has authorised the act and confirms the cut-off after
 * the commit.
 *
 * @throws Problem `not-found`; `conflict` for the two clients that a repository was made with.
 */
export async function deleteClient(tx: EntityManager, actor: Actor, { id: repositoryId, tenantId }: ClientHome, clientId: string) {
  const client = await findClient(tx, { id: repositoryId }, clientId, { lock: true });
  if (client.isDefault) throw new Problem('conflict', 'The clients that a repository was made with stay as long as it does.');
  const cutoff = await endClient(tx, actor, client);
  await announce(tx, tenantId, 'client.deleted', { repositoryId, clientId, ...announced(cutoff) });
  return cutoff;
}

/** What is changed of a client, with the user that a tool acts as by their id. */
export type ClientChange = Omit<UpdateClientBody, 'userId'> & { userId?: number };

/** The clients of a tenant's repositories. */
export class Clients {
  readonly #database: Database;
  readonly #peppers: KeyRing;

  constructor(database: Database, peppers: KeyRing) {
    this.#database = database;
    this.#peppers = peppers;
  }

  /** The earliest first. @throws Problem `invalid-request` for a cursor that is no client of the repository. */
  async list(actor: Actor, slug: string, { limit, after }: PageQuery): Promise<Page<ClientView>> {
    authorize(actor, 'repositories:read');
    return this.#database.read({ tenantId: actor.tenantId }, async (tx) => {
      const { id: repositoryId } = await enter(tx, slug);
      const query = liveClients(tx, repositoryId).take(limit + 1);
      if (after !== undefined) {
        // One that has been deleted since is as good.
        if (!(await tx.existsBy(Client, { repositoryId, id: after }))) throw noCursor();
        query.andWhere(
          '(c.createdAt, c.id) > (SELECT a.created_at, a.id FROM clients a WHERE a.repository_id = :repositoryId AND a.id = :after)',
          { after },
        );
      }
      const { page, next } = pageOf(await query.getMany(), limit);
      return { items: page.map(present), next };
    });
  }

  async get(actor: Actor, slug: string, clientId: string): Promise<ClientView> {
    authorize(actor, 'repositories:read');
    return this.#database.read({ tenantId: actor.tenantId }, async (tx) => present(await findClient(tx, await enter(tx, slug), clientId)));
  }

  /**
   * Adds a client; a tool client comes with its first secret.
   *
   * @throws Problem `invalid-request` when the user it is to act as is not in the repository; `quota-exceeded`.
   */
  async create(actor: Actor, slug: string, body: CreateClientBody, defaultUserId: number): Promise<CreatedClientView> {
    authorize(actor, 'clients:write');
    return carryOut(
      this.#database,
      actor,
      async (tx) => {
        const repository = await enter(tx, slug);
        const userId = body.kind === 'tool' ? (body.userId ?? defaultUserId) : null;
        const { id: repositoryId, tenantId, environment } = repository;
        const firstSecret = (clientId: string) => insertSecret(tx, this.#peppers, { tenantId, repositoryId, clientId, environment });
        const made = await createClient(tx, actor, repository, { ...body, userId }, body.kind === 'tool' ? firstSecret : undefined);
        const { client, secret } = made;
        return { ...present(client), ...(secret ? { secret } : {}) };
      },
      { answerIsSecret: true },
    );
  }

  /**
   * Changes what may change of a client. Its ID and its kind never do. When it resolves with another user for a tool to act as,
   * no node accepts a token that the tool had got.
   */
  async update(actor: Actor, slug: string, clientId: string, body: ClientChange): Promise<UpdatedClientView> {
    authorize(actor, 'clients:write');
    const { view, repositoryId, cutoffs } = await carryOut(this.#database, actor, async (tx) => {
      const repository = await enter(tx, slug);
      const client = await findClient(tx, repository, clientId, { lock: true });
      refuseForeignMembers(client, body);
      if (body.userId !== undefined) await refuseStranger(tx, repository, body.userId);
      const cutoff = body.userId !== undefined && body.userId !== client.userId ? await endTokens(tx, client, body.userId) : undefined;
      const keysCutoff = await this.#forgetFetchedKeys(tx, actor, client, body.jwksUri);
      const changed = Object.keys(body);
      if (changed.length > 0) await tx.update(Client, { repositoryId: repository.id, id: clientId }, body);
      const details = { changed, ...(cutoff ? { cutoffId: cutoff.id } : {}) };
      await audit(tx, actor, {
        action: 'client.updated',
        repositoryId: repository.id,
        targetKind: 'client',
        targetId: clientId,
        details,
      });
      return { view: present({ ...client, ...body }), repositoryId: repository.id, cutoffs: [keysCutoff, cutoff] };
    });
    let last: CutoffView | undefined;
    for (const cutoff of cutoffs)
      if (cutoff) last = await confirmCutoff(this.#database, { tenantId: actor.tenantId, repositoryId }, cutoff);
    return last ? { ...view, cutoff: last } : view;
  }

  /** Keys that were found at one address are not those of another: they end with it, and so do the tokens that they got. */
  async #forgetFetchedKeys(tx: EntityManager, actor: Actor, client: Client, jwksUri: string | null | undefined) {
    if (jwksUri === undefined || jwksUri === client.jwksUri) return undefined;
    await tx.update(Client, { repositoryId: client.repositoryId, id: client.id }, { jwksFetchedAt: null });
    const fetched = (await liveKeys(tx, client)).filter((key) => key.fetched);
    return fetched.length > 0 ? endKeys(tx, actor, client, fetched) : undefined;
  }

  /**
   * Removes a client with its secrets. When it resolves, no node accepts a secret of it or a token that it got.
   *
   * @throws Problem `conflict` for the two clients that a repository was made with.
   */
  async delete(actor: Actor, slug: string, clientId: string): Promise<{ cutoff: CutoffView }> {
    authorize(actor, 'clients:write');
    return carryOutCutoff(this.#database, actor, async (tx) => {
      const repository = await enter(tx, slug);
      return { repositoryId: repository.id, cutoff: await deleteClient(tx, actor, repository, clientId) };
    });
  }
}

/** Tokens name the user that the client acted as when it got them, so they end when that changes. */
async function endTokens(tx: EntityManager, client: Client, userId: number): Promise<PendingCutoff> {
  const { repositoryId, tenantId, id: clientId } = client;
  const generation = client.generation + 1;
  await tx.update(Client, { repositoryId, id: clientId }, { generation });
  const ended = { belowGeneration: generation };
  const cutoff = await recordCutoff(tx, { id: repositoryId, tenantId }, { kind: 'client.user-changed', clientId, ended });
  await announce(tx, tenantId, 'client.user-changed', { repositoryId, clientId, userId, ...announced(cutoff) });
  return cutoff;
}

async function refuseStranger(tx: EntityManager, repository: { id: string }, userId: number): Promise<void> {
  if (await tx.existsBy(RepositoryUser, { repositoryId: repository.id, id: userId, deletedAt: IsNull(), trashedAt: IsNull() })) return;
  throw new Problem('invalid-request', 'The client would act as nobody.', {
    errors: [{ pointer: '/userId', detail: 'is not a user of this repository' }],
  });
}

/** What only the other kind of client has is a fault, not something to be dropped in silence. */
function refuseForeignMembers(client: Client, body: ClientChange): void {
  const foreign =
    client.kind === 'app'
      ? (['permissions', 'userId', 'jwksUri'] as const)
      : (['redirectUris', 'postLogoutRedirectUris', 'backchannelLogoutUri'] as const);
  const errors = foreign
    .filter((name) => body[name] !== undefined)
    .map((name) => ({ pointer: `/${name}`, detail: `does not go with a client of kind ${client.kind}` }));
  if (errors.length > 0) throw new Problem('invalid-request', 'The client has no such members.', { errors });
}

function present(client: Client): ClientView {
  return {
    clientId: client.id,
    kind: client.kind === 'app' ? 'app' : 'tool',
    name: client.name,
    redirectUris: client.redirectUris,
    postLogoutRedirectUris: client.postLogoutRedirectUris,
    permissions: client.permissions,
    userId: client.userId,
    jwksUri: client.jwksUri,
    backchannelLogoutUri: client.backchannelLogoutUri,
    createdAt: client.createdAt.toISOString(),
  };
}
