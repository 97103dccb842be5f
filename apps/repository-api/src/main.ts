import { NodeReporter } from '@latchkey/credentials';
import { createLogger, loadConfig, ownUrl, releaseStartMemory, runMain, stopGracefully } from '@latchkey/runtime';
import { createApp } from './app.js';
import { configSchema } from './config.js';

/** Started once per process; see `config.ts` for what it reads from the environment. */
async function main(): Promise<void> {
  const config = loadConfig(configSchema);
  const log = createLogger(config.NODE_NAME ?? 'repository-api', config.LOG_LEVEL);
  const app = await createApp(config, log);
  let node: NodeReporter | undefined;
  const handover = { servers: () => app.servers(), drainSeconds: config.DRAIN_SECONDS };
  stopGracefully(
    log,
    async () => {
      await node?.leave();
      await app.close();
    },
    handover,
  );
  releaseStartMemory();
  const ports = await app.listen();
  log.info(ports, 'listening');
  node = new NodeReporter({
    check: app.check,
    databaseUrl: config.DATABASE_URL,
    kind: 'repository-api',
    name: config.NODE_NAME,
    url: config.NODE_URL ?? ownUrl(config.HOST, ports.nodePort ?? ports.port),
    log,
  });
}

runMain('repository-api', main);
