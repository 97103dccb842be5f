import type { Environment, MemberCredentialRefusal } from '@latchkey/contracts';
import type { Pool, StoredClientKind } from '@latchkey/database';
import type { PublicJwk } from './client-key.js';
import { Gathered, type GatheringOptions, type Statement } from './gathered.js';

/** What is asked about one credential of a repository, or about the repository, a client or a user by itself. */
export type Question = AboutToken | AboutSecrets | AboutApiKey;

/** What a token hangs on. Parts that are left out are not looked at. */
export interface AboutToken extends Without<'withSecrets' | 'keyHash'> {
  repositoryId: string;
  clientId?: string | undefined;
  /** The user a token is about; the client's bound user if absent. */
  userId?: number | undefined;
  /** The secret version or key that minted it. */
  versionId?: string | undefined;
  /** The grant that a person's token belongs to. */
  grantId?: string | undefined;
  /** The token's own id, which its client may have revoked. */
  tokenId?: string | undefined;
}

/** Whoever would prove to be a client: its secrets that are alive and the latest others, to compare what was presented with, and what else is known of it. */
export interface AboutSecrets extends Without<'userId' | 'versionId' | 'grantId' | 'tokenId' | 'keyHash'> {
  repositoryId: string;
  clientId: string;
  withSecrets: true;
}

/** A presented API key, and the user whom it stands for. */
export interface AboutApiKey extends Without<'clientId' | 'userId' | 'versionId' | 'grantId' | 'tokenId' | 'withSecrets'> {
  repositoryId: string;
  /** The keyed hash of it, under one of the peppers. */
  keyHash: Buffer;
}

type Without<Name extends string> = Partial<Record<Name, undefined>>;

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
  redirectUris: readonly string[];
  postLogoutRedirectUris: readonly string[];
  backchannelLogoutUri: string | null;
  jwksUri: string | null;
  /** The live keys of a tool; null for other kinds. */
  keys: readonly { id: string; jwk: PublicJwk }[] | null;
  /** Life of its tokens, where the tenant's policy for its kind says one. */
  tokenSeconds: number | null;
}

/** What the primary said, after the question was asked. Lists in it are shared by all who asked the same at the same time. */
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
  secrets: readonly CheckedSecret[] | null;
  /** Null when no key has the hash. */
  apiKey: { id: string; permissions: string[]; alive: boolean } | null;
  versionAlive: boolean | null;
  grantAlive: boolean | null;
  tokenRevoked: boolean | null;
}

const aboutTokens: Statement<AboutToken> = {
  name: 'check-tokens',
  text: 'SELECT * FROM check_tokens($1::uuid[], $2::text[], $3::integer[], $4::uuid[], $5::text[], $6::text[])',
  valuesOf: ({ repositoryId, clientId, userId, versionId, grantId, tokenId }) => [
    repositoryId,
    clientId,
    userId,
    versionId,
    grantId,
    tokenId,
  ],
};

const aboutSecrets: Statement<AboutSecrets> = {
  name: 'check-client-secrets',
  text: 'SELECT * FROM check_client_secrets($1::uuid[], $2::text[])',
  valuesOf: ({ repositoryId, clientId }) => [repositoryId, clientId],
};

const aboutApiKeys: Statement<AboutApiKey> = {
  name: 'check-api-keys',
  text: 'SELECT * FROM check_api_keys($1::uuid[], $2::bytea[])',
  valuesOf: ({ repositoryId, keyHash }) => [repositoryId, `\\x${keyHash.toString('hex')}`],
};

/* Rows of those functions: what belongs together is null together. */

interface RepositoryRow {
  ordinal: number;
  tenant_id: string;
  repository_alive: boolean;
  repository_generation: number;
  settings_version: number;
  environment: Environment;
}

interface ClientRow {
  client_tenant_id: string | null;
  client_kind: StoredClientKind;
  client_refusal: 'deleted' | MemberCredentialRefusal | null;
  client_generation: number;
  /** With spaces between. */
  client_permissions: string;
  client_user_id: number | null;
}

