import type { Database } from '@latchkey/database';
import type { KeyRing } from './key-ring.js';

/**
 * Logs a warning if live secrets need a pepper that is not in the configuration: they are refused as wrong, and nobody would hear
 * why. One statement, at the start of a process that checks secrets.
 */
export async function warnOfLackingPeppers(
  database: Database,
  peppers: KeyRing,
  log: { warn: (about: object, words: string) => void },
): Promise<void> {
  const rows = await database.call<{ pepper: string; kind: string; live: number }>(
    'SELECT pepper_id AS pepper, kind, live::int AS live FROM lacking_peppers($1)',
    [peppers.ids],
  );
  if (rows.length === 0) return;
  const lacking: Record<string, Record<string, number>> = {};
  for (const { pepper, kind, live } of rows) (lacking[pepper] ??= {})[kind] = live;
  log.warn({ lacking }, 'live secrets are refused as wrong: SECRET_PEPPERS lacks the keys that they were hashed under');
}
