import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { Environment, MemberCredentialPolicy, Role, SecondFactorMode } from '@latchkey/contracts';

/** Settings of a tenant that are not columns of their own. */
export interface TenantSettings {
  /** Repositories a tenant may have; the installation's default if absent. */
  maxRepositories?: number;
  /** Tenant credentials a tenant may have; the installation's default if absent. */
  maxCredentials?: number;
  /** What the tenant has changed of the policy for its members' credentials. */
  memberCredentials?: Partial<MemberCredentialPolicy>;
  /** Multi-factor authentication is enforced for every member. */
  mfaEnforced?: boolean;
}

@Entity('tenants')
export class Tenant {
  @PrimaryColumn('uuid') id!: string;
  @Column('text') name!: string;
  @Column('jsonb', { default: {} }) settings!: TenantSettings;
  @Column('timestamptz', { default: () => 'now()' }) createdAt!: Date;
  @Column('timestamptz', { nullable: true }) deletedAt!: Date | null;
  /** What it had is going, or gone: from then on it cannot be restored. */
  @Column('timestamptz', { nullable: true }) purgeBeganAt!: Date | null;
  /** Nothing is left of it but what is kept for good. */
  @Column('timestamptz', { nullable: true }) purgedAt!: Date | null;
}

/** A slug that is or was in use. Rows are never deleted, so that a slug is never used twice. */
@Entity('repository_slugs')
export class RepositorySlug {
  @PrimaryColumn('text') slug!: string;
  @Column('uuid') repositoryId!: string;
  @Column('uuid') tenantId!: string;
}

/** What makes the sign-in pages of a repository its own. */
export interface RepositoryBranding {
  /** As `#rrggbb`; ours if absent. */
  accentColor?: string | null;
  /** Version of the logo in `repository_logos`, if there is one. */
  logo?: string | null;
}

/** Names of the plans; `repository_limits` says what each allows. */
export type Plan = 'developer' | 'business' | 'enterprise';

export interface RepositorySettings {
  /** What the repository may hold; business if absent. Only the operator sets it. */
  plan?: Plan;
  /** Limits that go before those of the plan; null for none. Only the operator sets them. */
  limits?: Partial<Record<'users' | 'groups' | 'contents' | 'clients' | 'storageBytes' | 'requestsPerMinute', number | null>>;
  /** Origins whose pages may call the repository API. */
  allowedOrigins: string[];
  accessTokenSeconds: number;
  toolTokenSeconds: number;
  /** People are told by mail of a sign-in in a browser that they had not used before; true if absent. */
  newDeviceMails?: boolean;
  /** How the sign-in pages look. */
  branding?: RepositoryBranding;
  /** From signing in to the end of the last refresh token of that line. */
  refreshTokenSeconds: number;
  /** From signing in to the end of the session at the authority. */
  sessionSeconds: number;
  /** Of the key that signs tokens. */
  signingAlgorithm: 'ES256' | 'RS256';
  /** App clients may sign people in on devices (RFC 8628). */
  deviceFlow?: boolean;
  /** `optional` if absent. */
  secondFactor?: SecondFactorMode;
}

@Entity('repositories')
export class Repository {
  @PrimaryColumn('uuid') tenantId!: string;
  @PrimaryColumn('uuid') id!: string;
  @Column('text') slug!: string;
  @Column('text') name!: string;
  @Column('text') environment!: Environment;
  @Column('jsonb') settings!: RepositorySettings;
  /** Raised with every change of the settings, the keys or the name, so that what an app remembers can be told stale. */
  @Column('integer', { default: 1 }) settingsVersion!: number;
  /** Raised to end every token of the repository. */
  @Column('integer', { default: 1 }) generation!: number;
  @Column('timestamptz', { default: () => 'now()' }) createdAt!: Date;
  @Column('timestamptz', { nullable: true }) suspendedAt!: Date | null;
  @Column('timestamptz', { nullable: true }) deletedAt!: Date | null;
  /** What it had is going, or gone: from then on it cannot be restored. */
  @Column('timestamptz', { nullable: true }) purgeBeganAt!: Date | null;
  /** Nothing is left of it but what is kept for good. */
  @Column('timestamptz', { nullable: true }) purgedAt!: Date | null;
}

