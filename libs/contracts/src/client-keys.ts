import { z } from 'zod';
import { time } from './tenant-api.js';

/** Algorithms with which a client may sign its assertions (RFC 7518 §3.1, RFC 8037 §3.1, RFC 9864 §2.2). */
export const clientKeyAlgorithms = ['ES256', 'EdDSA', 'Ed25519', 'RS256', 'PS256'] as const;

/** Keys of one client that may be alive at once. */
export const maxClientKeys = 20;

export const createClientKeyBody = z.strictObject({
  jwk: z
    .record(z.string(), z.unknown())
    .describe('The public half as a JWK (RFC 7517): EC P-256, Ed25519, or RSA of 2048 bits or more. Without `kid` its thumbprint names it'),
});
export type CreateClientKeyBody = z.infer<typeof createClientKeyBody>;

export const clientKeyView = z.object({
  id: z.uuid(),
  kid: z.string().describe('By which an assertion names it'),
  algorithms: z.array(z.string()).describe('With which assertions may be signed: the one of the key, or those of its kind'),
  fetched: z.boolean().describe('It was found at jwksUri, and ends when it is no longer there'),
  createdAt: time,
  endedAt: time.nullable(),
});
export type ClientKeyView = z.infer<typeof clientKeyView>;
