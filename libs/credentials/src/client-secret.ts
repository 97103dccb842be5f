import {
  Problem,
  type ConsumerView,
  type Environment,
  type NewSecretView,
  type RegeneratedSecretView,
  type RegenerateSecretBody,
  type SecretView,
} from '@latchkey/contracts';
import { audit, authorize, carryOut, enter, type Actor } from '@latchkey/access';
import {
  insertRows,
  inTurn,
  isId,
  newId,
  prepared,
  SecretVersion,
  type CredentialUse,
  type Database,
  type EntityManager,
  type Repository,
} from '@latchkey/database';
import { announce } from '@latchkey/jobs';
import { announced, carryOutCutoff, recordCutoff, type PendingCutoff } from './cutoff.js';
import { findTool, lockTool } from './find-client.js';
import type { KeyRing } from './key-ring.js';
import { PlainSecret } from './plain-secret.js';
import { endRotation, type RotationEnd } from './rotation.js';
import { sealingOf } from './sealed-secret.js';
import { aliveNow, listSecrets } from './secret-versions.js';

/** Secrets of one client that may be alive at once. */
const maxLiveSecrets = 10;

/** Whose secrets are meant: a client's, be it of a repository or, as the credential of a tenant or member, of the console. */
export interface SecretOwner {
  tenantId: string;
  repositoryId: string;
  clientId: string;
  environment: Environment;
}

/** A secret that nobody has yet, and what is kept of it. */
export interface FreshSecret {
  id: string;
  secret: PlainSecret;
  hash: Buffer;
  pepperId: string;
}

/** Makes a secret; `insertSecret` stores one as well. */
export function makeSecret(peppers: KeyRing, environment: Environment): FreshSecret {
  const secret = PlainSecret.generate(environment, 'cs');
  return { id: newId(), secret, hash: peppers.mac(secret.reveal()), pepperId: peppers.currentId };
}

/** Stores a fresh secret of a client. The value is in the result and nowhere else. */
export async function insertSecret(
  tx: EntityManager,
  peppers: KeyRing,
  owner: SecretOwner,
  expiresAt: Date | null = null,
): Promise<NewSecretView> {
  const { row, view } = freshVersion(peppers, owner, expiresAt);
  await insertRows(tx, SecretVersion, [row]);
  return view;
}

/** A fresh secret of a client as it is stored, and as its owner is shown it. */
function freshVersion(peppers: KeyRing, { tenantId, repositoryId, clientId, environment }: SecretOwner, expiresAt: Date | null) {
  const { id, secret, hash, pepperId } = makeSecret(peppers, environment);
  const createdAt = new Date();
  return {
    row: { repositoryId, clientId, id, tenantId, hash, pepperId, hint: secret.hint, createdAt, expiresAt },
    view: {
      id,
      value: secret.reveal(),
      hint: secret.hint,
      createdAt: createdAt.toISOString(),
      expiresAt: expiresAt?.toISOString() ?? null,
    },
  };
}

/** What a regeneration came to. */
interface Regenerated {
  secret: NewSecretView;
  cutoff: PendingCutoff;
}

/**
 * Makes a new secret and ends the earlier ones, in a transaction that holds the client's row, with cut-off and audit. Every
 * kind of client secret is regenerated here. The event is the caller's, since each kind has its own.
 *
 * Cost: two round trips, three in a planned rotation.
 *
 * @param options.only ends this version alone, so that the client's other secrets go on working.
 * @param tell announces it; what it sends goes out with the rest.
 * @returns whether it `endedNow` any, too, as even a planned rotation does with what an earlier one left for a while.
 */
