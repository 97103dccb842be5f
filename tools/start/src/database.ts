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
  const stop = new AbortController();
  let server: EmbeddedPostgres = await startEmbeddedPostgres({ dataDir: folder, log: say });
  const { url, port } = server;
  const watch = async () => {
    for (;;) {
      await server.exited;
      if (stop.signal.aborted) return;
      say('PostgreSQL ended; starting it again');
      try {
        server = await startEmbeddedPostgres({ dataDir: folder, port });
      } catch (error) {
        say((error as Error).message);
        await wait(2_000);
      }
      if (stop.signal.aborted) await server.stop();
    }
  };
  const watching = watch();
  return {
    ownerUrl: url,
    async stop() {
      stop.abort();
      await server.stop();
      await watching;
    },
  };
}
