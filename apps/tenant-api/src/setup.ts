import { ConfigError, createLogger, loadConfig } from '@latchkey/runtime';
import { Database, migrate } from '@latchkey/database';
import { migrateQueue } from '@latchkey/jobs/migrate';
import { addTenant, consoleSlug, install, restoreTenant, type NewTenant } from '@latchkey/tenancy';
import { setupConfigSchema, type SetupConfig } from './config.js';
import { parseSetupOptions, usage, type SetupOptions } from './setup-options.js';

/*
 * Run once before the apps start, at every start: brings the database to the present schema and makes the console, the
 * first tenant and its credential if they are not there. Safe to repeat. With --tenant NAME it adds a tenant to an
 * installation instead, and with --restore-tenant ID it brings a deleted one back. What it shows of a new tenant it never shows again: with --json as one JSON line on standard
 * output, else in words.
 */

async function setUp(config: SetupConfig, { tenant, restore }: SetupOptions): Promise<NewTenant | undefined> {
  const ownerUrl = config.DATABASE_OWNER_URL ?? config.DATABASE_URL;
  await migrate(ownerUrl, config.DATABASE_URL);
  await migrateQueue(ownerUrl, config.DATABASE_URL);
  const database = await Database.connect({ url: config.DATABASE_URL, poolSize: 2, applicationName: 'latchkey-setup' });
  const options = {
    database,
    peppers: config.SECRET_PEPPERS,
    encryption: config.KEY_ENCRYPTION_KEYS,
    authorityUrls: config.AUTHORITY_URL_TEMPLATE,
    portalUrl: config.PORTAL_URL,
    secondFactor: config.CONSOLE_SECOND_FACTOR,
  };
  try {
    if (restore !== undefined) return await restoreTenant(options, restore);
    return await (tenant === undefined ? install(options) : addTenant(options, tenant));
  } finally {
    await database.close();
  }
}

function describe(config: SetupConfig, made: NewTenant) {
  return {
    ownerLink: made.ownerLink,
    credential: {
      tokenUrl: `${config.AUTHORITY_URL_TEMPLATE.of(consoleSlug)}/connect/token`,
      clientId: made.credential.clientId,
      clientSecret: made.credential.secret.value,
      tenantApiUrl: config.TENANT_API_URL,
    },
  };
}

async function run(options: SetupOptions): Promise<void> {
  const config = loadConfig(setupConfigSchema);
  const first = await setUp(config, options);
  const shown = first ? describe(config, first) : null;
  if (options.json) process.stdout.write(`${JSON.stringify({ first: shown })}\n`);
  else if (shown) process.stdout.write(`Shown this once:\n${JSON.stringify(shown, null, 2)}\n`);
  else process.stdout.write('The database is ready.\n');
}

try {
  const options = parseSetupOptions(process.argv.slice(2));
  if (options.help) process.stdout.write(usage);
  else await run(options);
} catch (error) {
  if (error instanceof ConfigError) process.stderr.write(`${error.message}\n`);
  else createLogger('setup').error(error, 'setup failed');
  process.exitCode = 1;
}
