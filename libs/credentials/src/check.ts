import type { Environment, MemberCredentialRefusal } from '@latchkey/contracts';
import type { Pool, StoredClientKind } from '@latchkey/database';
import type { PublicJwk } from './client-key.js';

/** What to ask about one credential. Parts that are left out are not looked at. */
export interface Question {
  repositoryId: string;
  clientId?: string | undefined;
  /** The user a token is about; the client's bound user if absent. */
  userId?: number | undefined;
  /** The secret version that minted a token. */
  versionId?: string | undefined;
  /** The grant that a person's token belongs to. */
  grantId?: string | undefined;
  /** The token's own id, which its client may have revoked. */
  tokenId?: string | undefined;
  /** The keyed hash of a presented API key, under one of the peppers. */
  keyHash?: Buffer | undefined;
  /** The client's latest secret versions, to compare a presented one with, and what else is known of the client. */
  withSecrets?: boolean;
}

/** A secret version as the check sees it. */
export interface CheckedSecret {
  id: string;
  /** HMAC-SHA-256, hexadecimal. */
  hash: string;
  pepperId: string;
  alive: boolean;
  createdAt: string;
  expiresAt: string | null;
  /** When it ended or will end by itself. */
  endedAt: string | null;
  /** A regeneration or revocation ended it or is about to, rather than its own expiry date. */
  replaced: boolean;
}

/** What it takes to let a client in, besides its secrets. */
export interface ClientDetails {
  name: string;
  redirectUris: string[];
  postLogoutRedirectUris: string[];
  backchannelLogoutUri: string | null;
  jwksUri: string | null;
  /** The live keys of a tool; null for other kinds. */
  keys: { id: string; jwk: PublicJwk }[] | null;
  /** Life of its tokens, where the tenant's policy for its kind says one. */
  tokenSeconds: number | null;
}

/** What the primary said, after the question was asked. */
export interface Answer {
  repository: { tenantId: string; id: string; alive: boolean; generation: number; settingsVersion: number; environment: Environment };
  /** Null when there is no such client (any more). */
  client: {
    id: string;
    tenantId: string;
    kind: StoredClientKind;
    generation: number;
    permissions: string[];
    userId: number | null;
    /** Where it was asked for with its secrets. */
    details: ClientDetails | null;
  } | null;
  /** Whose a client was that may not be used, so that `client` is null: for the audit trail. It opens nothing. */
  refusedClient: {
    id: string;
    tenantId: string;
    kind: StoredClientKind;
    /** It is gone for good, or suspended by the tenant's policy for the credentials of members. */
    because: 'deleted' | MemberCredentialRefusal;
  } | null;
  /** Null when there is no such user (any more). */
  subject: { id: number; loginName: string; enabled: boolean; generation: number } | null;
  secrets: CheckedSecret[] | null;
  /** Null when no key has the hash. */
  apiKey: { id: string; permissions: string[]; alive: boolean } | null;
  versionAlive: boolean | null;
  grantAlive: boolean | null;
  tokenRevoked: boolean | null;
}

interface Waiting {
  question: Question;
  resolve: (answer: Answer | undefined) => void;
  reject: (error: unknown) => void;
}

/** Questions that one statement carries at most, so that one slow batch does not hold up everyone. */
const batchSize = 500;

/** For how long questions wait for the statement that is under way to be answered; then they no longer rely on its connection. */
const usualLateMillis = 20;

const statement = {
  name: 'check-presented-credentials',
  text: `SELECT * FROM check_presented_credentials(
    $1::uuid[], $2::text[], $3::integer[], $4::uuid[], $5::text[], $6::text[], $7::bytea[], $8::boolean[])`,
};

/** A row of that function: what belongs together is null together. */
interface Row {
  ordinal: number;
  tenant_id: string;
  repository_alive: boolean;
  repository_generation: number;
  settings_version: number;
  environment: Environment;
  client_tenant_id: string | null;
  client_kind: StoredClientKind;
  client_refusal: 'deleted' | MemberCredentialRefusal | null;
  client_generation: number;
  /** With spaces between. */
  client_permissions: string;
  client_user_id: number | null;
  client_details: ClientDetails | null;
  user_id: number | null;
  user_name: string;
  user_enabled: boolean;
  user_generation: number;
  secrets: CheckedSecret[] | null;
  api_key_id: string | null;
  api_key_permissions: string;
  api_key_alive: boolean;
  version_alive: boolean | null;
  grant_alive: boolean | null;
  token_revoked: boolean | null;
}