export async function regenerateSecret(
  tx: EntityManager,
  peppers: KeyRing,
  actor: Actor,
  owner: SecretOwner,
  { overlapSeconds, end, only }: { overlapSeconds: number; end: Date | null; only?: string },
  tell?: (made: Regenerated) => Promise<unknown>,
): Promise<Regenerated & { endedNow: boolean }> {
  const { repositoryId, tenantId, clientId } = owner;
  const ended = await endLiveVersions(tx, owner, overlapSeconds, only);
  const secretVersionIds = ended.map(({ id }) => id);
  const { row, view: secret } = freshVersion(peppers, owner, end);
  const cutoffId = newId();
  const inserted = insertRows(tx, SecretVersion, [row]);
  const recorded = recordCutoff(
    tx,
    { id: repositoryId, tenantId },
    {
      id: cutoffId,
      kind: 'secret.regenerated',
      clientId,
      ended: { secretVersionIds },
      afterSeconds: overlapSeconds,
      ...(overlapSeconds > 0 ? { successorId: secret.id } : {}),
    },
  );
  // When a planned one will be, the database says; any other is known before it is written down.
  const cutoff = overlapSeconds > 0 ? (await inTurn(inserted, recorded))[1] : { id: cutoffId, plannedFor: null };
  const details = { clientId, overlapSeconds, cutoffId };
  const deed = { action: 'secret.regenerated', repositoryId, targetKind: 'secret', targetId: secret.id, details };
  await inTurn(inserted, recorded, audit(tx, actor, deed), tell?.({ secret, cutoff }));
  return { secret, cutoff, endedNow: ended.some(({ now }) => now) };
}

/**
 * Adds a secret to a tool client beside those that are alive, with audit and event. The caller has authorised the act.
 *
 * @throws Problem `not-found` when there is no such tool client; `secret-limit` when it has ten live secrets.
 */
export async function addSecret(
  tx: EntityManager,
  peppers: KeyRing,
  actor: Actor,
  owner: SecretOwner,
  expiresAt: Date | null,
): Promise<NewSecretView> {
  refusePast(expiresAt);
  await lockTool(tx, owner);
  if ((await liveVersions(tx, owner)).length >= maxLiveSecrets) {
    throw new Problem('secret-limit', `A client may have ${maxLiveSecrets} live secrets, and this one has. Revoke one first.`);
  }
  const secret = await insertSecret(tx, peppers, owner, expiresAt);
  const { repositoryId, tenantId, clientId } = owner;
  await audit(tx, actor, { action: 'secret.created', repositoryId, targetKind: 'secret', targetId: secret.id, details: { clientId } });
  const event = { repositoryId, clientId, secretId: secret.id };
  await announce(tx, tenantId, 'client.secret.created', event, { seal: sealingOf(clientId, secret) });
  return secret;
}

/**
 * Regenerates the secret of a tool client, with cut-off, audit and event. The caller has authorised the act and confirms the
 * cut-off after the commit.
 *
 * @throws Problem `not-found` when there is no such tool client.
 */
export async function regenerateToolSecret(
  tx: EntityManager,
  peppers: KeyRing,
  actor: Actor,
  owner: SecretOwner,
  wish: { overlapSeconds: number; end: Date | null; only?: string },
): Promise<Regenerated> {
  const { repositoryId, tenantId, clientId } = owner;
  const [, { secret, cutoff }] = await inTurn(
    lockTool(tx, owner),
    regenerateSecret(tx, peppers, actor, owner, wish, async ({ secret, cutoff }) => {
      const event = { repositoryId, clientId, secretId: secret.id, ...announced(cutoff) };
      await announce(tx, tenantId, 'client.secret.regenerated', event, { seal: sealingOf(clientId, secret) });
    }),
  );
  return { secret, cutoff };
}

/**
 * Ends one secret of a tool client, with cut-off, audit and event. The caller has authorised the act and confirms the cut-off
 * after the commit.
 *
 * @throws Problem `not-found` when there is no such tool client or secret.
 */
