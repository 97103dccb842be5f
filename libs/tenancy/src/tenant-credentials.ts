import {
  Problem,
  type CreatedTenantCredentialView,
  type CreateTenantCredentialBody,
  type CutoffView,
  type RegeneratedSecretView,
  type RegenerateSecretBody,
  type SecretView,
  type TenantCredentialView,
  type TenantPermission,
} from '@latchkey/contracts';
import { audit, authorize, carryOut, type Actor } from '@latchkey/access';
import { wellKnown } from '@latchkey/content';
import {
  announced,
  carryOutCutoff,
  endClient,
  endRotation,
  futureDate,
  insertClient,
  insertSecret,
  liveSecrets,
  regenerateSecret,
  type KeyRing,
  type KnownRepository,
  type RepositoryDirectory,
  type RotationEnd,
} from '@latchkey/credentials';
import { Client, type Database, type EntityManager } from '@latchkey/database';
import { announce } from '@latchkey/jobs';
import { endInvitationsMadeWith } from './inviters.js';
import { findConsole } from './installation.js';
import { holdTenant } from './members.js';

/** Tenant credentials a tenant may have unless its settings say otherwise. */
const defaultLimit = 100;

/**
 * The credentials with which a tenant's pipelines call the tenant API. Each is a client of the console that belongs to the
 * tenant. Its client ID can always be read; its secret is in the answer that made it.
 *
 * Nobody can use one to become more than they are: making a credential and getting a new secret of one both take every
 * permission that the credential has.
 */
export class TenantCredentials {
  readonly #database: Database;
  readonly #peppers: KeyRing;
  readonly #directory: RepositoryDirectory;

  constructor(database: Database, peppers: KeyRing, directory: RepositoryDirectory) {
    this.#database = database;
    this.#peppers = peppers;
    this.#directory = directory;
  }