/** A person in a tenant: which user of the console, in which role. */
@Entity('members')
export class Member {
  @PrimaryColumn('uuid') tenantId!: string;
  @PrimaryColumn('uuid') id!: string;
  /** The console. */
  @Column('uuid') repositoryId!: string;
  @Column('integer') userId!: number;
  @Column('text') role!: Role;
  /** Signs in by federation. */
  @Column('boolean', { default: false }) federated!: boolean;
  @Column('timestamptz', { default: () => 'now()' }) createdAt!: Date;
}

/** A one-time link with which a person takes up a user account, and a membership if a role is named. */
@Entity('invitations')
export class Invitation {
  @PrimaryColumn('uuid') repositoryId!: string;
  @PrimaryColumn('bytea') hash!: Buffer;
  @Column('uuid') tenantId!: string;
  @Column('integer', { nullable: true }) userId!: number | null;
  @Column('text', { nullable: true }) role!: Role | null;
  /** By which it is listed and withdrawn. */
  @Column('uuid', { default: () => 'gen_random_uuid()' }) id!: string;
  /** The member who made it; null for one that a machine made. */
  @Column('uuid', { nullable: true }) invitedBy!: string | null;
  /** The client ID of the credential, the tenant's or the member's, with which it was made; null for a person who had signed in. */
  @Column('text', { nullable: true }) invitedWith!: string | null;
  /** Whom it is for, as whoever made it noted. */
  @Column('text', { nullable: true }) email!: string | null;
  @Column('timestamptz', { default: () => 'now()' }) createdAt!: Date;
  @Column('timestamptz') expiresAt!: Date;
  @Column('timestamptz', { nullable: true }) usedAt!: Date | null;
}

@Entity('audit_events')
export class AuditEvent {
  @PrimaryColumn('uuid') tenantId!: string;
  @PrimaryColumn('uuid') id!: string;
  @Column('timestamptz', { default: () => 'now()' }) at!: Date;
  @Column('text') actorKind!: string;
  @Column('text', { nullable: true }) actorId!: string | null;
  @Column('text') action!: string;
  @Column('uuid', { nullable: true }) repositoryId!: string | null;
  @Column('text') targetKind!: string;
  @Column('text') targetId!: string;
  @Column('text', { nullable: true }) requestId!: string | null;
  @Column('text', { nullable: true }) address!: string | null;
  @Column('jsonb', { default: {} }) details!: Record<string, unknown>;
}

/** A call that was carried out under an `Idempotency-Key`. */
@Entity('idempotency_keys')
export class IdempotencyKey {
  @PrimaryColumn('uuid') tenantId!: string;
  @PrimaryColumn('text') actorId!: string;
  @PrimaryColumn('text') key!: string;
  /** SHA-256 of method, address and body. */
  @Column('bytea') fingerprint!: Buffer;
  /** What the call answered; null when that held a secret. */
  @Column('jsonb', { nullable: true }) answer!: unknown;
  @Column('timestamptz', { default: () => 'now()' }) createdAt!: Date;
}

/** That somebody was reminded of a secret's or API key's age or end. */
@Entity('reminders')
export class Reminder {
  @PrimaryColumn('uuid') tenantId!: string;
  /** A secret version or an API key. */
  @PrimaryColumn('uuid') credentialId!: string;
  /** Such as `expiry-30`. */
  @PrimaryColumn('text') reminder!: string;
  @Column('timestamptz', { default: () => 'now()' }) sentAt!: Date;
}

/** The picture that the sign-in pages of a repository show. */
@Entity('repository_logos')
export class RepositoryLogo {
  @PrimaryColumn('uuid') repositoryId!: string;
  @Column('uuid') tenantId!: string;
  /** From the hash of the image: another image has another version. */
  @Column('text') version!: string;
  @Column('text') contentType!: string;
  @Column('bytea') image!: Buffer;
  @Column('timestamptz', { default: () => 'now()' }) createdAt!: Date;
}
