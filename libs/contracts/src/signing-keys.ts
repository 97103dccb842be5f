import { z } from 'zod';
import { cutoffView, signingAlgorithms, time } from './tenant-api.js';

export const signingKeyView = z.object({
  kid: z.string().describe('By which a token names it (RFC 7515 §4.1.4)'),
  algorithm: z.enum(signingAlgorithms),
  status: z
    .enum(['published', 'signing', 'retired'])
    .describe('published: it will sign; retired: it signs no longer, and what it signed can still be verified'),
  createdAt: time,
  signsAt: time.describe('When it began to sign, or will'),
  retiredAt: time.nullable().describe('When it ceased to sign, or will'),
});
export type SigningKeyView = z.infer<typeof signingKeyView>;

export const rotateKeyBody = z
  .strictObject({
    afterSeconds: z
      .int()
      .min(0)
      .max(30 * 86_400)
      .default(3600)
      .describe('How long the new key is published before it signs, so that whoever remembers the keys learns of it'),
    compromised: z
      .boolean()
      .default(false)
      .describe('Others may know the key: every earlier key and every access token end now, and the new key signs at once'),
  })
  .refine((body) => !body.compromised || body.afterSeconds === 3600 || body.afterSeconds === 0, {
    path: ['afterSeconds'],
    message: 'does not go with compromised',
  });
export type RotateKeyBody = z.infer<typeof rotateKeyBody>;

export const rotatedKeyView = z.object({
  key: signingKeyView,
  cutoff: cutoffView.nullable().describe('What ended, when the earlier keys were compromised'),
});
export type RotatedKeyView = z.infer<typeof rotatedKeyView>;
