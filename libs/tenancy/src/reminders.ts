import type { WebhookEventData } from '@latchkey/contracts';
import { daysUntil, duesOf, noticeDays, recommendedAgeDays, type Due } from '@latchkey/credentials';
import type { Database, EntityManager } from '@latchkey/database';
import { announce, sendMail, type MailData } from '@latchkey/jobs';
import { consoleSlug } from './installation.js';

/** Secrets or keys that one transaction looks at. */
const batchSize = 500;

type Kind = WebhookEventData<'credential.due'>['kind'];

const mailKinds = {
  'client-secret': 'client secret',
  'api-key': 'API key',
  'tenant-credential': 'tenant credential',
  'member-credential': 'member credential',
} as const satisfies Record<Kind, MailData<'credential.due'>['kind']>;

/** A secret or API key that works and is old, or will soon end by itself. */
interface Candidate {
  tenantId: string;
  repositoryId: string;
  slug: string;
  kind: Kind;
  clientId: string | null;
  versionId: string;
  name: string;
  hint: string;
  createdAt: Date;
  expiresAt: Date | null;
  /** The reminders that were sent. */
  sent: string[];
}

/** How many credentials are due within so many days, and which reminders this pass sent. */
export interface Reminded {
  due: { because: Due['because']; withinDays: number; count: number }[];
  sent: { because: Due['because']; days: number }[];
}

/**
 * Tells the webhooks and the owners of every tenant about secrets and API keys that will end by themselves or be a year old:
 * 30 days, 7 days and a day before. Each reminder is decided on once, however often and wherever this runs: the row that
 * remembers it commits together with the event and the mail.
 *
 * Of several reminders that are due at once, as after a long stop of the workers, only the nearest is sent; and none whose
 * time was before the credential was made.
 */
export async function remind(database: Database, signal: AbortSignal, now = new Date()): Promise<Reminded> {
  const reminded: Reminded = {
    due: (['expiry', 'age'] as const).flatMap((because) => noticeDays.map((withinDays) => ({ because, withinDays, count: 0 }))),
    sent: [],
  };
  for (const source of [secrets, apiKeys]) {
    let after: string[] | undefined = source.first;
    while (after && !signal.aborted) after = await remindBatch(database, source, after, now, reminded);
  }
  return reminded;
}

/** @returns where the next batch begins; nothing after the last. */
async function remindBatch(
  database: Database,
  source: Source,
  after: string[],
  now: Date,
  reminded: Reminded,
): Promise<string[] | undefined> {
  return database.transaction('system', async (tx) => {
    const candidates = await tx.query<Candidate[]>(source.text, [noticeDays[0], recommendedAgeDays, now, batchSize, ...after]);
    for (const candidate of candidates) await remindOf(tx, candidate, now, reminded);
    const last = candidates.at(-1);
    return last && candidates.length === batchSize ? source.keyOf(last) : undefined;
  });
}

async function remindOf(tx: EntityManager, candidate: Candidate, now: Date, reminded: Reminded): Promise<void> {
  for (const due of duesOf({ createdAt: candidate.createdAt, endsAt: candidate.expiresAt })) {
    const daysLeft = daysUntil(due.dueAt, now);
    for (const each of reminded.due) if (each.because === due.because && daysLeft <= each.withinDays) each.count += 1;
    const days = nearestNotice(candidate, due, daysLeft);
    if (days === undefined || candidate.sent.includes(`${due.because}-${days}`)) continue;
    const taken: unknown[] = await tx.query(
      `INSERT INTO reminders (tenant_id, credential_id, reminder) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING reminder`,
      [candidate.tenantId, candidate.versionId, `${due.because}-${days}`],
    );
    if (taken.length === 0) continue;
    await tell(tx, candidate, due, daysLeft);
    reminded.sent.push({ because: due.because, days });
  }
}

