import {
  Problem,
  type CreatedInvitationView,
  type CreateInvitationBody,
  type InvitationView,
  type Page,
  type PageQuery,
} from '@latchkey/contracts';
import { audit, authorize, carryOut, cursor, pageOf, type Actor } from '@latchkey/access';
import type { KeyRing, RepositoryDirectory } from '@latchkey/credentials';
import { Invitation, isId, newId, type Database, type EntityManager } from '@latchkey/database';
import type { AddressTemplate } from '@latchkey/runtime';
import { consoleSlug, findConsole } from './installation.js';
import { holdInviter } from './inviters.js';
import { createInvitation } from './invitations.js';
import { holdTenant, refuseRole } from './members.js';
import { TenantLimits } from './tenant-limits.js';

/** Open invitations into a tenant, as its members see them. `Invitations` is the side of those who take them up. */
export class MemberInvitations {
  readonly #database: Database;
  readonly #peppers: KeyRing;
  readonly #directory: RepositoryDirectory;
  readonly #authorityUrls: AddressTemplate;
  readonly #limits: TenantLimits;

  constructor(
    database: Database,
    peppers: KeyRing,
    directory: RepositoryDirectory,
    authorityUrls: AddressTemplate,
    limits = new TenantLimits(),
  ) {
    this.#database = database;
    this.#peppers = peppers;
    this.#directory = directory;
    this.#authorityUrls = authorityUrls;
    this.#limits = limits;
  }

  /** Those that nobody has taken up and that have not run out. The links themselves are kept nowhere. */
  async list(actor: Actor, { limit, after }: PageQuery): Promise<Page<InvitationView>> {
    authorize(actor, 'members:read');
    const { id: repositoryId } = await findConsole(this.#directory);
    return this.#database.read({ tenantId: actor.tenantId }, async (tx) => {
      const query = open(tx, repositoryId, actor.tenantId)
        .orderBy('i.id')
        .take(limit + 1);
      if (after !== undefined) query.andWhere('i.id > :after', { after: cursor(after) });
      const rows = await query.getMany();
      const { page, next } = pageOf(rows, limit);
      return { items: page.map(present), next };
    });
  }

  /**
   * Invites somebody. Whoever opens the link within seven days becomes a member; it is in this answer only. Where an address is
   * named, a link of its own is mailed there.
   *
   * @throws Problem `forbidden` for a role above the actor's own; `too-many-requests` for a mail more than the tenant may send.
   */
  async create(actor: Actor, { role, email }: CreateInvitationBody): Promise<CreatedInvitationView> {
    authorize(actor, 'members:write');
    const { id: repositoryId } = await findConsole(this.#directory);
    const work = async (tx: EntityManager) => {
      await holdTenant(tx, actor.tenantId);
      const inviter = await holdInviter(tx, actor, 'members:write');
      await refuseRole(tx, actor, role);
      if (email) await this.#limits.countMail(actor.tenantId, email);
      const id = newId();
      const token = await createInvitation(tx, this.#peppers, {
        repositoryId,
        tenantId: actor.tenantId,
        userId: null,
        role,
        ...inviter,
        id,
        email: email ?? null,
      });
      await audit(tx, actor, { action: 'member.invited', targetKind: 'invitation', targetId: id, details: { role } });
      const invitation = await open(tx, repositoryId, actor.tenantId).andWhere('i.id = :id', { id }).getOneOrFail();
      return { ...present(invitation), link: `${this.#authorityUrls.of(consoleSlug)}/invitation/${token}` };
    };
    return carryOut(this.#database, actor, work, { answerIsSecret: true });
  }

  /** Withdraws an invitation: its link opens nothing from then on. */
  async withdraw(actor: Actor, id: string): Promise<void> {
    authorize(actor, 'members:write');
    const { id: repositoryId } = await findConsole(this.#directory);
    await carryOut(this.#database, actor, async (tx) => {
      await holdTenant(tx, actor.tenantId);
      const query = open(tx, repositoryId, actor.tenantId).andWhere('i.id = :id', { id }).setLock('pessimistic_write');
      const invitation = isId(id) ? await query.getOne() : null;
      if (!invitation?.role) throw new Problem('not-found', 'The tenant has no such open invitation.');
      await refuseRole(tx, actor, invitation.role);
      await tx.delete(Invitation, { repositoryId, hash: invitation.hash });
      await audit(tx, actor, {
        action: 'invitation.withdrawn',
        targetKind: 'invitation',
        targetId: id,
        details: { role: invitation.role },
      });
    });
  }
}

/** Invitations into the tenant itself, not those of people to their accounts. */
function open(tx: EntityManager, repositoryId: string, tenantId: string) {
  return tx
    .createQueryBuilder(Invitation, 'i')
    .where('i.repositoryId = :repositoryId AND i.tenantId = :tenantId AND i.role IS NOT NULL', { repositoryId, tenantId })
    .andWhere('i.usedAt IS NULL AND i.expiresAt > now()');
}

function present({ id, role, email, createdAt, expiresAt }: Invitation): InvitationView {
  return { id, role: role ?? 'viewer', email, createdAt: createdAt.toISOString(), expiresAt: expiresAt.toISOString() };
}
