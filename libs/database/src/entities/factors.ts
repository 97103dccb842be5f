import { Column, Entity, PrimaryColumn } from 'typeorm';

/** The secret that a user's authenticator app shares with us. */
@Entity('totp_secrets')
export class TotpSecret {
  @PrimaryColumn('uuid') repositoryId!: string;
  @PrimaryColumn('integer') userId!: number;
  @Column('uuid') tenantId!: string;
  /** AES-256-GCM under the key `encryptionKeyId`. */
  @Column('bytea') secret!: Buffer;
  @Column('text') encryptionKeyId!: string;
  /** The latest time step whose code was accepted; as text, since PostgreSQL's bigint is more than a number holds. */
  @Column('bigint') lastStep!: string;
  @Column('timestamptz', { default: () => 'now()' }) createdAt!: Date;
}

@Entity('recovery_codes')
export class RecoveryCode {
  @PrimaryColumn('uuid') repositoryId!: string;
  @PrimaryColumn('integer') userId!: number;
  @Column('uuid') tenantId!: string;
  /** HMAC-SHA-256 under the pepper `pepperId`. */
  @PrimaryColumn('bytea') hash!: Buffer;
  @Column('text') pepperId!: string;
  @Column('timestamptz', { default: () => 'now()' }) createdAt!: Date;
  @Column('timestamptz', { nullable: true }) usedAt!: Date | null;
}

/** A public key whose private half a device of the user holds (WebAuthn). */
@Entity('passkeys')
export class Passkey {
  @PrimaryColumn('uuid') repositoryId!: string;
  @PrimaryColumn('uuid') id!: string;
  @Column('integer') userId!: number;
  @Column('uuid') tenantId!: string;
  /** As the authenticator chose it. */
  @Column('bytea') credentialId!: Buffer;
  /** The host that it was made for. */
  @Column('text') rpId!: string;
  /** COSE. */
  @Column('bytea') publicKey!: Buffer;
  @Column('bigint') signCount!: string;
  @Column('text', { array: true, default: [] }) transports!: string[];
  /** It may be on several devices. */
  @Column('boolean') synced!: boolean;
  @Column('text') name!: string;
  @Column('timestamptz', { default: () => 'now()' }) createdAt!: Date;
  @Column('timestamptz', { nullable: true }) lastUsedAt!: Date | null;
}

/** Wrong codes that somebody typed who knew the password. */
@Entity('factor_guesses')
export class FactorGuesses {
  @PrimaryColumn('uuid') repositoryId!: string;
  @PrimaryColumn('integer') userId!: number;
  @Column('uuid') tenantId!: string;
  @Column('integer', { default: 0 }) failures!: number;
  @Column('timestamptz', { nullable: true }) refusedUntil!: Date | null;
}