/** The last notice whose time has come, if that was not before the credential was made. */
function nearestNotice({ createdAt }: Candidate, { dueAt }: Due, daysLeft: number): number | undefined {
  const lifeDays = daysUntil(dueAt, createdAt);
  return noticeDays.filter((days) => daysLeft <= days && days <= lifeDays).at(-1);
}

async function tell(tx: EntityManager, candidate: Candidate, { because, dueAt }: Due, daysLeft: number): Promise<void> {
  const { tenantId, repositoryId, slug, kind, clientId, versionId, name, hint } = candidate;
  const isOfRepository = slug !== consoleSlug;
  const when = { because, dueAt: dueAt.toISOString(), daysLeft };
  const place = { ...(isOfRepository ? { repositoryId } : {}), ...(clientId === null ? {} : { clientId }) };
  await announce(tx, tenantId, 'credential.due', { kind, ...place, versionId, ...when });
  await sendMail(tx, tenantId, 'credential.due', { kind: mailKinds[kind], name, hint, repository: isOfRepository ? slug : null, ...when });
}

/** A table of credentials, read in the order of its primary key. */
interface Source {
  text: string;
  /** Comes before every key. */
  first: string[];
  keyOf: (candidate: Candidate) => string[];
}

const nobody = '00000000-0000-0000-0000-000000000000';
const near = (row: string) =>
  `(${row}.expires_at <= $3::timestamptz + make_interval(days => $1) OR ${row}.created_at <= $3::timestamptz - make_interval(days => $2 - $1))`;
const sent = (row: string) =>
  `ARRAY(SELECT reminder FROM reminders m WHERE m.tenant_id = ${row}.tenant_id AND m.credential_id = ${row}.id) AS sent`;

/** A secret that a planned rotation ends already is not worth a word. */
const secrets: Source = {
  text: `SELECT v.tenant_id AS "tenantId", v.repository_id AS "repositoryId", r.slug, v.client_id AS "clientId", v.id AS "versionId", c.name, v.hint,
      CASE c.kind WHEN 'tenant' THEN 'tenant-credential' WHEN 'member' THEN 'member-credential' ELSE 'client-secret' END AS kind,
      v.created_at AS "createdAt", v.expires_at AS "expiresAt", ${sent('v')}
    FROM secret_versions v
    JOIN clients c ON c.repository_id = v.repository_id AND c.id = v.client_id AND c.deleted_at IS NULL
    JOIN repositories r ON r.id = v.repository_id AND r.deleted_at IS NULL
    WHERE (v.repository_id, v.client_id, v.id) > ($5::uuid, $6, $7::uuid) AND ${near('v')}
      AND v.ended_at IS NULL AND v.overlap_ends_at IS NULL AND (v.expires_at IS NULL OR v.expires_at > $3)
    ORDER BY v.repository_id, v.client_id, v.id LIMIT $4`,
  first: [nobody, '', nobody],
  keyOf: ({ repositoryId, clientId, versionId }) => [repositoryId, clientId ?? '', versionId],
};

const apiKeys: Source = {
  text: `SELECT k.tenant_id AS "tenantId", k.repository_id AS "repositoryId", r.slug, NULL AS "clientId", k.id AS "versionId", k.name, k.hint,
      'api-key' AS kind, k.created_at AS "createdAt", k.expires_at AS "expiresAt", ${sent('k')}
    FROM api_keys k
    JOIN repository_users u ON u.repository_id = k.repository_id AND u.id = k.user_id AND u.enabled
    JOIN repositories r ON r.id = k.repository_id AND r.deleted_at IS NULL
    WHERE (k.repository_id, k.id) > ($5::uuid, $6::uuid) AND ${near('k')} AND k.ended_at IS NULL AND k.expires_at > $3
    ORDER BY k.repository_id, k.id LIMIT $4`,
  first: [nobody, nobody],
  keyOf: ({ repositoryId, versionId }) => [repositoryId, versionId],
};
