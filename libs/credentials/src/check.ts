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
  /** The client's latest secret versions, to compare a presented one with. */
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

/** What the primary said, after the question was asked. */
export interface Answer {
  repository: { tenantId: string; id: string; alive: boolean; generation: number; settingsVersion: number; environment: Environment };
  /** Null when there is no such client (any more). */
  client: {
    id: string;
    tenantId: string;
    kind: StoredClientKind;
    name: string;
    generation: number;
    permissions: string[];
    userId: number | null;
    redirectUris: string[];
    postLogoutRedirectUris: string[];
    backchannelLogoutUri: string | null;
    jwksUri: string | null;
    /** The live keys of a tool, with its secrets. */
    keys: { id: string; jwk: PublicJwk }[] | null;
    /** Life of its tokens, where the tenant's policy for its kind says one. */
    tokenSeconds: number | null;
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

const statement = {
  name: 'check-credentials',
  text: `SELECT ordinal, repository, client, refused_client AS "refusedClient", subject, secrets, api_key AS "apiKey", version_alive AS "versionAlive", grant_alive AS "grantAlive",
           token_revoked AS "tokenRevoked"
         FROM check_credentials($1::uuid[], $2::text[], $3::integer[], $4::uuid[], $5::text[], $6::text[], $7::bytea[], $8::boolean[])`,
};

/**
 * Asks the primary whether credentials are alive. Nothing it hears is remembered.
 *
 * The rule that makes a cut-off true: **a check uses only the answer of a statement that was sent after the check began.**
 * Questions that arrive while statements are under way wait and go out together in the next one; none joins a statement
 * that has been sent.
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
  #waiting: Waiting[] = [];
  #underWay = 0;
  #scheduled = false;

  /** @param pool from `connectForChecks`; as many statements run at once as it has connections. */
  constructor(pool: Pool) {
    this.#pool = pool;
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
      while (this.#waiting.length > 0 && this.#underWay < this.#pool.options.max) void this.#send(this.#waiting.splice(0, batchSize));
    });
  }

  async #send(batch: Waiting[]): Promise<void> {
    this.#underWay++;
    try {
      const rows = await this.#query(batch.map((waiting) => waiting.question));
      for (const [index, waiting] of batch.entries()) waiting.resolve(rows.get(index + 1));
    } catch (error) {
      for (const waiting of batch) waiting.reject(error);
    } finally {
      this.#underWay--;
      if (this.#waiting.length > 0) this.#schedule();
    }
  }

  async #query(questions: Question[]): Promise<Map<number, Answer>> {
    const column = <T>(pick: (question: Question) => T | undefined) => questions.map((question) => pick(question) ?? null);
    const { rows } = await this.#pool.query<Answer & { ordinal: string }>({
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
    return new Map(rows.map((row) => [Number(row.ordinal), row]));
  }
}