interface UserRow {
  user_id: number | null;
  user_name: string;
  user_enabled: boolean;
  user_generation: number;
}

interface TokenRow extends RepositoryRow, ClientRow, UserRow {
  version_alive: boolean | null;
  grant_alive: boolean | null;
  token_revoked: boolean | null;
}

interface SecretsRow extends RepositoryRow, ClientRow, UserRow {
  client_details: ClientDetails | null;
  secrets: CheckedSecret[] | null;
}

interface ApiKeyRow extends RepositoryRow, UserRow {
  api_key_id: string | null;
  api_key_permissions: string;
  api_key_alive: boolean;
}

/** Asks the primary whether credentials are alive: questions of each kind together, under the rule of `Gathered`. */
export class CredentialCheck {
  readonly #tokens: Gathered<AboutToken, TokenRow>;
  readonly #secrets: Gathered<AboutSecrets, SecretsRow>;
  readonly #apiKeys: Gathered<AboutApiKey, ApiKeyRow>;

  /** @param pool from `connectForChecks`. */
  constructor(pool: Pool, options: GatheringOptions = {}) {
    this.#tokens = new Gathered(pool, aboutTokens, options);
    this.#secrets = new Gathered(pool, aboutSecrets, options);
    this.#apiKeys = new Gathered(pool, aboutApiKeys, options);
  }

  /**
   * @returns what the primary knows, or nothing when there is no such repository.
   * @throws the driver's error when the primary cannot be asked: then nothing may be accepted.
   */
  async ask(question: Question): Promise<Answer | undefined> {
    if (question.keyHash) {
      const row = await this.#apiKeys.ask(question);
      return row && { ...unasked, ...answerOf(row, question), subject: subjectOf(row), apiKey: apiKeyOf(row) };
    }
    if (question.withSecrets) {
      const row = await this.#secrets.ask(question);
      const { client_details: details = null, secrets = null } = row ?? {};
      return (
        row && { ...unasked, ...answerOf(row, question), ...clientOf(row, question.clientId, details), subject: subjectOf(row), secrets }
      );
    }
    const row = await this.#tokens.ask(question);
    return (
      row && {
        ...unasked,
        ...answerOf(row, question),
        ...clientOf(row, question.clientId, null),
        subject: subjectOf(row),
        versionAlive: row.version_alive,
        grantAlive: row.grant_alive,
        tokenRevoked: row.token_revoked,
      }
    );
  }
}

/** What an answer has in it of which nobody asked. */
const unasked = {
  client: null,
  refusedClient: null,
  subject: null,
  secrets: null,
  apiKey: null,
  versionAlive: null,
  grantAlive: null,
  tokenRevoked: null,
};

function answerOf(row: RepositoryRow, { repositoryId }: Question): Pick<Answer, 'repository'> {
  return {
    repository: {
      tenantId: row.tenant_id,
      id: repositoryId,
      alive: row.repository_alive,
      generation: row.repository_generation,
      settingsVersion: row.settings_version,
      environment: row.environment,
    },
  };
}

function clientOf(row: ClientRow, id: string | undefined, details: ClientDetails | null): Pick<Answer, 'client' | 'refusedClient'> {
  const { client_tenant_id: tenantId, client_kind: kind, client_refusal: because } = row;
  if (id === undefined || tenantId === null) return { client: null, refusedClient: null };
  if (because !== null) return { client: null, refusedClient: { id, tenantId, kind, because } };
  const permissions = words(row.client_permissions);
  const client = { id, tenantId, kind, generation: row.client_generation, permissions, userId: row.client_user_id, details };
  return { client, refusedClient: null };
}

function subjectOf({ user_id: id, user_name: loginName, user_enabled: enabled, user_generation: generation }: UserRow): Answer['subject'] {
  return id === null ? null : { id, loginName, enabled, generation };
}

function apiKeyOf({ api_key_id: id, api_key_permissions: permissions, api_key_alive: alive }: ApiKeyRow): Answer['apiKey'] {
  return id === null ? null : { id, permissions: words(permissions), alive };
}

const words = (text: string) => (text === '' ? [] : text.split(' '));
