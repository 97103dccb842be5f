import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { webcrypto } from 'node:crypto';

/** `app` and `tool` belong to a repository; `tenant` and `member` are credentials for the tenant API. */
export type StoredClientKind = 'app' | 'tool' | 'tenant' | 'member';

/** What signing in needs to know of a person or technical user; its content node has the same id. */
@Entity('repository_users')
export class RepositoryUser {
  @PrimaryColumn('uuid') repositoryId!: string;
  @PrimaryColumn('integer') id!: number;
  @Column('uuid') tenantId!: string;
  @Column('text') loginName!: string;
  /** The login name in lower case, by which it is found. PostgreSQL makes it. */
  @Column({ type: 'text', insert: false, update: false }) loginKey!: string;
  @Column('text', { nullable: true }) email!: string | null;
  /** Likewise of the address. */
  @Column({ type: 'text', nullable: true, insert: false, update: false }) emailKey!: string | null;
  /** When the person proved to read what is sent to `email`; null if they have not. */
  @Column('timestamptz', { nullable: true }) emailVerifiedAt!: Date | null;
  @Column('text') name!: string;
  /** argon2id, as a PHC string. */
  @Column('text', { nullable: true }) passwordHash!: string | null;
  @Column('boolean', { default: true }) enabled!: boolean;
  /** Made by the product, for tools to act as. Nobody signs in as it. */
  @Column('boolean', { default: false }) technical!: boolean;
  /** Raised to end the user's tokens. */
  @Column('integer', { default: 1 }) generation!: number;
  @Column('timestamptz', { default: () => 'now()' }) createdAt!: Date;
  /** Since then it is nobody: only the id is left. */
  /** When its node was put into the trash. It is disabled while it is there. */
  @Column('timestamptz', { nullable: true }) trashedAt!: Date | null;
  @Column('timestamptz', { nullable: true }) deletedAt!: Date | null;
}

@Entity('clients')
export class Client {
  @PrimaryColumn('uuid') repositoryId!: string;
  /** The client ID. It never changes. */
  @PrimaryColumn('text') id!: string;
  @Column('uuid') tenantId!: string;
  @Column('text') kind!: StoredClientKind;
  @Column('text') name!: string;
  /** One of the two clients that the repository was made with. */
  @Column('boolean', { default: false }) isDefault!: boolean;
  @Column('text', { array: true, default: [] }) redirectUris!: string[];
  @Column('text', { array: true, default: [] }) postLogoutRedirectUris!: string[];
  @Column('text', { array: true, default: [] }) permissions!: string[];
  /** The repository user in whose name a tool acts. */
  @Column('integer', { nullable: true }) userId!: number | null;
  /** Raised to end the client's tokens. */
  @Column('integer', { default: 1 }) generation!: number;
  /** Where a tool publishes its keys. */
  @Column('text', { nullable: true }) jwksUri!: string | null;
  @Column('timestamptz', { nullable: true }) jwksFetchedAt!: Date | null;
  /** Where an app is told that somebody has signed out. */
  @Column('text', { nullable: true }) backchannelLogoutUri!: string | null;
  @Column('timestamptz', { default: () => 'now()' }) createdAt!: Date;
  @Column('timestamptz', { nullable: true }) deletedAt!: Date | null;
}

/** A public key with which a tool proves who it is, instead of a secret (RFC 7523). It is never overwritten. */
@Entity('client_keys')
export class ClientKey {
  @PrimaryColumn('uuid') repositoryId!: string;
  @PrimaryColumn('text') clientId!: string;
  @PrimaryColumn('uuid') id!: string;
  @Column('uuid') tenantId!: string;
  /** By which an assertion names it. */
  @Column('text') kid!: string;
  @Column('jsonb') publicJwk!: webcrypto.JsonWebKey & { kid: string; use: string };
  /** It was found at the client's address for keys, and ends when it is no longer there. */
  @Column('boolean', { default: false }) fetched!: boolean;
  @Column('timestamptz', { default: () => 'now()' }) createdAt!: Date;
  @Column('timestamptz', { nullable: true }) endedAt!: Date | null;
}

