import { z } from 'zod';
import { KeyRing } from '@latchkey/credentials';
import { addressTemplate, appConfig, baseUrl, flag, port } from '@latchkey/runtime';

const keyRing = z.string().transform((text, context) => {
  try {
    return KeyRing.parse(text);
  } catch (error) {
    context.addIssue({ code: 'custom', message: (error as Error).message });
    return z.NEVER;
  }
});

export const configSchema = z.object({
  ...appConfig,
  /** Share PORT with other processes of this app on the same machine. */
  REUSE_PORT: flag.default(false),
  /** A port of this process alone, beside the shared one. */
  NODE_PORT: port.optional(),
  DATABASE_URL: z.url({ protocol: /^postgres(?:ql)?$/ }),
  SECRET_PEPPERS: keyRing,
  KEY_ENCRYPTION_KEYS: keyRing,
  AUTHORITY_URL_TEMPLATE: addressTemplate,
  REPOSITORY_URL_TEMPLATE: addressTemplate,
  TENANT_API_URL: baseUrl,
  PORTAL_URL: baseUrl,
});
export type Config = z.infer<typeof configSchema>;
