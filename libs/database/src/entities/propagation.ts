import { Column, Entity, PrimaryColumn } from 'typeorm';

/** Where a tenant's events go. */
@Entity('webhooks')
export class Webhook {
  @PrimaryColumn('uuid') tenantId!: string;
  @Column('text') url!: string;
  /** AES-256-GCM under the key `encryptionKeyId`: nonce, ciphertext, tag. */
  @Column('bytea') signingSecret!: Buffer;
  @Column('text') encryptionKeyId!: string;
  @Column('timestamptz', { default: () => 'now()' }) createdAt!: Date;
}

/** One event on its way to a tenant's webhook, and how that went. */
@Entity('webhook_deliveries')
export class WebhookDelivery {
  @PrimaryColumn('uuid') tenantId!: string;
  @PrimaryColumn('uuid') id!: string;
  @Column('text') event!: string;
  @Column('jsonb') payload!: Record<string, unknown>;
  @Column('timestamptz', { default: () => 'now()' }) createdAt!: Date;
  @Column('integer', { default: 0 }) attempts!: number;
  @Column('timestamptz', { nullable: true }) deliveredAt!: Date | null;
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
