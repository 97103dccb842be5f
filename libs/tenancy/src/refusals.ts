import { setTimeout as wait } from 'node:timers/promises';
import type { Call, Doer } from '@latchkey/access';
import { AuditEvent, newId, type Database } from '@latchkey/database';
import { membershipsOf } from './own-act.js';

/** Somebody was not let in, or not allowed to do something. */
export interface Refusal {
  /** Such as `sign-in.refused`. */
  action: string;
  /** Whom it concerns: a tenant, or every tenant of which this user of the console is a member. */
  tenantId: string | { consoleId: string; userId: number; otherwise: string };
  repositoryId: string | null;
  by: { kind: Doer['kind']; id: string | null };
  /** What they said they were, or what they were kept from. Never what a stranger typed. */
  target: { kind: string; id: string };
  /** One of a few texts of ours. */
  reason: string;
  call: Call;
}

interface Counted extends Refusal {
  count: number;
  firstAt: Date;
  lastAt: Date;
}

const flushMillis = 60_000;

/** Different refusals of one minute that are told apart of one repository and tenant; further ones are counted together. */
const distinctLimit = 100;

/**
 * Puts refusals into the audit trail, so that they cannot be used to flood it: those of the same kind, about the same thing
 * and from the same address make one row a minute, with their count; and beyond a hundred different ones of one repository
 * the rest of the minute makes one. They are kept in memory until then and written off the request's path.
 *
 * What a process had not written when it was killed, or could not write because the database was away, is lost: counts, never
 * what was granted, which is written before it is.
 */
export class Refusals {
  readonly #database: Database;
  readonly #onFault: (error: unknown) => void;
  readonly #timer: NodeJS.Timeout;
  #waiting = new Map<string, Map<string, Counted>>();
  #writing: Promise<void> = Promise.resolve();

  constructor(database: Database, onFault: (error: unknown) => void) {
    this.#database = database;
    this.#onFault = onFault;
    this.#timer = setInterval(() => void this.flush(), flushMillis).unref();
  }

  record(refusal: Refusal): void {
    // At the console the refusals of one tenant or person must not crowd out those of another.
    const place = `${refusal.repositoryId ?? ''} ${nameOf(refusal.tenantId)}`;
    const known = this.#waiting.get(place) ?? new Map<string, Counted>();
    this.#waiting.set(place, known);
    const { action, tenantId, by, target, reason, call } = refusal;
    const name = JSON.stringify([action, nameOf(tenantId), by, target, reason, call.address ?? '']);
    const now = new Date();
    const counted = known.get(name);
    if (counted) Object.assign(counted, { count: counted.count + 1, lastAt: now, call });
    else if (known.size < distinctLimit) known.set(name, { ...refusal, count: 1, firstAt: now, lastAt: now });
    else countRest(known, refusal, now);
  }

  /** Writes what waits. Resolves when everything that was recorded before is written, or has failed to be. */
  async flush(): Promise<void> {
    this.#writing = this.#writing.then(() => this.#write());
    await this.#writing;
  }

  /** Writes what waits and stops; takes no longer than two seconds. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.race([this.flush(), wait(2_000, undefined, { ref: false })]);
  }

  async #write(): Promise<void> {
    const batch = [...this.#waiting.values()].flatMap((known) => [...known.values()]);
    this.#waiting = new Map();
    const orNothing = (error: unknown) => (this.#onFault(error), []);
    const rows = (await Promise.all(batch.map((counted) => this.#rows(counted).catch(orNothing)))).flat();
    for (const tenantId of new Set(rows.map((row) => row.tenantId))) {
      const own = rows.filter((row) => row.tenantId === tenantId);
      await this.#database.transaction({ tenantId }, (tx) => tx.insert(AuditEvent, own)).catch(this.#onFault);
    }
  }

  async #rows({ tenantId, count, firstAt, lastAt, ...refusal }: Counted) {
    const tenantIds = typeof tenantId === 'string' ? [tenantId] : await this.#tenantsOf(tenantId);
    const { action, repositoryId, by, target, reason, call } = refusal;
    const details: object = { reason, count, firstAt: firstAt.toISOString(), lastAt: lastAt.toISOString() };
    return tenantIds.map((tenant) => ({
      tenantId: tenant,
      id: newId(),
      actorKind: by.kind,
      actorId: by.id,
      action,
      repositoryId,
      targetKind: target.kind,
      targetId: target.id,
      requestId: call.requestId,
      address: call.address ?? null,
      details,
    }));
  }

  async #tenantsOf({ consoleId, userId, otherwise }: Exclude<Refusal['tenantId'], string>): Promise<string[]> {
    const memberships = await membershipsOf(this.#database, consoleId, userId);
    return memberships.length > 0 ? memberships.map(({ tenantId }) => tenantId) : [otherwise];
  }
}

const nameOf = (tenantId: Refusal['tenantId']) => (typeof tenantId === 'string' ? tenantId : `${tenantId.consoleId} ${tenantId.userId}`);

function countRest(known: Map<string, Counted>, refusal: Refusal, now: Date): void {
  const rest = known.get('rest');
  if (rest) return void Object.assign(rest, { count: rest.count + 1, lastAt: now });
  const call = { requestId: refusal.call.requestId };
  const nobody = { by: { kind: 'unknown' as const, id: null }, target: { kind: 'various', id: 'various' } };
  known.set('rest', { ...refusal, ...nobody, reason: 'too many to tell apart', call, count: 1, firstAt: now, lastAt: now });
  return undefined;
}
