import { hostname } from 'node:os';
import type { NodeKind } from '@latchkey/contracts';
import { isUnavailable, Listener, newId } from '@latchkey/database';
import type { Logger } from '@latchkey/runtime';
import type { CredentialCheck } from './check.js';
import { cutoffChannel } from './cutoff.js';

/** How often a node says that it is alive, and looks for cut-offs that it was not told of. */
const beatMillis = 5_000;

/** Planned rotations that take effect later than this are left to a later beat. */
const soonMillis = 2 * beatMillis;

/** Cut-offs that one statement asks for or reports. */
const batchSize = 200;

export interface NodeReporterOptions {
  /** The one that this process's requests are checked with. */
  check: CredentialCheck;
  databaseUrl: string;
  kind: NodeKind;
  /** For people; the kind and the machine if absent. */
  name?: string | undefined;
  /** Where this process and no other answers. */
  url: string;
  log: Logger;
}

/** What a cut-off has ended, as the database tells a node. */
interface EndedRow {
  repositoryId: string;
  cutoffId: string;
  clientId: string | null;
  userId: number | null;
  secretVersionIds: string[] | null;
  keyHashes: Buffer[] | null;
  grantIds: string[] | null;
  grantUserIds: number[] | null;
  belowGeneration: number | null;
  /** More than 0 until a planned rotation takes effect. */
  dueInMillis: number;
}

/**
 * Bears witness for one process that accepts credentials: registers it, says that it is alive, and reports of every cut-off
 * that this process refuses what was ended. For that it asks what a request with the ended credential would ask, by the same
 * check that its requests are checked with.
 *
 * No promise rests on it. A process that does not report is shown as such, and refuses all the same.
 */
export class NodeReporter {
  readonly id = newId();
  readonly #options: NodeReporterOptions;
  readonly #listener: Listener;
  readonly #beating: NodeJS.Timeout;
  /** Cut-offs to be looked at, by repository and id. */
  readonly #waiting = new Set<string>();
  /** Those of planned rotations, until they take effect. */
  readonly #planned = new Map<string, NodeJS.Timeout>();
  #work: Promise<void> | undefined;
  #leaving = false;

  /** Begins at once, and goes on trying while the database is away. */
  constructor(options: NodeReporterOptions) {
    this.#options = options;
    this.#beating = setInterval(() => void this.#beat(), beatMillis);
    this.#listener = new Listener({
      url: options.databaseUrl,
      channel: cutoffChannel,
      role: 'latchkey_check',
      applicationName: `${options.name ?? options.kind}-proof`,
      onNotification: (payload) => this.#look([payload]),
      onListening: () => void this.#beat(),
      onFault: (error) => options.log.warn(error, 'cannot listen for cut-offs; what was missed is reported later'),
    });
  }

  /** Says that this process takes no more requests. Resolves when that is written down, or cannot be. */
  async leave(): Promise<void> {
    this.#leaving = true;
    clearInterval(this.#beating);
    for (const timer of this.#planned.values()) clearTimeout(timer);
    await this.#work;
    await this.#attempt(() => this.#listener.query('SELECT leave_node($1)', [this.id]));
    await this.#listener.close();
  }

  async #beat(): Promise<void> {
    const { kind, name = `${kind}@${hostname()}`, url } = this.#options;
    await this.#attempt(async () => {
      const missed = await this.#listener.query<{ cutoff: string }>(
        `SELECT repository_id || ' ' || cutoff_id AS cutoff FROM beat_node($1, $2, $3, $4)`,
        [this.id, name, kind, url],
      );
      this.#look(missed.map(({ cutoff }) => cutoff));
    });
  }

  /** One at a time looks, and takes all that have come until then: hundreds cost as many statements as one. */
  #look(cutoffs: string[]): void {
    if (this.#leaving) return;
    for (const cutoff of cutoffs) if (!this.#planned.has(cutoff)) this.#waiting.add(cutoff);
    this.#work ??= this.#lookAtAll().finally(() => {
      this.#work = undefined;
      if (this.#waiting.size > 0) this.#look([]);
    });
  }

  async #lookAtAll(): Promise<void> {
    while (this.#waiting.size > 0) {
      const batch = [...this.#waiting].slice(0, batchSize);
      for (const cutoff of batch) this.#waiting.delete(cutoff);
      // What fails is found again by a later beat.
      await this.#attempt(() => this.#lookAt(batch));
    }
  }

  async #lookAt(cutoffs: string[]): Promise<void> {
    const rows = await this.#listener.query<EndedRow>(endedBy, columns(cutoffs));
    const due = rows.filter((row) => row.dueInMillis === 0);
    for (const row of rows) if (row.dueInMillis > 0 && row.dueInMillis <= soonMillis) this.#lookLater(row);
    const alive = await Promise.all(due.map((row) => isAlive(this.#options, row)));
    const refused = due.filter((_, index) => !alive[index]);
    if (refused.length > 0)
      await this.#listener.query('SELECT report_refusals($1, $2::uuid[], $3::uuid[])', [this.id, ...columns(refused.map(nameOf))]);
    const { log } = this.#options;
    for (const row of due.filter((each) => !refused.includes(each)))
      log.error({ cutoff: row.cutoffId }, 'this node accepts what was cut off');
  }

  #lookLater(row: EndedRow): void {
    const name = nameOf(row);
    const look = () => {
      this.#planned.delete(name);
      this.#look([name]);
    };
    this.#planned.set(name, setTimeout(look, Math.ceil(row.dueInMillis)));
  }

  async #attempt(work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      // That the database is away the listener has told already.
      if (!isUnavailable(error)) this.#options.log.warn(error, 'cut-offs could not be reported; they will be tried again');
    }
  }
}

