import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * A webhook can have a public key. The event that tells of a new secret then carries it, sealed so that only the holder of the
 * private key can open it: the value itself is stored nowhere, as ever. What is sealed is kept until the receiver has it.
 */
export class SealSecretsForWebhooks1763710001500 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE webhooks ADD COLUMN encryption_key jsonb;
      COMMENT ON COLUMN webhooks.encryption_key IS 'A public JWK (RFC 7517). Only a webhook of a repository has one.';
      ALTER TABLE webhooks ADD CONSTRAINT encryption_key_is_public CHECK (NOT encryption_key ?| ARRAY['d', 'k', 'p', 'q']);
      ALTER TABLE webhook_deliveries ADD COLUMN sealed_secret text;
      COMMENT ON COLUMN webhook_deliveries.sealed_secret IS 'Compact JWE (RFC 7516) for the webhook''s key; gone once it was delivered.';
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE webhook_deliveries DROP COLUMN sealed_secret; ALTER TABLE webhooks DROP COLUMN encryption_key;');
  }
}
