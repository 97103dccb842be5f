import { ConfigError, createLogger, loadConfig, stopGracefully } from '@latchkey/runtime';
import { createApp } from './app.js';
import { configSchema } from './config.js';

/** Started once per process; see `config.ts` for what it reads from the environment. */
async function main(): Promise<void> {
  const config = loadConfig(configSchema);
  const log = createLogger(config.NODE_NAME ?? 'tenant-api', config.LOG_LEVEL);
  const app = await createApp(config, log);
  stopGracefully(log, () => app.close());
  await app.listen({ host: config.HOST, port: config.PORT });
  log.info({ port: config.PORT }, 'listening');
}

main().catch((error: unknown) => {
  process.stderr.write(
    `${error instanceof ConfigError ? error.message : `tenant-api: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`}\n`,
  );
  process.exit(1);
});
