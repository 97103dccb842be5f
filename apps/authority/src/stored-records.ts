import { errors } from 'oidc-provider';
import type { Database, OidcRecord } from '@latchkey/database';

/*
 * What the authority keeps of one issuer in `oidc_records`, by two functions of the database: one finds what goes together, one
 * writes what goes together, each in one round trip and under row-level security. See the migration that adds them.
 */

/** A record to be written. */
export type NewRecord = Pick<
  OidcRecord,
  | 'kind'
  | 'id'
  | 'payload'
  | 'grantId'
  | 'uid'
  | 'userCode'
  | 'userId'
  | 'userGeneration'
  | 'identityProviderId'
  | 'userAgent'
  | 'address'
  | 'usedAt'
  | 'expiresAt'
> & {
  /** The request has found it, and changes it: it is not stored again when it has ended since. */
  wasFound?: boolean;
};

/** A record as it was found. */
export type FoundRecord = NewRecord & Pick<OidcRecord, 'consumedAt'>;

/** The person whose a record is, who is enabled. */
export interface RecordOwner {
  id: number;
  loginName: string;
  name: string;
  email: string | null;
  emailVerified: boolean;
  generation: number;
}

/** A record, and what a request that has it asks for next. */
export interface Found {
  record: FoundRecord;
  /** Nothing when it belongs to nobody. */
  person: RecordOwner | undefined;
  /** The grant that it belongs to; of a session, the one that the named client got in it. Alive, and that person's. */
  grant: FoundRecord | undefined;
  /** The session with which it ends. Alive, and that person's. */
  session: FoundRecord | undefined;
}

interface Row {
  itself: StoredRow;
  person: RecordOwner | null;
  its_grant: StoredRow | null;
  its_session: StoredRow | null;
}

type StoredRow = Record<(typeof columns)[number][0] | 'consumed_at', unknown>;

/** What a record is made of; whether it was used is noted elsewhere. */
const columns = [
  ['kind', 'kind'],
  ['id', 'id'],
  ['payload', 'payload'],
  ['grant_id', 'grantId'],
  ['uid', 'uid'],
  ['user_code', 'userCode'],
  ['user_id', 'userId'],
  ['user_generation', 'userGeneration'],
  ['identity_provider_id', 'identityProviderId'],
  ['user_agent', 'userAgent'],
  ['address', 'address'],
  ['used_at', 'usedAt'],
  ['expires_at', 'expiresAt'],
] as const satisfies (readonly [column: string, member: keyof NewRecord])[];

const times = new Set<string>(['usedAt', 'expiresAt']);

/** Finds a record that has not ended. One round trip. @param client whose grant is wanted with a session. */
export async function findRecord(
  database: Database,
  repositoryId: string,
  { kind, by, value, client }: { kind: string; by: 'id' | 'uid' | 'userCode'; value: string; client?: string | undefined },
): Promise<Found | undefined> {
  const [row] = await database.call<Row>('SELECT itself, person, its_grant, its_session FROM find_oidc_records($1, $2, $3, $4, $5)', [
    repositoryId,
    kind,
    by,
    value,
    client ?? null,
  ]);
  if (!row) return undefined;
  return {
    record: read(row.itself),
    person: row.person ?? undefined,
    grant: row.its_grant ? read(row.its_grant) : undefined,
    session: row.its_session ? read(row.its_session) : undefined,
  };
}

function read(row: StoredRow): FoundRecord {
  const record: Record<string, unknown> = { consumedAt: dateOf(row.consumed_at) };
  for (const [column, member] of columns) record[member] = times.has(member) ? dateOf(row[column]) : row[column];
  return record as unknown as FoundRecord;
}

function dateOf(text: unknown): Date | null {
  return typeof text === 'string' ? new Date(text) : null;
}

/** Columns that are left out are null. */
function rowOf(record: NewRecord): Record<string, unknown> {
  const row: Record<string, unknown> = {};
  for (const [column, member] of columns) if (record[member] !== null) row[column] = record[member];
  return record.wasFound ? { ...row, was_found: true } : row;
}

/** What is written together: all of it or nothing. */
export interface Writing {
  /** A code or token that is used up with it. */
  used?: { kind: string; id: string } | undefined;
  records: NewRecord[];
  /** With whom the person signed in whose the records are, if not here. It must be allowed still. */
  identityProviderId?: string | undefined;
}

/**
 * One round trip.
 *
 * @throws InvalidGrant when another request has used the code or token since it was read, so that two at once cannot both
 * succeed. As with any that is used twice, everything that came of its grant has ended then.
 * @throws AccessDenied when the identity provider has been disabled or removed.
 * @throws LoginRequired when a session or grant that the request has found, and changes, has ended since.
 */
export async function writeRecords(
  database: Database,
  repositoryId: string,
  { used, records, identityProviderId }: Writing,
): Promise<void> {
  const rows = records.map(rowOf);
  const [row] = await database.call<{ refusal: 'used' | 'disabled' | 'ended' | null }>(
    'SELECT write_oidc_records($1, $2, $3, $4, $5) AS refusal',
    [repositoryId, identityProviderId ?? null, used?.kind ?? null, used?.id ?? null, rows.length === 0 ? null : JSON.stringify(rows)],
  );
  if (row?.refusal === 'used') throw new errors.InvalidGrant('used already');
  if (row?.refusal === 'ended') throw new errors.LoginRequired('the session or the grant has ended');
  if (row?.refusal === 'disabled') throw new errors.AccessDenied('the identity provider is no longer allowed');
}
