import type { EncryptionKey } from '@latchkey/contracts';
import { Column, Entity, PrimaryColumn } from 'typeorm';

/** Why a webhook gets nothing: a person said so, it failed for days, or it answered 410 Gone. */
export type DisabledBecause = 'asked' | 'failing' | 'gone';

/** Where events go: those of one repository, or of the whole tenant. */
@Entity('webhooks')
export class Webhook {
  @PrimaryColumn('uuid') tenantId!: string;
  @PrimaryColumn('uuid') id!: string;
  /** Whose events it gets; those of the whole tenant if null. */
  @Column('uuid', { nullable: true }) repositoryId!: string | null;
  @Column('text') url!: string;
  @Column('text', { default: '' }) description!: string;
  /** Which events it gets; all, also those that later releases add, if null. */
  @Column('text', { array: true, nullable: true }) events!: string[] | null;
  /** AES-256-GCM under the key `encryptionKeyId`: nonce, ciphertext, tag. Empty once the webhook was removed. */
  @Column('bytea') signingSecret!: Buffer;
  @Column('text') encryptionKeyId!: string;
  /** The secret before the latest rotation; it signs beside the present one until `previousSecretEndsAt`. */
  @Column('bytea', { nullable: true }) previousSigningSecret!: Buffer | null;
  @Column('text', { nullable: true }) previousEncryptionKeyId!: string | null;
  @Column('timestamptz', { nullable: true }) previousSecretEndsAt!: Date | null;
  /** To which new secrets are sealed; none are sent if null. */
  @Column('jsonb', { nullable: true }) encryptionKey!: EncryptionKey | null;
  @Column('timestamptz', { default: () => 'now()' }) createdAt!: Date;
  /** The first failure since anything was delivered. */
  @Column('timestamptz', { nullable: true }) failingSince!: Date | null;
  @Column('timestamptz', { nullable: true }) disabledAt!: Date | null;
  @Column('text', { nullable: true }) disabledBecause!: DisabledBecause | null;
  /** Kept, without its secret, as long as its deliveries. */
  @Column('timestamptz', { nullable: true }) deletedAt!: Date | null;
}

/** One try to deliver an event, as it is kept in the delivery's log. */
export interface DeliveryAttempt {
  at: string;
  /** What the receiver answered; null when it did not. */
  statusCode: number | null;
  durationMillis: number;
  /** What went wrong; null when the receiver took it. */
  error: string | null;
}

/** One event on its way to one webhook, and how that went. */
@Entity('webhook_deliveries')
export class WebhookDelivery {
  @PrimaryColumn('uuid') tenantId!: string;
  @PrimaryColumn('uuid') webhookId!: string;
  /** The id of the event: the same at every webhook that gets it. */
  @PrimaryColumn('uuid') id!: string;
  /** Whose event it is; null when it is the tenant's. */
  @Column('uuid', { nullable: true }) repositoryId!: string | null;
  @Column('text') event!: string;
  @Column('jsonb') payload!: Record<string, unknown>;
  /** A compact JWE that goes with it to the webhook, and is gone once it was delivered. Not shown: it is read by name. */
  @Column({ type: 'text', nullable: true, select: false, insert: false }) sealedSecret!: string | null;
  @Column('timestamptz', { default: () => 'now()' }) createdAt!: Date;
  /** Raised by hand for another delivery; jobs of earlier rounds have nothing to do any more. */
  @Column('integer', { default: 0 }) round!: number;
  @Column('integer', { default: 0 }) attempts!: number;
  /** The latest attempts, the oldest first. */
  @Column('jsonb', { default: [] }) log!: DeliveryAttempt[];
  @Column('timestamptz', { nullable: true }) deliveredAt!: Date | null;
  @Column('timestamptz', { nullable: true }) failedAt!: Date | null;
  /** Made from the dates by PostgreSQL. */
  @Column({ type: 'text', insert: false, update: false }) status!: 'pending' | 'delivered' | 'failed';
  /** The cut-off that the event tells of; taken from the payload by PostgreSQL. */
  @Column({ type: 'uuid', nullable: true, insert: false, update: false }) cutoffId!: string | null;
}

/** Something that the owners and super admins of a tenant are told by mail. */
@Entity('mails')
export class Mail {
  @PrimaryColumn('uuid') tenantId!: string;
  @PrimaryColumn('uuid') id!: string;
  @Column('text') template!: string;
  @Column('jsonb') data!: Record<string, unknown>;
  @Column('timestamptz', { default: () => 'now()' }) createdAt!: Date;
  @Column('integer', { default: 0 }) attempts!: number;
  @Column('timestamptz', { nullable: true }) sentAt!: Date | null;
  @Column('timestamptz', { nullable: true }) failedAt!: Date | null;
  @Column('text', { nullable: true }) lastError!: string | null;
}

/** A job that was decided on in the transaction that wrote it, on its way to the queue. */
@Entity('outbox')
export class OutboxRow {
  @PrimaryColumn('uuid') id!: string;
  @Column('uuid') tenantId!: string;
  @Column('text') name!: string;
  @Column('jsonb') data!: Record<string, unknown>;
  @Column('timestamptz', { default: () => 'now()' }) createdAt!: Date;
  @Column('timestamptz', { nullable: true }) relayedAt!: Date | null;
}
