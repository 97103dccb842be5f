import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { Visit } from './visit.js';

/*
 * What a browser is given when somebody signs in in it: that the account is known there. It proves nothing about who sits in
 * front of it. With it, the account's attempts are counted apart from everybody else's (see attempts.ts), and a sign-in is
 * not that of a new device.
 *
 * The cookie holds, for each account, its id, a random number and a MAC over both and the repository. Nothing is stored.
 */

const cookieName = 'known';
const yearSeconds = 365 * 86_400;
/** Accounts that one browser remembers; the latest first. */
const maxAccounts = 5;

/** What the browser has for an account, or nothing when the account has not signed in there. */
export function knownDevice(visit: Visit, userId: number): string | undefined {
  return entriesOf(visit).find((entry) => entry.userId === userId)?.nonce;
}

/** Notes in the browser that the account has signed in there. @returns whether it had before. */
export function rememberDevice(visit: Visit, userId: number): boolean {
  const entries = entriesOf(visit);
  const known = entries.find((entry) => entry.userId === userId);
  const latest = known ?? { userId, nonce: randomBytes(12).toString('base64url') };
  const kept = [latest, ...entries.filter((entry) => entry !== known)].slice(0, maxAccounts);
  const value = kept.map(({ userId: id, nonce }) => `${id}.${nonce}.${mac(visit, id, nonce).toString('base64url')}`).join('~');
  const url = new URL(visit.issuer.url);
  const path = url.pathname === '/' ? '/' : `${url.pathname.replace(/\/$/, '')}/`;
  // Lax: an app that sends a person here is another site.
  const attributes = `Path=${path}; Max-Age=${yearSeconds}; HttpOnly; SameSite=Lax${url.protocol === 'https:' ? '; Secure' : ''}`;
  visit.response.appendHeader('set-cookie', `${cookieName}=${value}; ${attributes}`);
  return known !== undefined;
}

function entriesOf(visit: Visit): { userId: number; nonce: string }[] {
  const value = new RegExp(`(?:^|;\\s*)${cookieName}=([\\w.~-]{1,1000})`).exec(visit.request.headers.cookie ?? '')?.[1] ?? '';
  return value
    .split('~')
    .slice(0, maxAccounts)
    .flatMap((entry) => {
      const [, id, nonce = '', presented = ''] = /^(\d{1,9})\.([\w-]{16})\.([\w-]{43})$/.exec(entry) ?? [];
      const userId = Number(id);
      const isOurs = id !== undefined && timingSafeEqual(Buffer.from(presented, 'base64url'), mac(visit, userId, nonce));
      return isOurs ? [{ userId, nonce }] : [];
    });
}

/** Under the first key that the authority has: after a change of keys, browsers are new for once. */
function mac({ authority, issuer }: Visit, userId: number, nonce: string): Buffer {
  return authority.encryption.mac(['known device', issuer.repository.id, userId, nonce].join('\n'));
}