/**
 * Asks the primary whether credentials are alive. Nothing it hears is remembered.
 *
 * The rule that makes a cut-off true: **a check uses only the answer of a statement that was sent after the check began.**
 * Questions that arrive while a statement is under way wait and go out together in the next one; none joins a statement
 * that has been sent. The busier a node is, the more they are: a statement costs as much as what it asks about a dozen
 * credentials, so this is what keeps checks cheap under load. Only when the answer is late, as on a connection that hangs, does
 * another statement go out beside it.
 *
 * Why that is enough: let a cut-off commit before its call answers, and let a check begin after that answer. Its statement
 * is sent after the check began, so its snapshot is taken after the commit, and READ COMMITTED on the primary must see it.
 * The only step at which a question and a statement meet is `#send`, which takes the questions out of `#waiting` and hands
 * them to the driver in the same turn; a question that comes later finds them gone and waits for the next.
 *
 * Cost: one statement and one round trip for all questions of a batch.
 */
export class CredentialCheck {
  readonly #pool: Pool;
  readonly #lateMillis: number;
  #waiting: Waiting[] = [];
  #underWay = 0;
  /** When the latest statement was sent, and whether it is looked at again once it is late. */
  #sentAt = 0;
  #watched = false;
  #scheduled = false;

  /** @param pool from `connectForChecks`; as many statements run at once as it has connections, while answers are late. */
  constructor(pool: Pool, { lateMillis = usualLateMillis } = {}) {
    this.#pool = pool;
    this.#lateMillis = lateMillis;
  }

  /**
   * @returns what the primary knows, or nothing when there is no such repository.
   * @throws the driver's error when the primary cannot be asked: then nothing may be accepted.
   */
  ask(question: Question): Promise<Answer | undefined> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ question, resolve, reject });
      this.#schedule();
    });
  }

  /** At the end of the turn, so that the questions of all requests that were read in it go out together. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      while (this.#waiting.length > 0 && this.#mayBeSent()) void this.#send(this.#waiting.splice(0, batchSize));
      if (this.#waiting.length > 0) this.#watch();
    });
  }

  #mayBeSent(): boolean {
    if (this.#underWay === 0) return true;
    return this.#underWay < this.#pool.options.max && performance.now() - this.#sentAt >= this.#lateMillis;
  }

  /** Looks again when the statement under way is late, unless it is answered before. */
  #watch(): void {
    if (this.#watched) return;
    this.#watched = true;
    setTimeout(() => {
      this.#watched = false;
      if (this.#waiting.length > 0) this.#schedule();
    }, this.#lateMillis).unref();
  }

  async #send(batch: Waiting[]): Promise<void> {
    this.#underWay++;
    this.#sentAt = performance.now();
    try {
      const answers = await this.#query(batch.map((waiting) => waiting.question));
      for (const [index, waiting] of batch.entries()) waiting.resolve(answers[index]);
    } catch (error) {
      for (const waiting of batch) waiting.reject(error);
    } finally {
      this.#underWay--;
      if (this.#waiting.length > 0) this.#schedule();
    }
  }

  /** @returns the answers in the order of the questions. */
  async #query(questions: Question[]): Promise<(Answer | undefined)[]> {
    const column = <T>(pick: (question: Question) => T | undefined) => questions.map((question) => pick(question) ?? null);
    const { rows } = await this.#pool.query<Row>({
      ...statement,
      values: [
        column((question) => question.repositoryId),
        column((question) => question.clientId),
        column((question) => question.userId),
        column((question) => question.versionId),
        column((question) => question.grantId),
        column((question) => question.tokenId),
        column((question) => question.keyHash),
        column((question) => question.withSecrets ?? false),
      ],
    });
    const answers: (Answer | undefined)[] = questions.map(() => undefined);
    for (const row of rows) answers[row.ordinal - 1] = answerTo(questions[row.ordinal - 1]!, row);
    return answers;
  }
}

function answerTo({ repositoryId, clientId }: Question, row: Row): Answer {
  const { client_tenant_id: clientTenant, client_kind: kind, client_refusal: because } = row;
  const client = clientId === undefined || clientTenant === null ? undefined : { id: clientId, tenantId: clientTenant, kind };
  return {
    repository: {
      tenantId: row.tenant_id,
      id: repositoryId,
      alive: row.repository_alive,
      generation: row.repository_generation,
      settingsVersion: row.settings_version,
      environment: row.environment,
    },
    client:
      client && because === null
        ? {
            ...client,
            generation: row.client_generation,
            permissions: words(row.client_permissions),
            userId: row.client_user_id,
            details: row.client_details,
          }
        : null,
    refusedClient: client && because !== null ? { ...client, because } : null,
    subject:
      row.user_id === null
        ? null
        : { id: row.user_id, loginName: row.user_name, enabled: row.user_enabled, generation: row.user_generation },
    secrets: row.secrets,
    apiKey: row.api_key_id === null ? null : { id: row.api_key_id, permissions: words(row.api_key_permissions), alive: row.api_key_alive },
    versionAlive: row.version_alive,
    grantAlive: row.grant_alive,
    tokenRevoked: row.token_revoked,
  };
}

const words = (text: string) => (text === '' ? [] : text.split(' '));
