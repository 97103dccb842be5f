import { Problem, type DeletedTenantView, type DeleteTenantQuery } from '@latchkey/contracts';
import { audit, carryOut, type Actor } from '@latchkey/access';
import { announced, confirmCutoff, endClient, type PendingCutoff, type RepositoryDirectory } from '@latchkey/credentials';
import { Client, Invitation, Member, Repository, Tenant, type Database, type EntityManager } from '@latchkey/database';
import { announce, sendMail } from '@latchkey/jobs';
import type { Cutoffs } from './cutoffs.js';
import { findConsole } from './installation.js';
import { holdTenant, refuseAllButOwners } from './members.js';
import { deleteRepository } from './repositories.js';

/** How long the answer waits for the nodes to report. Nothing depends on it: what was ended is refused before the wait. */
const proofMillis = 3_000;

/** The end of a tenant. */
export class TenantDeletion {
  readonly #database: Database;
  readonly #directory: RepositoryDirectory;
  readonly #cutoffs: Cutoffs;

  constructor(database: Database, directory: RepositoryDirectory, cutoffs: Cutoffs) {
    this.#database = database;
    this.#directory = directory;
    this.#cutoffs = cutoffs;
  }

  /**
   * Ends everything below a tenant at once, in one transaction: its repositories, its credentials and those of its members, its
   * invitations, its memberships. When it resolves, no node accepts anything of it. Since nobody can ask afterwards, the answer has
   * the proofs, with what each node had reported by then.
   *
   * @throws Problem `forbidden` for everybody but an owner in person; `conflict` when `confirm` is not the tenant's name.
   */
  async delete(actor: Actor, { confirm }: DeleteTenantQuery): Promise<DeletedTenantView> {
    refuseAllButPersons(actor);
    const { id: consoleId } = await findConsole(this.#directory);
    const { ended, ...answer } = await carryOut(this.#database, actor, async (tx) => {
      await holdTenant(tx, actor.tenantId);
      await refuseAllButOwners(tx, actor, 'Only an owner deletes the tenant.');
      const { name } = await tx.findOneByOrFail(Tenant, { id: actor.tenantId });
      if (confirm.trim() !== name) throw new Problem('conflict', 'Confirm with the name of the tenant, as it is spelled now.');
      await tellEverybodyInCharge(tx, actor, consoleId, name);
      await tx.delete(Invitation, { repositoryId: consoleId, tenantId: actor.tenantId });
      // Before credentials and repositories, as whoever invites holds them.
      await tx.delete(Member, { tenantId: actor.tenantId });
      const repositories = await endRepositories(tx, actor);
      const credentials = await endCredentials(tx, actor, consoleId);
      const deletedAt = new Date();
      await tx.update(Tenant, { id: actor.tenantId }, { deletedAt });
      const counts = { repositories: repositories.length, credentials: credentials.length };
      const deed = { action: 'tenant.deleted', targetKind: 'tenant', targetId: actor.tenantId, details: { name, ...counts } };
      await audit(tx, actor, deed);
      return { ended: [...repositories, ...credentials], id: actor.tenantId, deletedAt: deletedAt.toISOString(), ...counts };
    });
    for (const { repositoryId, cutoff } of ended) await confirmCutoff(this.#database, { tenantId: actor.tenantId, repositoryId }, cutoff);
    const ids = ended.map(({ cutoff }) => cutoff.id);
    return { ...answer, cutoffs: await this.#cutoffs.settle(actor, ids, proofMillis) };
  }
}

/** What ended, and where. */
interface Ended {
  repositoryId: string;
  cutoff: PendingCutoff;
}

function refuseAllButPersons(actor: Actor): void {
  if (actor.kind !== 'member' || actor.credentialId !== undefined)
    throw new Problem('forbidden', 'An owner does this in person, after signing in; no credential can.');
}

async function endRepositories(tx: EntityManager, actor: Actor): Promise<Ended[]> {
  const rows = await tx
    .createQueryBuilder(Repository, 'r')
    .where('r.tenantId = :tenantId AND r.deletedAt IS NULL', { tenantId: actor.tenantId })
    .orderBy('r.id')
    .setLock('pessimistic_write')
    .getMany();
  const ended: Ended[] = [];
  for (const row of rows) ended.push({ repositoryId: row.id, cutoff: (await deleteRepository(tx, actor, row)).cutoff });
  return ended;
}

/** The tenant's own and those of its members: all its clients at the console. */
async function endCredentials(tx: EntityManager, actor: Actor, consoleId: string): Promise<Ended[]> {
  const clients = await tx
    .createQueryBuilder(Client, 'c')
    .where('c.repositoryId = :consoleId AND c.tenantId = :tenantId AND c.deletedAt IS NULL', { consoleId, tenantId: actor.tenantId })
    .orderBy('c.id')
    .setLock('pessimistic_write')
    .getMany();
  const ended: Ended[] = [];
  for (const client of clients) {
    const cutoff = await endClient(tx, actor, client);
    const clientId = client.id;
    if (client.kind === 'tenant') await announce(tx, actor.tenantId, 'tenant.credential.revoked', { clientId, ...announced(cutoff) });
    ended.push({ repositoryId: consoleId, cutoff });
  }
  return ended;
}

/** To each by name, for when the mails are sent nobody is a member any more. */
async function tellEverybodyInCharge(tx: EntityManager, actor: Actor, consoleId: string, tenant: string): Promise<void> {
  const people = await tx.query<{ name: string; email: string; loginName: string }[]>(
    `SELECT name, email, login_name AS "loginName" FROM tenant_members()
     WHERE role IN ('owner', 'super-admin') AND enabled AND email IS NOT NULL`,
  );
  for (const { name, email, loginName } of people) {
    await sendMail(tx, actor.tenantId, 'person.tenant-deleted', {
      to: { name, address: email },
      language: 'en',
      repositoryId: consoleId,
      loginName,
      tenant,
      by: actor.person?.loginName ?? actor.id,
      at: new Date().toISOString(),
      address: actor.call.address ?? null,
    });
  }
}
