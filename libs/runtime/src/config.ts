import { isIP } from 'node:net';
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
export const dnsServers = commaSeparated(isServerAddress, 'must be addresses, comma-separated');

/** Addresses or networks (CIDR) of the proxies in front, comma-separated: whose X-Forwarded-For is believed. */
export const trustedProxies = commaSeparated(isAddressOrNetwork, 'must be addresses or networks such as 10.0.0.0/8, comma-separated');

/** The Redis that counts for all nodes together what is limited; each node counts alone if absent. */
export const limitsUrl = z.url({ protocol: /^rediss?$/ }).optional();

/** A URL under which one of our apps is reached, without a slash at the end. */
export const baseUrl = z.url({ protocol: /^https?$/ }).transform((text) => text.replace(/\/+$/, ''));

/** `true` or `false`, as an environment variable says it. */
export const flag = z.enum(['true', 'false']).transform((text) => text === 'true');

/**
 * Who makes tenants: `open`, also strangers who sign up; `members`, everybody who is a member of one; `operator`, nobody but whoever
 * runs the installation.
 */
export const newTenants = z.enum(['open', 'members', 'operator']).default('operator');

function commaSeparated(isValid: (item: string) => boolean, message: string) {
  return z
    .string()
    .default('')
    .transform((text) => (text === '' ? [] : text.split(',').map((item) => item.trim())))
    .refine((items) => items.every(isValid), message);
}

/** `1.2.3.4`, `1.2.3.4:53`, `fd00::1`, `[fd00::1]:53`. */
function isServerAddress(text: string): boolean {
  const [, bracketed, plain] = /^(?:\[([^\]]+)\](?::\d{1,5})?|([\d.]+):\d{1,5})$/.exec(text) ?? [];
  return bracketed === undefined ? isIP(plain ?? text) !== 0 : isIP(bracketed) === 6;
}

/** Not a network of everything (`/0`): whoever believes everybody believes the caller. */
function isAddressOrNetwork(text: string): boolean {
  const [address, prefix, ...more] = text.split('/');
  const version = isIP(address!);
  if (version === 0 || more.length > 0) return false;
  return prefix === undefined || (/^[1-9]\d{0,2}$/.test(prefix) && Number(prefix) <= (version === 4 ? 32 : 128));
}

/** What every app's configuration holds. */
export const appConfig = {
  HOST: z.string().default('127.0.0.1'),
  PORT: port,
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info'),
  NODE_NAME: z.string().max(100).optional(),
};
