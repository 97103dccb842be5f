import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { newId } from '@latchkey/database';
import { createTestDatabase, type TestDatabase } from '@latchkey/database/testing';
import { createLogger } from '@latchkey/runtime';
import { migrateQueue } from './migrate.js';
import { enqueue } from './outbox.js';
import type { QueueAddress } from './queue.js';
import { startWorker, type Handlers } from './worker.js';

let test: TestDatabase;

beforeAll(async () => {
  test = await createTestDatabase();
  await migrateQueue(test.ownerUrl, test.url);
});
afterAll(() => test.drop());

/** How PostgreSQL is away: nobody listens, or a proxy in front of it takes connections and closes them. */
type Outage = 'refuses' | 'closes';

/** A way to PostgreSQL that can be blocked. */
class Way {
  readonly #sockets = new Set<Socket>();
  #outage: Outage | undefined;
  #port = 0;
  readonly #server = createServer((socket) => {
    socket.on('error', () => undefined);
    if (this.#outage) return void socket.destroy();
    const { hostname, port } = new URL(test.url);
    const onwards = connect(Number(port), hostname).on('error', () => socket.destroy());
    socket.on('close', () => onwards.destroy());
    socket.pipe(onwards).pipe(socket);
    this.#sockets.add(socket);
  });

  /** @returns the queue at the end of it. */
  async open(): Promise<QueueAddress> {
    this.#outage = undefined;
    if (!this.#server.listening) await once(this.#server.listen(this.#port, '127.0.0.1'), 'listening');
    this.#port = (this.#server.address() as AddressInfo).port;
    const url = new URL(test.url);
    url.port = String(this.#port);
    return { url: url.href, prefix: '' };
  }

  /** Whoever is connected stays so. */
  refuseOthers(): void {
    this.#server.close();
  }

  block(outage: Outage): void {
    this.#outage = outage;
    if (outage === 'refuses') this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

describe('a worker whose queue on PostgreSQL is away', () => {
  it('does not start when it goes away between two of its connections, as it would never take a job', async () => {
    const way = new Way();
    const queue = await way.open();
    const handlers = () => {
      way.refuseOthers();
      return {} as Handlers;
    };
    const log = createLogger('outage-test', 'silent');
    await expect(startWorker({ database: test.database, databaseUrl: test.url, queue, handlers, log })).rejects.toThrow('ECONNREFUSED');
  });

  it.each(['closes', 'refuses'] as const)(
    'asks a few times a second at most while it %s every connection, and goes on within seconds when it no longer does',
    async (outage) => {
      const way = new Way();
      const queue = await way.open();
      const complaints: string[] = [];
      const log = Object.assign(createLogger('outage-test', 'silent'), { warn: (_: object, text: string) => void complaints.push(text) });
      const done: string[] = [];
      const deliver: Handlers['webhook.deliver'] = async ({ deliveryId }) => void done.push(deliveryId);
      const handlers = () => ({ 'webhook.deliver': deliver }) as Handlers;
      const worker = await startWorker({ database: test.database, databaseUrl: test.url, queue, handlers, log });

      way.block(outage);
      await wait(2_500);
      const asked = complaints.filter((text) => text === 'the queue cannot be worked on').length;
      expect([asked > 0, asked < 25]).toEqual([true, true]);
      await way.open();
      const [tenantId, deliveryId] = [newId(), newId()];
      await test.database.transaction({ tenantId }, (tx) =>
        enqueue(tx, tenantId, 'webhook.deliver', { tenantId, webhookId: newId(), deliveryId, round: 0 }),
      );
      // BullMQ by itself waits for fifteen seconds after a refused connection.
      for (const deadline = Date.now() + 10_000; Date.now() < deadline && done.length === 0;) await wait(20);
      expect(done).toEqual([deliveryId]);
      await worker.close();
      way.refuseOthers();
    },
  );
});
