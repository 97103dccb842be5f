import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { IdentityProviderKind } from '@latchkey/contracts';

/** Somebody outside with whom people sign in to a repository. */
@Entity('identity_providers')
export class IdentityProvider {
  @PrimaryColumn('uuid') repositoryId!: string;
  /** Chosen by the tenant; part of the redirect URI. */
  @PrimaryColumn('text') id!: string;
  @Column('uuid') tenantId!: string;
  @Column('text') kind!: IdentityProviderKind;
  /** On the button. */
  @Column('text') name!: string;
  /** The OpenID issuer; of GitHub, where it is. */
  @Column('text') issuer!: string;
  @Column('text') clientId!: string;
  /** AES-256-GCM under the key `encryptionKeyId`: nonce, ciphertext, tag. */
  @Column('bytea', { nullable: true }) clientSecret!: Buffer | null;
  @Column('text', { nullable: true }) encryptionKeyId!: string | null;
  /** Whoever comes for the first time gets an account. */
  @Column('boolean') allowSignUp!: boolean;
  /** Then only with an address in one of these; any if empty. */
  @Column('text', { array: true }) emailDomains!: string[];
  /** Whoever comes from there proves no second factor here. */
  @Column('boolean') trustsSecondFactor!: boolean;
  @Column('boolean') enabled!: boolean;
  @Column('timestamptz', { default: () => 'now()' }) createdAt!: Date;
}

/** Which user of the repository somebody is at a provider. */
@Entity('identity_links')
export class IdentityLink {
  @PrimaryColumn('uuid') repositoryId!: string;
  @PrimaryColumn('text') providerId!: string;
  /** What the provider calls them, for ever (OpenID Connect Core 1.0 §2, `sub`). */
  @PrimaryColumn('text') subject!: string;
  @Column('uuid') tenantId!: string;
  @Column('integer') userId!: number;
  @Column('timestamptz', { default: () => 'now()' }) createdAt!: Date;
}

/** A domain of a tenant's, at which the authority of the repository answers too once it is verified. */
@Entity('custom_domains')
export class CustomDomain {
  @PrimaryColumn('uuid') repositoryId!: string;
  @Column('uuid') tenantId!: string;
  @Column('text') domain!: string;
  /** Published in the DNS by whoever holds the domain. */
  @Column('text') token!: string;
  @Column('timestamptz', { default: () => 'now()' }) createdAt!: Date;
  @Column('timestamptz', { nullable: true }) verifiedAt!: Date | null;
  /** When the record was last there. */
  @Column('timestamptz', { nullable: true }) seenAt!: Date | null;
  /** Since when it is not. */
  @Column('timestamptz', { nullable: true }) lostSince!: Date | null;
}
