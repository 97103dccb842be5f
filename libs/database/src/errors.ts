import { Problem } from '@latchkey/contracts';

/** The name of the constraint that a failed statement violated, or nothing if it failed for another reason. */
export function violatedConstraint(error: unknown): string | undefined {
  const { code, constraint } = describe(error);
  return code === '23505' ? constraint : undefined;
}

/**
 * SQLSTATE classes and codes that say "not now": connection lost, server starting or stopping, too many connections; and a
 * transaction that was undone because it and another one waited for each other (deadlock).
 */
const unavailableStates = /^(?:08|57P0|53[03]|40P01)/;
const unavailableCodes = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND', 'EHOSTUNREACH', 'EAI_AGAIN', '25006']);
const unavailableWords =
  /Connection terminated|Query read timeout|timeout exceeded when trying to connect|Client has encountered a connection error|not queryable|Cannot use a pool after/i;
/** What TypeORM throws at the next statement of a transaction whose connection was lost between two statements. */
const lostTransactions = new Set(['QueryRunnerAlreadyReleasedError', 'QueryRunnerProviderAlreadyReleasedError']);

/** True when the statement failed because PostgreSQL cannot be reached or cannot serve now, so that a retry makes sense. */
export function isUnavailable(error: unknown): boolean {
  const { code, message } = describe(error);
  if (code !== undefined && (unavailableStates.test(code) || unavailableCodes.has(code))) return true;
  return unavailableWords.test(message) || (error instanceof Error && lostTransactions.has(error.name));
}

/** SQLSTATE `character_not_in_repertoire`, and `untranslatable_character`, which it is within JSON. */
const noTextStates = new Set(['22021', '22P05']);

/** True when the statement failed because a text in it holds a zero (U+0000): no text of PostgreSQL's does. */
export function isNoText(error: unknown): boolean {
  const { code } = describe(error);
  return code !== undefined && noTextStates.has(code);
}

const limitWords: Record<string, string> = {
  users: 'users',
  groups: 'groups',
  contents: 'contents',
  storageBytes: 'bytes of files',
  clients: 'clients',
};

/** What the database refused because of a plan's limit, as the problem that its caller is told; anything else as it is. */
export function translated(error: unknown): unknown {
  const { code, constraint = '', detail } = describe(error);
  if (code !== 'LK001') return error;
  const words = `The plan of this repository allows ${detail} ${limitWords[constraint] ?? constraint}, and it has them.`;
  return new Problem('quota-exceeded', words, { cause: error });
}

function describe(error: unknown): {
  code: string | undefined;
  constraint: string | undefined;
  detail?: string | undefined;
  message: string;
} {
  if (!(error instanceof Error)) return { code: undefined, constraint: undefined, message: '' };
  // TypeORM wraps the driver's error; an AggregateError stands for several addresses that all refused.
  const inner: unknown = 'driverError' in error ? error.driverError : error instanceof AggregateError ? error.errors[0] : error;
  const fields = inner as { code?: string; constraint?: string; detail?: string; message?: string };
  return { code: fields.code, constraint: fields.constraint, detail: fields.detail, message: fields.message ?? error.message };
}
