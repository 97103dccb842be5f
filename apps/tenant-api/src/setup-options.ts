import { parseArgs } from 'node:util';
import { displayName } from '@latchkey/contracts';
import { ConfigError } from '@latchkey/runtime';

/** What the set-up program is asked for. */
export interface SetupOptions {
  help: boolean;
  json: boolean;
  /** The name of a tenant to add. */
  tenant: string | undefined;
  /** The id of a deleted tenant to bring back. */
  restore: string | undefined;
}

/** What a person who asks for --help is told. */
export const usage = `node apps/tenant-api/dist/setup.js [options]

Brings the database to the present schema, and makes the console and the first tenant if they are not there. Safe to repeat.

  --tenant NAME        adds another tenant, and shows a link for its owner and a credential once
  --restore-tenant ID  brings a deleted tenant back, within 30 days, and shows the same
  --json               shows it as a JSON line

Environment and guide: docs/guides/operate.md
`;

/** @throws ConfigError for an option that does not exist or cannot be; the name is given back as it will be kept. */
export function parseSetupOptions(args: string[]): SetupOptions {
  const values = parse(args);
  if (values.tenant !== undefined && values['restore-tenant'] !== undefined)
    throw new ConfigError(['--tenant goes without --restore-tenant']);
  return { help: values.help, json: values.json, tenant: nameOf(values.tenant), restore: values['restore-tenant'] };
}

function parse(args: string[]) {
  const off = { type: 'boolean', default: false } as const;
  const options = { help: off, json: off, tenant: { type: 'string' }, 'restore-tenant': { type: 'string' } } as const;
  try {
    return parseArgs({ args, options }).values;
  } catch (error) {
    // The parser's first sentence says what; the rest is about how to quote.
    throw new ConfigError([`${(error as Error).message.split(/(?<=')\. |\n/)[0]}: see --help`]);
  }
}

function nameOf(tenant: string | undefined): string | undefined {
  if (tenant === undefined) return undefined;
  const name = displayName.safeParse(tenant);
  if (name.success) return name.data;
  throw new ConfigError(name.error.issues.map(({ message }) => `--tenant ${message}`));
}
