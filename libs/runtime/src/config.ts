import { z } from 'zod';
import { AddressTemplate } from './address.js';
import { DomainTemplate } from './domain-template.js';

/** The environment does not describe a configuration that can be started; names every fault, prints no value. */
export class ConfigError extends Error {
  constructor(readonly faults: string[]) {
    super(`The configuration is not valid:\n${faults.map((fault) => `  - ${fault}`).join('\n')}`);
    this.name = 'ConfigError';
  }
}

/**
 * Reads an app's configuration from the environment, once, in its `main.ts`.
 *
 * @throws ConfigError that names every missing or wrong variable and never prints what it holds, since it may be a
 * password.
 */
export function loadConfig<S extends z.ZodObject>(schema: S, environment: NodeJS.ProcessEnv = process.env): z.infer<S> {
  // An empty variable is how a shell or a compose file says "not set".
  const given = Object.fromEntries(
    Object.keys(schema.shape)
      .filter((name) => environment[name])
      .map((name) => [name, environment[name]]),
  );
  const result = schema.safeParse(given, { reportInput: false });
  if (result.success) return result.data;
  throw new ConfigError(
    result.error.issues.map((issue) => {
      const name = issue.path.join('.') || 'environment';
      return given[name] === undefined ? `${name} is required` : `${name}: ${issue.message}`;
    }),
  );
}

/** A TCP port. */
export const port = z.coerce.number().int().min(0).max(65_535);

/** How long a process that is told to stop goes on serving, while whoever is in front of it notices. */
export const drainSeconds = z.coerce.number().min(0).max(300).default(0);

/** How many connections a process's transactions of one role may hold. */
export const poolSize = z.coerce.number().int().min(1).max(200).default(8);

/** An address template (`http://localhost:4100/{repository}`), parsed. */
export const addressTemplate = z.string().transform((text, context) => {
  try {
    return new AddressTemplate(text);
  } catch (error) {
    context.addIssue({ code: 'custom', message: (error as Error).message });
    return z.NEVER;
  }
});

/** Where authorities answer at domains of tenants. `http://{domain}:4100` is for trying without TLS. */
export const domainTemplate = z
  .string()
  .default('https://{domain}')
  .transform((text, context) => {
    try {
      return new DomainTemplate(text);
    } catch (error) {
      context.addIssue({ code: 'custom', message: (error as Error).message });
      return z.NEVER;
    }
  });

/** DNS servers (addresses, comma-separated, with a port if need be) to ask instead of the machine's. */
export const dnsServers = z
  .string()
  .regex(/^[\d.:[\]a-f]+(?:,[\d.:[\]a-f]+)*$/i, 'must be addresses, comma-separated')
  .optional()
  .transform((text) => text?.split(',') ?? []);

/** A URL under which one of our apps is reached, without a slash at the end. */
export const baseUrl = z.url({ protocol: /^https?$/ }).transform((text) => text.replace(/\/+$/, ''));

/** `true` or `false`, as an environment variable says it. */
export const flag = z.enum(['true', 'false']).transform((text) => text === 'true');

/**
 * Who makes tenants: `open`, also strangers who sign up; `members`, everybody who is a member of one; `operator`, nobody but whoever
 * runs the installation.
 */
export const newTenants = z.enum(['open', 'members', 'operator']).default('operator');

/** What every app's configuration holds. */
export const appConfig = {
  HOST: z.string().default('127.0.0.1'),
  PORT: port,
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info'),
  NODE_NAME: z.string().max(100).optional(),
};
