import { timingSafeEqual } from 'node:crypto';
import type { Environment } from '@latchkey/contracts';
import type { CheckedSecret } from './check.js';
import type { KeyRing } from './key-ring.js';
import { PlainSecret } from './plain-secret.js';

/** What became of a secret that a client presented. */
export type SecretMatch =
  | { outcome: 'live'; versionId: string }
  /** It was right once: whoever presents it had it. */
  | { outcome: 'replaced'; versionId: string; endedAt: string | null }
  | { outcome: 'wrong' };

/**
 * Compares a presented secret with the versions that a check returned. This is the one place where a client secret is
 * compared. The time it takes does not tell whether the client exists or which version matched: every version is compared,
 * in constant time, and at least one comparison is made. A version whose pepper was taken out of the configuration has ended with it.
 *
 * @param secrets of an unknown client: none.
 */
export function matchSecret(peppers: KeyRing, environment: Environment, secrets: readonly CheckedSecret[], presented: string): SecretMatch {
  const secret = PlainSecret.parse(presented, environment, 'cs');
  if (!secret) return { outcome: 'wrong' };
  const macs = new Map<string, Buffer>();
  const macUnder = (pepperId: string) => {
    const mac = macs.get(pepperId) ?? peppers.mac(secret.reveal(), pepperId);
    macs.set(pepperId, mac);
    return mac;
  };
  const comparable = secrets.filter(({ pepperId }) => peppers.ids.includes(pepperId));
  let found: CheckedSecret | undefined;
  for (const candidate of comparable.length > 0 ? comparable : [nobodys(peppers)]) {
    if (timingSafeEqual(macUnder(candidate.pepperId), Buffer.from(candidate.hash, 'hex'))) found = candidate;
  }
  if (found?.alive) return { outcome: 'live', versionId: found.id };
  if (found?.replaced) return { outcome: 'replaced', versionId: found.id, endedAt: found.endedAt };
  return { outcome: 'wrong' };
}

/** What an unknown client's secret is compared with. No secret has this hash. */
function nobodys(peppers: KeyRing): CheckedSecret {
  return {
    id: '',
    hash: '0'.repeat(64),
    pepperId: peppers.currentId,
    alive: false,
    createdAt: '',
    expiresAt: null,
    endedAt: null,
    replaced: false,
  };
}