export async function revokeSecret(tx: EntityManager, actor: Actor, owner: SecretOwner, secretId: string): Promise<PendingCutoff> {
  const { repositoryId, tenantId, clientId } = owner;
  await lockTool(tx, owner);
  if (!isId(secretId)) throw new Problem('not-found', 'The client has no such secret.');
  const [, ended] = (await tx.query(
    'UPDATE secret_versions SET ended_at = coalesce(ended_at, now()) WHERE repository_id = $1 AND client_id = $2 AND id = $3',
    [repositoryId, clientId, secretId],
  )) as [unknown, number];
  if (ended === 0) throw new Problem('not-found', 'The client has no such secret.');
  const repository = { id: repositoryId, tenantId };
  const cutoff = await recordCutoff(tx, repository, { kind: 'secret.revoked', clientId, ended: { secretVersionIds: [secretId] } });
  const details = { clientId, cutoffId: cutoff.id };
  await audit(tx, actor, { action: 'secret.revoked', repositoryId, targetKind: 'secret', targetId: secretId, details });
  await announce(tx, tenantId, 'client.secret.revoked', { repositoryId, clientId, secretId, ...announced(cutoff) });
  return cutoff;
}

/** The life of the secrets of a tenant's clients, from creation to end. */
export class ClientSecrets {
  readonly #database: Database;
  readonly #peppers: KeyRing;

  constructor(database: Database, peppers: KeyRing) {
    this.#database = database;
    this.#peppers = peppers;
  }

  /** Every version of a client's secrets, the latest first, without their values. */
  async list(actor: Actor, slug: string, clientId: string): Promise<SecretView[]> {
    authorize(actor, 'repositories:read');
    return this.#database.read({ tenantId: actor.tenantId }, async (tx) => {
      const repository = await enter(tx, slug);
      await findTool(tx, repository, clientId);
      return listSecrets(tx, repository.id, clientId);
    });
  }

  /** Who used which secret of a client, from where, and who still presents one that has ended; the latest use first. */
  async consumers(actor: Actor, slug: string, clientId: string): Promise<ConsumerView[]> {
    authorize(actor, 'repositories:read');
    return this.#database.read({ tenantId: actor.tenantId }, async (tx) => {
      const repository = await enter(tx, slug);
      await findTool(tx, repository, clientId);
      const rows: (CredentialUse & { hint: string })[] = await tx.query(
        `SELECT u.consumer, u.address, u.version_id AS "versionId", coalesce(v.hint, k.kid, '') AS hint, u.outcome, u.uses, u.first_used_at AS "firstUsedAt", u.last_used_at AS "lastUsedAt"
         FROM credential_uses u
         LEFT JOIN secret_versions v ON v.repository_id = u.repository_id AND v.client_id = u.credential_id AND v.id = u.version_id
         LEFT JOIN client_keys k ON k.repository_id = u.repository_id AND k.client_id = u.credential_id AND k.id = u.version_id
         WHERE u.repository_id = $1 AND u.credential_id = $2 ORDER BY u.last_used_at DESC LIMIT 500`,
        [repository.id, clientId],
      );
      return rows.map(({ versionId, hint, uses, firstUsedAt, lastUsedAt, ...row }) => ({
        ...row,
        secretId: versionId,
        secretHint: hint,
        uses: Number(uses),
        firstUsedAt: firstUsedAt.toISOString(),
        lastUsedAt: lastUsedAt.toISOString(),
      }));
    });
  }

  /**
   * Adds a secret beside those that are alive.
   *
   * @throws Problem `secret-limit` when the client has ten live secrets.
   */
  async create(actor: Actor, slug: string, clientId: string, expiresAt: Date | null): Promise<NewSecretView> {
    authorize(actor, 'clients:write');
    return carryOut(
      this.#database,
      actor,
      async (tx) => {
        const repository = await enter(tx, slug);
        return addSecret(tx, this.#peppers, actor, owner(repository, clientId), expiresAt);
      },
      { answerIsSecret: true },
    );
  }

  /**
   * Makes a new secret and ends the earlier ones: at once, or after `overlapSeconds` in a planned rotation. When it resolves
   * without an overlap, no node accepts an earlier secret or a token that one minted.
   *
   * Two regenerations of one client take turns on its row, so that neither returns a secret that was dead on arrival by
   * accident: the later one ends the earlier one's on purpose.
   */
  async regenerate(
    actor: Actor,
    slug: string,
    clientId: string,
    { overlapSeconds, expiresAt }: RegenerateSecretBody,
  ): Promise<RegeneratedSecretView> {
    authorize(actor, 'clients:write');
    const end = futureDate(expiresAt);
    return carryOutCutoff(
      this.#database,
      actor,
      async (tx) => {
        const repository = await enter(tx, slug);
        const wish = { overlapSeconds, end };
        const made = await regenerateToolSecret(tx, this.#peppers, actor, owner(repository, clientId), wish);
        return { ...made, repositoryId: repository.id };
      },
      { answerIsSecret: true },
    );
  }

  /**
   * Ends a planned rotation before its time. When it resolves, no node accepts the secret that this ended, the newer one if the
   * rotation is cancelled and the earlier one if it is finished, or a token that it minted.
   *
   * @param cutoffId what `regenerate` announced.
   * @throws Problem `not-found`; `conflict` when the rotation is over.
   */
  async endRotation(
    actor: Actor,
    slug: string,
    clientId: string,
    cutoffId: string,
    how: RotationEnd,
  ): Promise<{ cutoff: RegeneratedSecretView['cutoff'] }> {
    authorize(actor, 'clients:write');
    return carryOutCutoff(this.#database, actor, async (tx) => {
      const repository = await enter(tx, slug);
      await lockTool(tx, owner(repository, clientId));
      const { secretId, cutoff } = await endRotation(tx, actor, owner(repository, clientId), cutoffId, how);
      const event = { repositoryId: repository.id, clientId, secretId, plannedCutoffId: cutoffId, ...announced(cutoff) };
      await announce(tx, actor.tenantId, `client.secret.rotation-${how}`, event);
      return { repositoryId: repository.id, cutoff };
    });
  }

  /** Ends one secret now. When it resolves, no node accepts it or a token it minted. Ending it again changes nothing. */
  async revoke(actor: Actor, slug: string, clientId: string, secretId: string): Promise<{ cutoff: RegeneratedSecretView['cutoff'] }> {
    authorize(actor, 'clients:write');
    return carryOutCutoff(this.#database, actor, async (tx) => {
      const repository = await enter(tx, slug);
      return { repositoryId: repository.id, cutoff: await revokeSecret(tx, actor, owner(repository, clientId), secretId) };
    });
  }
}

