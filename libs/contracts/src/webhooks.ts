import { z } from 'zod';
import { webhookEventNames } from './events.js';
import { isPlainText, pageQuery, webhookUrlSchema } from './tenant-api.js';

/*
 * Bodies of the routes under `/v1/repositories/{slug}/webhooks`, as sent and as answered.
 */

const time = z.iso.datetime({ precision: 3 }).describe('RFC 3339, UTC');

const description = z.string().trim().max(200, 'must be at most 200 characters').refine(isPlainText, 'must not hold control characters');

const events = z
  .array(z.enum(webhookEventNames))
  .min(1, 'must name an event; null means all')
  .max(webhookEventNames.length)
  .refine((names) => new Set(names).size === names.length, 'must not name an event twice')
  .nullable()
  .describe('Which events it gets; null means all, also those that are added later');

const coordinate = z.string().regex(/^[\w-]{1,100}$/, 'must be base64url');

/** What a JWK may hold beside the key itself (RFC 7517 §4); only `kid` is kept. */
const aboutKey = {
  kid: z
    .string()
    .regex(/^[\x21-\x7e]{1,200}$/, 'must be 1 to 200 printable ASCII characters')
    .optional()
    .describe('Names the key in the header of what is sealed to it; its thumbprint (RFC 7638) if absent'),
  use: z.literal('enc').optional(),
  key_ops: z.array(z.string().max(20)).max(8).optional(),
  ext: z.boolean().optional(),
};
const agreement = z.literal('ECDH-ES+A256KW').optional();

const encryptionKey = z
  .discriminatedUnion('kty', [
    z.strictObject({
      kty: z.literal('RSA'),
      n: z.string().regex(/^[\w-]{1,1000}$/, 'must be base64url'),
      e: coordinate,
      alg: z.literal('RSA-OAEP-256').optional(),
      ...aboutKey,
    }),
    z.strictObject({
      kty: z.literal('EC'),
      crv: z.enum(['P-256', 'P-384', 'P-521']),
      x: coordinate,
      y: coordinate,
      alg: agreement,
      ...aboutKey,
    }),
    z.strictObject({ kty: z.literal('OKP'), crv: z.literal('X25519'), x: coordinate, alg: agreement, ...aboutKey }),
  ])
  .describe('A public key (JWK, RFC 7517) whose private half only you have. Events of new secrets carry these, sealed to it');
export type EncryptionKey = z.infer<typeof encryptionKey>;

export const createWebhookBody = z.strictObject({
  url: webhookUrlSchema,
  description: description.default(''),
  events: events.default(null),
  enabled: z.boolean().default(true),
  encryptionKey: encryptionKey.optional(),
});
export type CreateWebhookBody = z.infer<typeof createWebhookBody>;

export const updateWebhookBody = z.strictObject({
  url: webhookUrlSchema.optional(),
  description: description.optional(),
  events: events.optional(),
  encryptionKey: encryptionKey.nullable().optional().describe('null: events carry no secrets any more'),
  enabled: z.boolean().optional().describe('true also clears what it was disabled for'),
});
export type UpdateWebhookBody = z.infer<typeof updateWebhookBody>;

export const webhookView = z.object({
  id: z.uuid(),
  url: z.string(),
  description: z.string(),
  events: z.array(z.string()).nullable(),
  enabled: z.boolean(),
  disabledBecause: z
    .enum(['asked', 'failing', 'gone'])
    .nullable()
    .describe('failing: nothing but failures for days; gone: the receiver answered 410'),
  disabledAt: time.nullable(),
  failingSince: time.nullable().describe('The first failure since anything was delivered'),
  previousSecretEndsAt: time.nullable().describe('Until then events are also signed with the secret before the latest rotation'),
  encryptionKey: z.record(z.string(), z.unknown()).nullable().describe('The public JWK to which new secrets are sealed'),
  encryptionKeyThumbprint: z.string().nullable().describe('SHA-256 (RFC 7638), to compare the key by'),
  createdAt: time,
});
export type WebhookView = z.infer<typeof webhookView>;

const signingSecret = z.string().describe('Standard Webhooks secret. Shown in this one answer only');

export const createdWebhookView = webhookView.extend({ signingSecret });
export type CreatedWebhookView = z.infer<typeof createdWebhookView>;

/** The longest overlap of two signing secrets: 30 days. */
const maxOverlapSeconds = 30 * 86_400;

export const rotateWebhookBody = z.strictObject({
  overlapSeconds: z
    .int()
    .min(0)
    .max(maxOverlapSeconds)
    .default(86_400)
    .describe('How long the earlier secret signs beside the new one; 0 ends it at once'),
});
export type RotateWebhookBody = z.infer<typeof rotateWebhookBody>;

export const rotatedWebhookView = z.object({ signingSecret, previousSecretEndsAt: time.nullable() });
export type RotatedWebhookView = z.infer<typeof rotatedWebhookView>;

const deliveryStatuses = ['pending', 'delivered', 'failed'] as const;

export const deliveryQuery = pageQuery.extend({ status: z.enum(deliveryStatuses).optional().describe('All if absent') });
export type DeliveryQuery = z.infer<typeof deliveryQuery>;

export const deliveryView = z.object({
  id: z.uuid().describe('The id of the event: `webhook-id`, the same at every webhook and in every attempt'),
  event: z.string(),
  status: z.enum(deliveryStatuses),
  createdAt: time,
  deliveredAt: time.nullable(),
  failedAt: time.nullable().describe('When it was given up'),
  attempts: z.int(),
  log: z
    .array(
      z.object({
        at: time,
        statusCode: z.int().nullable().describe('null: no answer'),
        durationMillis: z.int(),
        error: z.string().nullable().describe('null: the receiver took it'),
      }),
    )
    .describe('The latest attempts, the oldest first'),
  payload: z.object({ type: z.string(), timestamp: z.string(), data: z.record(z.string(), z.unknown()) }),
});
export type DeliveryView = z.infer<typeof deliveryView>;
