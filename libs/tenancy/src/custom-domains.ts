import { randomBytes } from 'node:crypto';
import { Resolver } from 'node:dns/promises';
import { Problem, type DomainView, type SetDomainBody } from '@latchkey/contracts';
import { audit, authorize, carryOut, enter, systemActor, type Actor } from '@latchkey/access';
import { CustomDomain, Repository, violatedConstraint, type Database, type EntityManager } from '@latchkey/database';
import { sendMail } from '@latchkey/jobs';
import type { DomainTemplate } from '@latchkey/runtime';
import { consoleSlug } from './installation.js';

export interface CustomDomainsOptions {
  database: Database;
  /** The issuer at a domain. */
  urls: DomainTemplate;
  /** Addresses of the product's own, whose hosts and what is below them no tenant can have. */
  ownUrls: string[];
  dns: TextRecords;
}

const keptDays = 14;

/** What the DNS says at a name. */
export interface TextRecords {
  /** @returns no record when the DNS says that there is none. @throws when it says nothing. */
  read(name: string): Promise<string[]>;
}

/** Asks the DNS; the machine's servers if none are named. */
export function textRecords(servers: string[] = []): TextRecords {
  return {
    read: async (name) => {
      // One for each look, so that nothing of an earlier one is used.
      const resolver = new Resolver({ timeout: 2_000, tries: 2 });
      if (servers.length > 0) resolver.setServers(servers);
      try {
        return (await resolver.resolveTxt(name)).map((parts) => parts.join(''));
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === 'ENOTFOUND' || code === 'ENODATA') return [];
        throw error;
      }
    },
  };
}

const recordOf = ({ domain, token }: CustomDomain) => ({
  type: 'TXT' as const,
  name: `_latchkey.${domain}`,
  value: `latchkey-domain=${token}`,
});

/** The domain at which the authority of a repository answers beside its own address. */
export class CustomDomains {
  readonly #options: CustomDomainsOptions;

  constructor(options: CustomDomainsOptions) {
    this.#options = options;
  }

  /** @throws Problem `not-found` when the repository has none. */
  async get(actor: Actor, slug: string): Promise<DomainView> {
    authorize(actor, 'repositories:read');
    return this.#options.database.read({ tenantId: actor.tenantId }, async (tx) => this.#present(await find(tx, await enter(tx, slug))));
  }

  /**
   * Claims a domain for a repository, in place of the one before, which is dead when this resolves. Naming the same one again
   * changes nothing.
   *
   * @throws Problem `conflict` for the domain of the installation, and for the console.
   */
  async set(actor: Actor, slug: string, { domain }: SetDomainBody): Promise<DomainView> {
    authorize(actor, 'repositories:write');
    return carryOut(this.#options.database, actor, async (tx) => {
      const repository = await enter(tx, slug, { lock: true });
      if (slug === consoleSlug) throw new Problem('conflict', 'The console has no domain but its own.');
      const own = this.#options.ownUrls.map((url) => new URL(url.replace('{repository}.', '').replace('{repository}', '')).hostname);
      if (own.some((host) => domain === host || domain.endsWith(`.${host}`) || host.endsWith(`.${domain}`)))
        throw new Problem('conflict', 'This domain belongs to the installation.');
      const earlier = await tx.findOneBy(CustomDomain, { repositoryId: repository.id });
      if (earlier?.domain === domain) return this.#present(earlier);
      const { tenantId, id: repositoryId } = repository;
      const token = randomBytes(24).toString('base64url');
      const row = { repositoryId, tenantId, domain, token, createdAt: new Date(), verifiedAt: null, seenAt: null, lostSince: null };
      await tx.upsert(CustomDomain, row, ['repositoryId']);
      await note(tx, actor, repository, 'domain.set', { domain, ...(earlier ? { instead: earlier.domain } : {}) });
      return this.#present(row);
    });
  }

  /**
   * Looks for the record. If it is there, the authority answers at the domain when this resolves.
   *
   * @throws Problem `conflict` when it is not there, `already-exists` when another repository has the domain, `unavailable`
   * when the DNS does not answer.
   */
  async verify(actor: Actor, slug: string): Promise<DomainView> {
    authorize(actor, 'repositories:write');
    const { database, dns } = this.#options;
    // Before the transaction: somebody else's DNS may take its time.
    const claim = await database.read({ tenantId: actor.tenantId }, async (tx) => find(tx, await enter(tx, slug)));
    const { name, value } = recordOf(claim);
    const values = await dns.read(name).catch((error: unknown) => {
      throw new Problem('unavailable', `The DNS does not answer for ${name}. Try again in a moment.`, {
        cause: error,
        retryAfterSeconds: 10,
      });
    });
    if (!values.includes(value))
      throw new Problem('conflict', `There is no TXT record ${name} with the value ${value}. The DNS may take a while to know it.`);
    return carryOut(database, actor, async (tx) => {
      const repository = await enter(tx, slug, { lock: true });
      const row = await find(tx, repository);
      if (row.token !== claim.token) throw new Problem('conflict', 'Another domain was set meanwhile.');
      const change = { verifiedAt: row.verifiedAt ?? new Date(), seenAt: new Date(), lostSince: null };
      await tx.update(CustomDomain, { repositoryId: repository.id }, change).catch((error: unknown) => {
        if (violatedConstraint(error) !== 'custom_domains_verified') throw error;
        throw new Problem('already-exists', 'Another repository has this domain. It must give it up first.', { cause: error });
      });
      await note(tx, actor, repository, 'domain.verified', { domain: row.domain });
      return this.#present({ ...row, ...change });
    });
  }

  /** Gives the domain up. When it resolves, no node answers there or accepts a token that was issued there. */
  async remove(actor: Actor, slug: string): Promise<void> {
    authorize(actor, 'repositories:write');
    await carryOut(this.#options.database, actor, async (tx) => {
      const repository = await enter(tx, slug, { lock: true });
      const { domain } = await find(tx, repository);
      await tx.delete(CustomDomain, { repositoryId: repository.id });
      await note(tx, actor, repository, 'domain.removed', { domain });
      return {};
    });
  }

  #present(row: CustomDomain): DomainView {
    const { domain, verifiedAt, seenAt, lostSince } = row;
    return {
      domain,
      status: !verifiedAt ? 'pending' : lostSince ? 'lost' : 'verified',
      record: recordOf(row),
      authorityUrl: verifiedAt ? this.#options.urls.of(domain) : null,
      verifiedAt: verifiedAt?.toISOString() ?? null,
      seenAt: seenAt?.toISOString() ?? null,
      lostSince: lostSince?.toISOString() ?? null,
    };
  }
}

