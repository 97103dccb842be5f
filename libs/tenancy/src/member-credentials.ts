import {
  defaultMemberCredentialPolicy,
  permissionsOfRole,
  Problem,
  roles,
  tenantPermissions,
  type CreatedMemberCredentialView,
  type CutoffView,
  type MemberCredentialPolicy,
  type MemberCredentialRefusal,
  type MemberCredentialView,
  type MeView,
  type Role,
} from '@latchkey/contracts';
import { audit, type Actor } from '@latchkey/access';
import {
  announced,
  carryOutCutoff,
  endClient,
  insertClient,
  insertSecret,
  liveSecrets,
  type KeyRing,
  type KnownRepository,
  type PendingCutoff,
  type RepositoryDirectory,
} from '@latchkey/credentials';
import { Client, type Database, type EntityManager, type TenantSettings } from '@latchkey/database';
import { announce } from '@latchkey/jobs';
import { findConsole } from './installation.js';
import { endInvitationsMadeWith } from './inviters.js';

const dayMillis = 86_400_000;

/** The policy as it holds: what the tenant has said, else the defaults. */
export function policyOf({ memberCredentials }: TenantSettings): MemberCredentialPolicy {
  return { ...defaultMemberCredentialPolicy, ...memberCredentials };
}

/**
 * The credentials of a tenant's members, under the policy of the tenant. A member has at most one; it acts as that member and
 * can do what their role allows at the time of the call.
 *
 * The policy is asked twice: here, whether a credential may be made; and by every check, whether it works (see the migration
 * that makes `member_credential_refusal`). So one that the policy has come to forbid is dead with its tokens, whoever changed
 * what the policy looks at.
 */
export class MemberCredentials {
  readonly #database: Database;
  readonly #peppers: KeyRing;
  readonly #directory: RepositoryDirectory;

  constructor(database: Database, peppers: KeyRing, directory: RepositoryDirectory) {
    this.#database = database;
    this.#peppers = peppers;
    this.#directory = directory;
  }

  /** Who is calling, what they may do, and whether they may have a credential. */
  async me(actor: Actor): Promise<MeView> {
    const member = actor.kind === 'member' ? await this.#database.read({ tenantId: actor.tenantId }, (tx) => standing(tx, actor)) : null;
    return {
      kind: actor.kind,
      id: actor.id,
      tenantId: actor.tenantId,
      permissions: [...actor.permissions],
      member: member && actor.person ? { role: member.role, ...actor.person } : null,
      credentialRefusal: member?.refusal ?? null,
    };
  }

  /** The member's own credential, without its secret. @throws Problem `not-found` when there is none that has not ended. */
  async get(actor: Actor): Promise<MemberCredentialView> {
    const consoleRepository = await findConsole(this.#directory);
    return this.#database.read({ tenantId: actor.tenantId }, async (tx) => {
      const member = await standing(tx, actor);
      const client = await findCredential(tx, consoleRepository.id, member);
      const view = client && (await present(tx, client, member.refusal));
      if (!view) throw new Problem('not-found', 'You have no credential.');
      return view;
    });
  }

  /**
   * Makes the member's credential. Its secret is in the answer and in no later one.
   *
   * @throws Problem `forbidden` when the policy lets the member have none, or when a credential asks instead of the person;
   * `already-exists` when the member has one that has not ended and the policy does not replace it.
   */
  async create(actor: Actor): Promise<CreatedMemberCredentialView> {
    const consoleRepository = await findConsole(this.#directory);
    const make = (tx: EntityManager) => this.#make(tx, actor, consoleRepository);
    const { cutoff, ...made } = await carryOutCutoff(this.#database, actor, make, { answerIsSecret: true });
    return cutoff ? { ...made, cutoff } : made;
  }

  async #make(tx: EntityManager, actor: Actor, consoleRepository: KnownRepository) {
    const member = await standing(tx, actor, { lock: true });
    refuseLesserProof(actor, member);
    if (member.refusal) throw new Problem('forbidden', reasons[member.refusal](member.policy));
    const cutoff = await this.#endEarlier(tx, actor, consoleRepository, member);
    const owner = { repositoryId: consoleRepository.id, tenantId: actor.tenantId };
    const name = actor.person?.loginName ?? actor.id;
    const permissions = [...tenantPermissions];
    const client = await insertClient(tx, { ...owner, kind: 'member', name, permissions, userId: member.userId });
    const end = new Date(Date.now() + member.policy.validDays * dayMillis);
    const secret = await insertSecret(
      tx,
      this.#peppers,
      { ...owner, clientId: client.id, environment: consoleRepository.environment },
      end,
    );
    const made = { action: 'client.created', repositoryId: consoleRepository.id, targetKind: 'client', targetId: client.id };
    await audit(tx, actor, { ...made, details: { kind: client.kind, memberId: actor.id } });
    await announce(tx, actor.tenantId, 'member.credential.created', { memberId: actor.id, clientId: client.id, secretId: secret.id });
    const view = await present(tx, client, null);
    if (!view) throw new Error('a new credential has a live secret');
    return { ...view, secret, cutoff, repositoryId: consoleRepository.id };
  }

  /** One that has expired makes room by itself. @returns the cut-off, if one ended that worked. */
  async #endEarlier(
    tx: EntityManager,
    actor: Actor,
    consoleRepository: KnownRepository,
    member: Standing,
  ): Promise<PendingCutoff | undefined> {
    const earlier = await findCredential(tx, consoleRepository.id, member, { lock: true });
    if (!earlier) return undefined;
    const works = (await present(tx, earlier, null)) !== undefined;
    if (works && member.policy.onSecond === 'refuse')
      throw new Problem('already-exists', `You have an active credential, ${earlier.id}. Revoke it before you make another.`);
    const cutoff = await end(tx, actor, earlier, actor.id);
    return works ? cutoff : undefined;
  }

  /** Ends the member's own credential. When it resolves, no node accepts its secret or a token that it got. */
  async revoke(actor: Actor): Promise<{ cutoff: CutoffView }> {
    const { id: repositoryId } = await findConsole(this.#directory);
    return carryOutCutoff(this.#database, actor, async (tx) => {
      const member = await standing(tx, actor, { lock: true });
      const cutoff = await endMemberCredential(tx, actor, repositoryId, { id: actor.id, userId: member.userId });
      if (!cutoff) throw new Problem('not-found', 'You have no credential.');
      return { repositoryId, cutoff };
    });
  }
}

