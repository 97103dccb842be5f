import { AuditEvent, insertRows, newId, type EntityManager } from '@latchkey/database';
import type { Actor, Call } from './actor.js';

/** Something that was done to something. Never holds a secret. */
export interface Deed {
  /** Noun and verb, such as `secret.regenerated`. */
  action: string;
  repositoryId?: string;
  targetKind: string;
  targetId: string;
  details?: Record<string, unknown>;
}

/** Who did it: whoever performs a call, or somebody at an authority, who may be nobody that is known. */
export interface Doer {
  kind: Actor['kind'] | 'unknown';
  tenantId: string;
  id: string | null;
  credentialId?: string;
  call: Call;
}

/** How many rows one statement writes at most. */
const atOnce = 500;

/** Writes down who did what, in the transaction in which it was done. Nobody can change it afterwards, and only its age removes it. */
export async function audit(tx: EntityManager, actor: Doer, deed: Deed): Promise<void> {
  await auditEach(tx, actor, [deed]);
}

/** Like `audit`, for what was done to several things at once, however many: a statement for five hundred. */
export async function auditEach(tx: EntityManager, actor: Doer, deeds: Deed[]): Promise<void> {
  for (let start = 0; start < deeds.length; start += atOnce) {
    const [first, ...others] = deeds.slice(start, start + atOnce).map((deed) => eventOf(actor, deed));
    if (first) await insertRows(tx, AuditEvent, [first, ...others]);
  }
}

function eventOf(actor: Doer, deed: Deed): Partial<AuditEvent> {
  return {
    tenantId: actor.tenantId,
    id: newId(),
    actorKind: actor.kind,
    actorId: actor.id,
    action: deed.action,
    repositoryId: deed.repositoryId ?? null,
    targetKind: deed.targetKind,
    targetId: deed.targetId,
    requestId: actor.call.requestId,
    address: actor.call.address ?? null,
    // A member's credential acts as the member; the trail tells the two apart.
    details: { ...deed.details, ...(actor.credentialId === undefined ? {} : { credentialId: actor.credentialId }) },
  };
}