/** One secret of a client. Its hash is never overwritten. */
@Entity('secret_versions')
export class SecretVersion {
  @PrimaryColumn('uuid') repositoryId!: string;
  @PrimaryColumn('text') clientId!: string;
  @PrimaryColumn('uuid') id!: string;
  @Column('uuid') tenantId!: string;
  /** HMAC-SHA-256 of the secret under the pepper `pepperId`. */
  @Column('bytea') hash!: Buffer;
  @Column('text') pepperId!: string;
  @Column('text') hint!: string;
  @Column('timestamptz', { default: () => 'now()' }) createdAt!: Date;
  @Column('timestamptz', { nullable: true }) expiresAt!: Date | null;
  /** When a planned rotation ends it; null unless one is under way. */
  @Column('timestamptz', { nullable: true }) overlapEndsAt!: Date | null;
  /** Set by the act that ended it; dead from then on, whatever any clock says. */
  @Column('timestamptz', { nullable: true }) endedAt!: Date | null;
}

/** A key that represents a repository user in a header or a URL. */
@Entity('api_keys')
export class ApiKey {
  @PrimaryColumn('uuid') repositoryId!: string;
  @PrimaryColumn('uuid') id!: string;
  @Column('uuid') tenantId!: string;
  @Column('integer') userId!: number;
  @Column('text') name!: string;
  /** HMAC-SHA-256 of the whole key under the pepper `pepperId`; by it the key is found. */
  @Column('bytea') hash!: Buffer;
  @Column('text') pepperId!: string;
  @Column('text') hint!: string;
  @Column('text', { array: true }) permissions!: string[];
  @Column('timestamptz', { default: () => 'now()' }) createdAt!: Date;
  @Column('timestamptz') expiresAt!: Date;
  @Column('timestamptz', { nullable: true }) endedAt!: Date | null;
}

/** From where a credential is used, how often, and when last. */
@Entity('credential_uses')
export class CredentialUse {
  @PrimaryColumn('uuid') repositoryId!: string;
  /** A client ID, or the id of an API key. */
  @PrimaryColumn('text') credentialId!: string;
  /** The secret version; of an API key its id again. */
  @PrimaryColumn('uuid') versionId!: string;
  /** `replaced`: somebody still presents a secret that has ended. */
  @PrimaryColumn('text') outcome!: 'accepted' | 'replaced';
  /** The name that the caller declares, else its user agent. */
  @PrimaryColumn('text') consumer!: string;
  @PrimaryColumn('text') address!: string;
  @Column('uuid') tenantId!: string;
  @Column('bigint') uses!: string;
  @Column('timestamptz') firstUsedAt!: Date;
  @Column('timestamptz') lastUsedAt!: Date;
}

@Entity('signing_keys')
export class SigningKey {
  @PrimaryColumn('uuid') repositoryId!: string;
  @PrimaryColumn('text') kid!: string;
  @Column('uuid') tenantId!: string;
  @Column('text') algorithm!: string;
  @Column('jsonb') publicJwk!: webcrypto.JsonWebKey & { kid: string; alg: string; use: string };
  /** AES-256-GCM under the key `encryptionKeyId`: nonce, ciphertext, tag. */
  @Column('bytea') privateKey!: Buffer;
  @Column('text') encryptionKeyId!: string;
  @Column('timestamptz', { default: () => 'now()' }) createdAt!: Date;
  /** It signs from then on, unless a later key does. */
  @Column('timestamptz', { default: () => 'now()' }) signsAt!: Date;
  /** It signs nothing from then on, and is still published. Lies ahead until its successor signs. */
  @Column('timestamptz', { nullable: true }) retiredAt!: Date | null;
}

/** A key that was made beforehand, because making it takes long. It belongs to nobody until it is taken. */
@Entity('prepared_keys')
export class PreparedKey {
  @PrimaryColumn('uuid') id!: string;
  @Column('text') algorithm!: string;
  @Column('jsonb') publicJwk!: webcrypto.JsonWebKey & { kid: string; alg: string; use: string };
  /** As of a signing key. */
  @Column('bytea') privateKey!: Buffer;
  @Column('text') encryptionKeyId!: string;
  @Column('timestamptz', { default: () => 'now()' }) createdAt!: Date;
}