/**
 * Looks whether the records of all verified domains are still there. One that is not is lost, and given up after 14 days; a DNS
 * that does not answer changes nothing.
 *
 * @returns the domains that were found lost, found again, and given up in this look.
 */
export async function lookAfterDomains(
  database: Database,
  dns: TextRecords,
  signal?: AbortSignal,
): Promise<Record<'lost' | 'found' | 'givenUp', string[]>> {
  const said: Record<'lost' | 'found' | 'givenUp', string[]> = { lost: [], found: [], givenUp: [] };
  const rows = await database.read('system', (tx) => tx.createQueryBuilder(CustomDomain, 'd').where('d.verifiedAt IS NOT NULL').getMany());
  for (const row of rows) {
    if (signal?.aborted) break;
    const values = await dns.read(recordOf(row).name).catch(() => undefined);
    if (values === undefined) continue;
    const there = values.includes(recordOf(row).value);
    const isOld = row.lostSince !== null && Date.now() - row.lostSince.getTime() > keptDays * 86_400_000;
    const outcome = there ? (row.lostSince ? 'found' : undefined) : isOld ? 'givenUp' : row.lostSince ? undefined : 'lost';
    await database.transaction('system', async (tx) => {
      const change = there
        ? { seenAt: new Date(), lostSince: null }
        : { lostSince: row.lostSince ?? new Date(), ...(isOld ? { verifiedAt: null } : {}) };
      const { affected } = await tx.update(CustomDomain, { repositoryId: row.repositoryId, token: row.token }, change);
      // Its tenant has taken another meanwhile, or none: a look at many domains takes its time.
      if (!affected || !outcome) return;
      said[outcome].push(row.domain);
      const action = { lost: 'domain.lost', found: 'domain.found', givenUp: 'domain.given-up' };
      if (outcome !== 'found') await tellOfLoss(tx, row, outcome);
      await note(tx, systemActor(row.tenantId, 'worker'), { id: row.repositoryId }, action[outcome], { domain: row.domain });
    });
  }
  return said;
}

/** By mail, to the owners and super admins of the tenant: what is lost is saved by them or by nobody. */
async function tellOfLoss(tx: EntityManager, row: CustomDomain, outcome: 'lost' | 'givenUp'): Promise<void> {
  const { slug } = await tx.findOneByOrFail(Repository, { id: row.repositoryId });
  const givenUpAt = outcome === 'lost' ? new Date(Date.now() + keptDays * 86_400_000).toISOString() : null;
  await sendMail(tx, row.tenantId, 'domain.lost', { domain: row.domain, repository: slug, record: recordOf(row).name, givenUpAt });
}

async function find(tx: EntityManager, { id }: Repository): Promise<CustomDomain> {
  const row = await tx.findOneBy(CustomDomain, { repositoryId: id });
  if (!row) throw new Problem('not-found', 'The repository has no domain of its own.');
  return row;
}

async function note(
  tx: EntityManager,
  actor: Actor,
  { id }: { id: string },
  action: string,
  details: Record<string, unknown>,
): Promise<void> {
  await audit(tx, actor, { action, repositoryId: id, targetKind: 'repository', targetId: id, details });
}