const endedBy = `SELECT repository_id AS "repositoryId", cutoff_id AS "cutoffId", client_id AS "clientId", user_id AS "userId",
    secret_version_ids AS "secretVersionIds", key_hashes AS "keyHashes", grant_ids AS "grantIds", grant_user_ids AS "grantUserIds", below_generation AS "belowGeneration", due_in_millis AS "dueInMillis"
  FROM ended_by($1::uuid[], $2::uuid[])`;

const nameOf = ({ repositoryId, cutoffId }: EndedRow) => `${repositoryId} ${cutoffId}`;

/** Repositories and cut-offs, as parallel arrays. */
function columns(cutoffs: string[]): [repositoryIds: string[], cutoffIds: string[]] {
  const pairs = cutoffs.map((cutoff) => cutoff.split(' ') as [string, string]);
  return [pairs.map(([repositoryId]) => repositoryId), pairs.map(([, cutoffId]) => cutoffId)];
}

/** Whether a request with anything that the cut-off ended would be accepted by this process now. */
async function isAlive({ check, kind }: NodeReporterOptions, ended: EndedRow): Promise<boolean> {
  const { repositoryId, secretVersionIds, keyHashes, grantIds, grantUserIds } = ended;
  const clientId = ended.clientId ?? undefined;
  if (secretVersionIds) {
    return some(secretVersionIds, async (versionId) => {
      if (clientId === undefined) return false;
      // As every node asks for a token that the secret minted, and as the authority, and nobody else, asks for the secret itself.
      const [minted, presented] = await Promise.all([
        check.ask({ repositoryId, clientId, versionId }),
        kind === 'authority' ? check.ask({ repositoryId, clientId, withSecrets: true }) : undefined,
      ]);
      if (!minted?.repository.alive || !minted.client) return false;
      return minted.versionAlive === true || (presented?.secrets ?? []).some(({ id, alive }) => id === versionId && alive);
    });
  }
  if (keyHashes) {
    return some(keyHashes, async (keyHash) => {
      const answer = await check.ask({ repositoryId, keyHash });
      return Boolean(answer?.repository.alive && answer.apiKey?.alive && answer.subject?.enabled);
    });
  }
  if (grantIds) {
    const grants = grantIds.map((grantId, index) => ({ grantId, userId: grantUserIds?.[index] }));
    return some(grants, async (grant) => {
      const answer = await check.ask({ repositoryId, ...grant });
      return Boolean(answer?.repository.alive && answer.grantAlive);
    });
  }
  const answer = await check.ask({ repositoryId, clientId, userId: ended.userId ?? undefined });
  if (!answer?.repository.alive) return false;
  const bound =
    ended.userId !== null ? (answer.subject?.enabled ? answer.subject : null) : clientId !== undefined ? answer.client : answer.repository;
  return bound !== null && bound.generation < (ended.belowGeneration ?? 0);
}

async function some<T>(items: T[], holds: (item: T) => Promise<boolean>): Promise<boolean> {
  return (await Promise.all(items.map(holds))).includes(true);
}
