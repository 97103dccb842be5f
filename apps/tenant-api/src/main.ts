import { CredentialCheck, NodeReporter } from '@latchkey/credentials';
import { createLogger, loadConfig, ownUrl, releaseStartMemory, runMain, stopGracefully } from '@latchkey/runtime';
import { createApp } from './app.js';
import { configSchema } from './config.js';

/** Started once per process; see `config.ts` for what it reads from the environment. */
async function main(): Promise<void> {
  const config = loadConfig(configSchema);
  const log = createLogger(config.NODE_NAME ?? 'tenant-api', config.LOG_LEVEL);
  const app = await createApp(config, log);
  let node: NodeReporter | undefined;
  const handover = { servers: () => [app.getHttpServer()], drainSeconds: config.DRAIN_SECONDS };
  stopGracefully(
    log,
    async () => {
      await node?.leave();
      await app.close();
    },
    handover,
  );
  releaseStartMemory();
  await app.listen({ host: config.HOST, port: config.PORT });
  log.info({ port: config.PORT }, 'listening');
  node = new NodeReporter({
    check: app.get(CredentialCheck),
    databaseUrl: config.DATABASE_URL,
    kind: 'tenant-api',
    name: config.NODE_NAME,
    url: config.NODE_URL ?? ownUrl(config.HOST, config.PORT),
    log,
  });
}

runMain('tenant-api', main);
