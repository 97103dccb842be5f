import { z } from 'zod';
import { time } from './tenant-api.js';

/** The second factors of a user, as others may know them: nothing that proves anything. */
export const factorsView = z.object({
  totp: z.object({ createdAt: time }).nullable().describe('An authenticator app; null when there is none'),
  recoveryCodesLeft: z.int(),
  passkeys: z.array(
    z.object({
      id: z.uuid(),
      name: z.string(),
      synced: z.boolean().describe('It may be on several devices'),
      createdAt: time,
      lastUsedAt: time.nullable(),
    }),
  ),
});
export type FactorsView = z.infer<typeof factorsView>;
