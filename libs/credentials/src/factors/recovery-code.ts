import { randomInt } from 'node:crypto';
import type { KeyRing } from '../key-ring.js';

/** Crockford's base32: nothing in it looks like something else. */
const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';
const codes = 10;
const length = 10;

/** Ten codes of 50 bits, each in two groups of five: `k3f9t-04hzm`. */
export function newRecoveryCodes(): string[] {
  const character = () => alphabet.charAt(randomInt(alphabet.length));
  return Array.from({ length: codes }, () =>
    Array.from({ length }, character)
      .join('')
      .replace(/^(.{5})/, '$1-'),
  );
}

/** Whether what was typed has the shape of a recovery code. */
export function isRecoveryCode(typed: string): boolean {
  return normalize(typed).length === length;
}

/** Under which a code is stored: bound to its user, so that no row can be moved to another's. */
export function hashRecoveryCode(
  peppers: KeyRing,
  { repositoryId, userId }: { repositoryId: string; userId: number },
  code: string,
  pepperId = peppers.currentId,
): Buffer {
  return peppers.mac(`recovery-code ${repositoryId} ${userId} ${normalize(code)}`, pepperId);
}

/** Case, spaces and dashes do not matter, and what is easily misread is taken for what it must be. */
function normalize(typed: string): string {
  return typed.toLowerCase().replace(/[\s-]/g, '').replaceAll('o', '0').replace(/[il]/g, '1');
}
