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

export const createWebhookBody = z.strictObject({
  url: webhookUrlSchema,
  description: description.default(''),
  events: events.default(null),
  enabled: z.boolean().default(true),
});
export type CreateWebhookBody = z.infer<typeof createWebhookBody>;

export const updateWebhookBody = z.strictObject({
  url: webhookUrlSchema.optional(),
  description: description.optional(),
  events: events.optional(),
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

export const deliveryStatuses = ['pending', 'delivered', 'failed'] as const;
export type DeliveryStatus = (typeof deliveryStatuses)[number];

export const deliveryQuery = pageQuery.extend({ status: z.enum(deliveryStatuses).optional() });
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
