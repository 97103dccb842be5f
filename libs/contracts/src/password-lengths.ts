import type { SecondFactorMode } from './tenant-api.js';

/** When the password stands alone, and when a second factor is always asked for as well (NIST SP 800-63B-4 §3.1.1.2). */
export const passwordLengths = { alone: 15, withSecondFactor: 8, longest: 256 } as const;

/** Characters that passwords of a repository with these settings must have at least. */
export function shortestPassword({ secondFactor }: { secondFactor?: SecondFactorMode | undefined }): number {
  return secondFactor === 'forced' ? passwordLengths.withSecondFactor : passwordLengths.alone;
}