/** Ends the credential of a member, if there is one. The caller has seen to it that the actor may. */
export async function endMemberCredential(
  tx: EntityManager,
  actor: Actor,
  consoleId: string,
  { id, userId }: { id: string; userId: number },
): Promise<PendingCutoff | undefined> {
  const client = await findCredential(tx, consoleId, { tenantId: actor.tenantId, userId }, { lock: true });
  return client ? end(tx, actor, client, id) : undefined;
}

async function end(tx: EntityManager, actor: Actor, client: Client, memberId: string): Promise<PendingCutoff> {
  const cutoff = await endClient(tx, actor, client);
  await endInvitationsMadeWith(tx, actor, client.id);
  await announce(tx, actor.tenantId, 'member.credential.revoked', { memberId, clientId: client.id, ...announced(cutoff) });
  return cutoff;
}

/** What the rules about credentials look at, as it is now. */
interface Standing {
  tenantId: string;
  userId: number;
  role: Role;
  policy: MemberCredentialPolicy;
  refusal: MemberCredentialRefusal | null;
}

/**
 * @param lock holds the member's row until the transaction ends, so that two requests for a credential take turns.
 * @throws Problem `forbidden` for a machine, and for someone who is no member any more.
 */
async function standing(tx: EntityManager, actor: Actor, { lock = false } = {}): Promise<Standing> {
  if (actor.kind !== 'member') throw new Problem('forbidden', 'Only a person has a member credential. Sign in as a member.');
  const [row] = await tx.query<(Omit<Standing, 'policy'> & { settings: TenantSettings })[]>(
    `SELECT m.tenant_id AS "tenantId", m.user_id AS "userId", m.role, t.settings, member_credential_refusal(m.role, m.federated, t.settings) AS refusal
     FROM members m JOIN tenants t ON t.id = m.tenant_id WHERE m.tenant_id = $1 AND m.id = $2 ${lock ? 'FOR UPDATE OF m' : ''}`,
    [actor.tenantId, actor.id],
  );
  if (!row || !roles.includes(row.role)) throw new Problem('forbidden', 'You are not a member of this tenant any more.');
  const { settings, ...facts } = row;
  return { ...facts, policy: policyOf(settings) };
}

/** Whoever holds less than the person, a credential or a token for a few things, must not get something that holds more. */
function refuseLesserProof(actor: Actor, { role }: Standing): void {
  const isWhole = permissionsOfRole[role].every((permission) => actor.permissions.has(permission));
  if (actor.credentialId === undefined && isWhole) return;
  throw new Problem('forbidden', 'A credential is made by its member in person. Sign in at the portal.');
}

const reasons: Record<MemberCredentialRefusal, (policy: MemberCredentialPolicy) => string> = {
  role: ({ minimumRole }) => `The policy of the tenant lets only members from the role ${minimumRole} upwards have a credential.`,
  federated: () => 'Members who sign in by federation can have no credential, says the policy of the tenant.',
  'mfa-enforced': () => 'While multi-factor authentication is enforced there are no credentials, says the policy of the tenant.',
};

async function findCredential(
  tx: EntityManager,
  repositoryId: string,
  { tenantId, userId }: { tenantId: string; userId: number },
  { lock = false } = {},
): Promise<Client | null> {
  const query = tx
    .createQueryBuilder(Client, 'c')
    .where(
      `c.repositoryId = :repositoryId AND c.tenantId = :tenantId AND c.userId = :userId AND c.kind = 'member' AND c.deletedAt IS NULL`,
      { repositoryId, tenantId, userId },
    );
  return (lock ? query.setLock('pessimistic_write') : query).getOne();
}

/** @returns nothing for a credential that has expired. */
async function present(
  tx: EntityManager,
  { id: clientId, repositoryId }: Client,
  refusal: MemberCredentialRefusal | null,
): Promise<MemberCredentialView | undefined> {
  const [secret] = (await liveSecrets(tx, repositoryId, [clientId])).get(clientId) ?? [];
  if (!secret?.expiresAt) return undefined;
  const { hint, createdAt, expiresAt, lastUsedAt } = secret;
  return { clientId, hint, createdAt, expiresAt, lastUsedAt, status: refusal ? 'suspended' : 'active', refusal };
}