  /** All of them; a quota keeps them few. */
  async list(actor: Actor): Promise<TenantCredentialView[]> {
    authorize(actor, 'tenant:read');
    const { id: repositoryId } = await findConsole(this.#directory);
    return this.#database.read({ tenantId: actor.tenantId }, async (tx) => {
      const rows = await ownCredentials(tx, repositoryId, actor.tenantId).orderBy('c.createdAt').addOrderBy('c.id').getMany();
      const secrets = await liveSecrets(
        tx,
        repositoryId,
        rows.map((row) => row.id),
      );
      return rows.map((row) => present(row, secrets.get(row.id) ?? []));
    });
  }

  /**
   * @throws Problem `forbidden` for a permission that the actor does not have, `quota-exceeded`, `invalid-request` for an end
   * that is past.
   */
  async create(actor: Actor, { name, permissions, expiresAt }: CreateTenantCredentialBody): Promise<CreatedTenantCredentialView> {
    authorize(actor, 'credentials:write');
    refuseMoreThanActor(actor, permissions);
    const end = futureDate(expiresAt);
    const consoleRepository = await findConsole(this.#directory);
    const work = async (tx: EntityManager) => {
      await refuseOverQuota(tx, consoleRepository, actor.tenantId);
      const owner = { repositoryId: consoleRepository.id, tenantId: actor.tenantId };
      const client = await insertClient(tx, { ...owner, kind: 'tenant', name, permissions, userId: wellKnown.publicAdmin });
      const clientId = client.id;
      const secret = await insertSecret(tx, this.#peppers, { ...owner, clientId, environment: consoleRepository.environment }, end);
      const made = { action: 'client.created', repositoryId: consoleRepository.id, targetKind: 'client', targetId: clientId };
      await audit(tx, actor, { ...made, details: { kind: client.kind, permissions } });
      await announce(tx, actor.tenantId, 'tenant.credential.created', { clientId, secretId: secret.id });
      return { ...present(client, (await liveSecrets(tx, consoleRepository.id, [clientId])).get(clientId) ?? []), secret };
    };
    return carryOut(this.#database, actor, work, { answerIsSecret: true });
  }

  /**
   * Makes a new secret; the earlier ones are lost with their tokens when it resolves, or after `overlapSeconds`. What ends one before
   * its time withdraws the open invitations that were made with the credential.
   *
   * @throws Problem `forbidden` for a credential that may do what the actor may not.
   */
  async regenerate(actor: Actor, clientId: string, { overlapSeconds, expiresAt }: RegenerateSecretBody): Promise<RegeneratedSecretView> {
    authorize(actor, 'credentials:write');
    const end = futureDate(expiresAt);
    const consoleRepository = await findConsole(this.#directory);
    const work = async (tx: EntityManager) => {
      const client = await lockCredential(tx, consoleRepository, actor.tenantId, clientId);
      refuseMoreThanActor(actor, client.permissions as TenantPermission[]);
      const owner = { repositoryId: consoleRepository.id, tenantId: actor.tenantId, clientId, environment: consoleRepository.environment };
      const { endedNow, ...made } = await regenerateSecret(tx, this.#peppers, actor, owner, { overlapSeconds, end });
      if (overlapSeconds === 0 || endedNow) await endInvitationsMadeWith(tx, actor, clientId);
      const event = { clientId, secretId: made.secret.id, ...announced(made.cutoff) };
      await announce(tx, actor.tenantId, 'tenant.credential.regenerated', event);
      return { ...made, repositoryId: consoleRepository.id };
    };
    return carryOutCutoff(this.#database, actor, work, { answerIsSecret: true });
  }

  /**
   * Ends a planned rotation before its time, as that of a tool client is ended.
   *
   * @throws Problem `not-found`; `conflict` when the rotation is over; `forbidden` when the actor would keep alive a secret of a
   * credential that may do what the actor may not.
   */
  async endRotation(actor: Actor, clientId: string, cutoffId: string, how: RotationEnd): Promise<{ cutoff: CutoffView }> {
    authorize(actor, 'credentials:write');
    const consoleRepository = await findConsole(this.#directory);
    const owner = { repositoryId: consoleRepository.id, tenantId: actor.tenantId, clientId };
    return carryOutCutoff(this.#database, actor, async (tx) => {
      const client = await lockCredential(tx, consoleRepository, actor.tenantId, clientId);
      if (how === 'cancelled') refuseMoreThanActor(actor, client.permissions as TenantPermission[]);
      const { secretId, cutoff } = await endRotation(tx, actor, owner, cutoffId, how);
      await endInvitationsMadeWith(tx, actor, clientId);
      const event = { clientId, secretId, plannedCutoffId: cutoffId, ...announced(cutoff) };
      await announce(tx, actor.tenantId, `tenant.credential.rotation-${how}`, event);
      return { repositoryId: consoleRepository.id, cutoff };
    });
  }

  /**
   * Ends a credential. When it resolves, no node accepts a secret of it or a token that it got.
   *
   * @throws Problem `conflict` when nobody could make another one afterwards: the tenant has no owner who can sign in, and no
   * other credential that may make credentials.
   */
  async delete(actor: Actor, clientId: string): Promise<{ cutoff: CutoffView }> {
    authorize(actor, 'credentials:write');
    const consoleRepository = await findConsole(this.#directory);
    return carryOutCutoff(this.#database, actor, async (tx) => {
      await holdTenant(tx, actor.tenantId);
      const client = await lockCredential(tx, consoleRepository, actor.tenantId, clientId);
      await refuseLockout(tx, client);
      const cutoff = await endClient(tx, actor, client);
      await endInvitationsMadeWith(tx, actor, clientId);
      await announce(tx, actor.tenantId, 'tenant.credential.revoked', { clientId, ...announced(cutoff) });
      return { repositoryId: consoleRepository.id, cutoff };
    });
  }
}

function ownCredentials(tx: EntityManager, repositoryId: string, tenantId: string) {
  const own = { repositoryId, tenantId };
  return tx
    .createQueryBuilder(Client, 'c')
    .where(`c.repositoryId = :repositoryId AND c.tenantId = :tenantId AND c.kind = 'tenant' AND c.deletedAt IS NULL`, own);
}

/** Holds the credential's row until the transaction ends: changes of it take turns. */
async function lockCredential(tx: EntityManager, consoleRepository: KnownRepository, tenantId: string, clientId: string): Promise<Client> {
  const query = ownCredentials(tx, consoleRepository.id, tenantId).andWhere('c.id = :clientId', { clientId });
  const client = await query.setLock('pessimistic_write').getOne();
  if (!client) throw new Problem('not-found', `The tenant has no credential ${JSON.stringify(clientId)}.`);
  return client;
}

function refuseMoreThanActor(actor: Actor, permissions: readonly TenantPermission[]): void {
  const more = permissions.filter((permission) => !actor.permissions.has(permission));
  if (more.length === 0) return;
  throw new Problem('forbidden', `The credential would be able to do what you may not: ${more.join(', ')}.`);
}

async function refuseOverQuota(tx: EntityManager, consoleRepository: KnownRepository, tenantId: string): Promise<void> {
  const { maxCredentials: limit = defaultLimit } = await holdTenant(tx, tenantId);
  if ((await ownCredentials(tx, consoleRepository.id, tenantId).getCount()) >= limit)
    throw new Problem('quota-exceeded', `The tenant may have ${limit} credentials, and it has. Delete one first.`);
}

/** Somebody must be left who can make a credential: else the next lost laptop would be the tenant's end. */
async function refuseLockout(tx: EntityManager, { repositoryId, tenantId, id }: Client): Promise<void> {
  const [left] = await tx.query<unknown[]>(
    `SELECT FROM tenant_members() m WHERE m.role = 'owner' AND m.enabled
     UNION ALL
     SELECT FROM clients c JOIN secret_versions v ON v.repository_id = c.repository_id AND v.client_id = c.id
     WHERE c.repository_id = $1 AND c.tenant_id = $2 AND c.id <> $3 AND c.kind = 'tenant' AND c.deleted_at IS NULL
       AND 'credentials:write' = ANY(c.permissions)
       AND v.ended_at IS NULL AND v.expires_at IS NULL AND v.overlap_ends_at IS NULL
     LIMIT 1`,
    [repositoryId, tenantId, id],
  );
  if (left) return;
  throw new Problem(
    'conflict',
    'This is the last way into the tenant: it has no owner who can sign in, and no other lasting credential that may make credentials. Make one of these first.',
  );
}

function present(client: Client, secrets: SecretView[]): TenantCredentialView {
  const { id: clientId, name, permissions, createdAt } = client;
  return { clientId, name, permissions, createdAt: createdAt.toISOString(), secrets };
}