async function liveVersions(tx: EntityManager, { repositoryId, clientId }: SecretOwner): Promise<unknown[]> {
  return tx.query(`SELECT FROM secret_versions WHERE repository_id = $1 AND client_id = $2 AND ${aliveNow}`, [repositoryId, clientId]);
}

/**
 * With an overlap, the versions that an earlier rotation had already given an end keep at most one rotation alive: they end
 * now.
 *
 * @returns what it ended, or gave an end.
 */
async function endLiveVersions(
  tx: EntityManager,
  { repositoryId, clientId }: SecretOwner,
  overlapSeconds: number,
  only: string | undefined,
): Promise<{ id: string; now: boolean }[]> {
  return prepared(
    tx,
    `UPDATE secret_versions SET
       ended_at = CASE WHEN $3 = 0 OR overlap_ends_at IS NOT NULL THEN now() END,
       overlap_ends_at = CASE WHEN $3 > 0 THEN coalesce(overlap_ends_at, now() + make_interval(secs => $3)) ELSE overlap_ends_at END
     WHERE repository_id = $1 AND client_id = $2 AND ($4::uuid IS NULL OR id = $4) AND ${aliveNow} RETURNING id, ended_at IS NOT NULL AS now`,
    [repositoryId, clientId, overlapSeconds, only ?? null],
  );
}

function owner(repository: Repository, clientId: string): SecretOwner {
  return { tenantId: repository.tenantId, repositoryId: repository.id, clientId, environment: repository.environment };
}

/** When a secret is to end by itself, as a body says it. @throws Problem `invalid-request` for a time that is past. */
export function futureDate(expiresAt: string | undefined): Date | null {
  const date = expiresAt === undefined ? null : new Date(expiresAt);
  refusePast(date);
  return date;
}

function refusePast(expiresAt: Date | null): void {
  if (expiresAt && expiresAt.getTime() <= Date.now()) {
    throw new Problem('invalid-request', 'The secret would be dead on arrival.', {
      errors: [{ pointer: '/expiresAt', detail: 'must be in the future' }],
    });
  }
}