/** An act after which no node accepts what it ended. */
@Entity('cutoffs')
export class Cutoff {
  @PrimaryColumn('uuid') repositoryId!: string;
  @PrimaryColumn('uuid') id!: string;
  @Column('uuid') tenantId!: string;
  @Column('text') kind!: string;
  @Column('text', { nullable: true }) clientId!: string | null;
  @Column('integer', { nullable: true }) userId!: number | null;
  /** What it ended is one of these three: versions of the client's secret, */
  @Column('uuid', { array: true, nullable: true }) secretVersionIds!: string[] | null;
  /** API keys, */
  @Column('uuid', { array: true, nullable: true }) apiKeyIds!: string[] | null;
  /** or what is bound to a lower generation of the user, else of the client, else of the repository. */
  @Column('integer', { nullable: true }) belowGeneration!: number | null;
  @Column('timestamptz', { default: () => 'now()' }) recordedAt!: Date;
  /** From then on nothing accepts it; null until the call that made it knew that it was durable. */
  @Column('timestamptz', { nullable: true }) effectiveAt!: Date | null;
  /** Of a planned rotation: the secret version that it goes over to. */
  @Column('uuid', { nullable: true }) successorId!: string | null;
  /** Since then it will not take effect: the rotation was cancelled, or finished before its time. */
  @Column('timestamptz', { nullable: true }) withdrawnAt!: Date | null;
}

/** A record that oidc-provider keeps for a while: session, interaction, grant, code, refresh token. */
@Entity('oidc_records')
export class OidcRecord {
  @PrimaryColumn('uuid') repositoryId!: string;
  @PrimaryColumn('text') kind!: string;
  @PrimaryColumn('text') id!: string;
  @Column('jsonb') payload!: Record<string, unknown>;
  @Column('text', { nullable: true }) grantId!: string | null;
  @Column('text', { nullable: true }) uid!: string | null;
  @Column('text', { nullable: true }) userCode!: string | null;
  @Column('integer', { nullable: true }) userId!: number | null;
  /** The user's generation when the person signed in; a session or grant is dead once the user has a later one. */
  @Column('integer', { nullable: true }) userGeneration!: number | null;
  @Column('timestamptz', { nullable: true }) expiresAt!: Date | null;
  @Column('timestamptz', { nullable: true }) consumedAt!: Date | null;
  /** Of a session: the browser and address that an app last sent here with it, and when. */
  @Column('text', { nullable: true }) userAgent!: string | null;
  @Column('text', { nullable: true }) address!: string | null;
  @Column('timestamptz', { nullable: true }) usedAt!: Date | null;
  /** Of a session or grant: with whom the person signed in, if not here. */
  @Column('text', { nullable: true }) identityProviderId!: string | null;
}

/** A link that a person gets by mail. Its token is computed from the row under the server key `keyId`, and kept nowhere. */
@Entity('mailed_links')
export class MailedLink {
  @PrimaryColumn('uuid') repositoryId!: string;
  @PrimaryColumn('uuid') id!: string;
  @Column('uuid') tenantId!: string;
  @Column('text') purpose!: 'invitation' | 'verify-email' | 'new-password' | 'sign-up';
  /** Whose it is; null for an invitation that names no account, and for signing up. */
  @Column('integer', { nullable: true }) userId!: number | null;
  /** It is dead once the user has a later one. */
  @Column('integer', { nullable: true }) userGeneration!: number | null;
  @Column('uuid', { nullable: true }) invitationId!: string | null;
  /** Where it was sent. */
  @Column('text') address!: string;
  @Column('text') keyId!: string;
  @Column('timestamptz', { default: () => 'now()' }) createdAt!: Date;
  @Column('timestamptz') expiresAt!: Date;
  @Column('timestamptz', { nullable: true }) usedAt!: Date | null;
}

/** An access token that its client gave back before its time (RFC 7009). */
@Entity('revoked_tokens')
export class RevokedToken {
  @PrimaryColumn('uuid') repositoryId!: string;
  @PrimaryColumn('text') id!: string;
  @Column('timestamptz') expiresAt!: Date;
}
