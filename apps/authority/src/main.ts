import { NodeReporter, preparePasskeys } from '@latchkey/credentials';
import { createLogger, loadConfig, ownUrl, releaseStartMemory, runMain, stopGracefully } from '@latchkey/runtime';
import { openAuthority } from './authority.js';
import { configSchema } from './config.js';
import { closeAll, createListener, listen } from './server.js';

/** Started once per process; see `config.ts` for what it reads from the environment. */
async function main(): Promise<void> {
  const config = loadConfig(configSchema);
  const log = createLogger(config.NODE_NAME ?? 'authority', config.LOG_LEVEL);
  await preparePasskeys();
  const authority = await openAuthority(config, log);
  releaseStartMemory();
  const servers = await listen(createListener(authority), {
    host: config.HOST,
    port: config.PORT,
    reusePort: config.REUSE_PORT,
    nodePort: config.NODE_PORT,
  });
  const node = new NodeReporter({
    check: authority.check,
    databaseUrl: config.DATABASE_URL,
    kind: 'authority',
    name: config.NODE_NAME,
    url: config.NODE_URL ?? ownUrl(config.HOST, config.NODE_PORT ?? config.PORT),
    log,
  });
  const handover = { servers: () => servers, drainSeconds: config.DRAIN_SECONDS };
  stopGracefully(
    log,
    async () => {
      await node.leave();
      await closeAll(servers);
      await authority.close();
    },
    handover,
  );
  log.info({ port: config.PORT, nodePort: config.NODE_PORT }, 'listening');
}

runMain('authority', main);
