import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '@latchkey/database/embedded';

/** The embedded database, started again on its port when it ends by itself. */
export interface KeptDatabase {
  ownerUrl: string;
  stop(): Promise<void>;
}

/** @throws EmbeddedPostgresError with one line that says what to do. */
export async function keepDatabase(dataDir: string, say: (line: string) => void): Promise<KeptDatabase> {
  const folder = join(dataDir, 'postgres');
  let stopping = false;
  let server: EmbeddedPostgres = await startEmbeddedPostgres({ dataDir: folder, log: say });
  const { url, port } = server;
  const watch = (async () => {
    for (;;) {
      await server.exited;
      if (stopping) return;
      say('PostgreSQL ended; starting it again');
      while (!stopping) {
        try {
          server = await startEmbeddedPostgres({ dataDir: folder, port });
          break;
        } catch (error) {
          say((error as Error).message);
          await wait(2_000);
        }
      }
    }
  })();
  return {
    ownerUrl: url,
    async stop() {
      stopping = true;
      await server.stop();
      await watch;
    },
  };
}
