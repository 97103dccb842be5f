import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '@latchkey/database/embedded';

/** A PostgreSQL of a trial's own, durable as in production, that can be taken away and brought back. */
export class TrialPostgres {
  readonly #dataDir: string;
  #server: EmbeddedPostgres;

  private constructor(dataDir: string, server: EmbeddedPostgres) {
    this.#dataDir = dataDir;
    this.#server = server;
  }

  static async start(dataDir: string): Promise<TrialPostgres> {
    return new TrialPostgres(dataDir, await startEmbeddedPostgres({ dataDir }));
  }

  /** Of its owner. Never to be logged. */
  get ownerUrl(): string {
    return this.#server.url;
  }

  /** Ends every session, writes everything down and starts again. */
  async restart(): Promise<void> {
    await this.#server.stop();
    await this.#startAgain();
  }

  /** Ends at once, with nothing written down but what was committed, and recovers. */
  async crash(): Promise<void> {
    const pid = Number.parseInt(await readFile(join(this.#dataDir, 'cluster', 'postmaster.pid'), 'utf8'), 10);
    process.kill(pid, 'SIGQUIT');
    await this.#server.exited;
    await this.#startAgain();
  }

  async stop(): Promise<void> {
    await this.#server.stop();
  }

  async #startAgain(): Promise<void> {
    this.#server = await startEmbeddedPostgres({ dataDir: this.#dataDir, port: this.#server.port });
  }
}
