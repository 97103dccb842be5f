import { daysUntil, duesOf, noticeDays } from '@latchkey/credentials';
import type { RequestState } from './request-state.js';

/** Which header tells of what. */
const headerOf = { expiry: 'Latchkey-Secret-Expires', age: 'Latchkey-Secret-Renew-By' } as const;

/**
 * What the answer to whoever has just authenticated with a secret says about that secret, from 30 days before the time on:
 * `Latchkey-Secret-Expires`, when it ends by itself or by a planned rotation; `Latchkey-Secret-Renew-By`, when it will be or
 * was a year old. Both are dates (RFC 9110 §5.6.7), and they come from the check that the secret passed.
 */
export function ageHeaders(state: Pick<RequestState, 'client' | 'versionId'>, now = new Date()): Record<string, string> {
  const secret = state.client?.secrets?.find(({ id }) => id === state.versionId);
  if (!secret) return {};
  const endsAt = secret.endedAt === null ? null : new Date(secret.endedAt);
  const near = duesOf({ createdAt: new Date(secret.createdAt), endsAt }).filter(({ dueAt }) => daysUntil(dueAt, now) <= noticeDays[0]);
  return Object.fromEntries(near.map(({ because, dueAt }) => [headerOf[because], dueAt.toUTCString()]));
}
